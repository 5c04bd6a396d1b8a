"""Generated tags and videos: what is drawn is what was said."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn.data.synthetic import DIRECTIONS, chunk_grammar, moving_shapes, tagged_sentences
from jaxrnn.nn import Chain, viterbi


def sentences(grammar, batch_size=4000, **options):
    drawn = tagged_sentences(jax.random.key(3), grammar, batch_size=batch_size, **options)
    return [
        (np.asarray(drawn.words)[b, :n].tolist(), np.asarray(drawn.tags)[b, :n].tolist())
        for b, n in enumerate(drawn.lengths.tolist())
    ]


def test_probabilities_add_up_to_one():
    grammar = chunk_grammar(kinds=4, words=3, clarity=0.6, stay=0.4, outside=0.2)
    assert len(grammar.labels) == 9 and grammar.emission.shape == (9, 15)
    for part in (grammar.start, *grammar.between, *grammar.emission):
        assert np.exp(part).sum() == pytest.approx(1, rel=1e-5)


def test_neighbours_and_words_are_as_frequent_as_the_grammar_says():
    grammar = chunk_grammar(kinds=2, words=2, clarity=0.7, stay=0.6, outside=0.5)
    pairs, words = np.zeros((5, 5)), np.zeros((5, 6))
    starts = np.zeros(5)
    for text, tags in sentences(grammar, max_length=12):
        starts[tags[0]] += 1
        for a, b in itertools.pairwise(tags):
            pairs[a, b] += 1
        for word, tag in zip(text, tags, strict=True):
            words[tag, word] += 1
    share = lambda counts: counts / counts.sum(-1, keepdims=True)
    np.testing.assert_allclose(share(pairs), np.exp(grammar.between), atol=0.03)
    np.testing.assert_allclose(share(words), np.exp(grammar.emission), atol=0.03)
    np.testing.assert_allclose(share(starts), np.exp(grammar.start), atol=0.03)
    assert (pairs[np.isneginf(grammar.between)] == 0).all()
    # By hand: outside goes to B-A with (1 - 0.5) / 2; within A the chunk goes on with 0.6.
    assert np.exp(grammar.between[0]).tolist() == pytest.approx([0.5, 0.25, 0, 0.25, 0])
    assert np.exp(grammar.between[1]).tolist() == pytest.approx([0.2, 0.1, 0.6, 0.1, 0])


def test_lengths_and_padding():
    drawn = tagged_sentences(
        jax.random.key(0), chunk_grammar(), batch_size=500, max_length=7, min_length=3
    )
    assert set(drawn.lengths.tolist()) == {3, 4, 5, 6, 7}
    padding = np.arange(7) >= np.asarray(drawn.lengths)[:, None]
    assert (np.asarray(drawn.words)[padding] == 0).all()
    assert (np.asarray(drawn.tags)[padding] == 0).all()
    one = tagged_sentences(jax.random.key(0), chunk_grammar(), batch_size=3, max_length=1)
    assert one.words.shape == (3, 1) and set(np.asarray(one.tags).ravel()) <= {0, 1, 3, 5}


def test_the_neighbours_of_the_grammar_know_more_than_the_words():
    grammar = chunk_grammar()
    drawn = tagged_sentences(
        jax.random.key(1), grammar, batch_size=500, max_length=15, min_length=8
    )
    of_words = jnp.asarray(grammar.emission).T[drawn.words]
    chain = Chain(grammar.start, grammar.between, jnp.zeros(7))
    best = viterbi(chain, of_words, drawn.lengths).tags
    real = np.arange(15) < np.asarray(drawn.lengths)[:, None]
    right = lambda tags: np.asarray(tags == drawn.tags)[real].mean()
    assert right(best) > right(jnp.argmax(of_words, -1)) + 0.05


@pytest.mark.parametrize("turn", [0.0, 0.5])
def test_a_shape_moves_by_one_pixel_in_its_direction(turn):
    clips = moving_shapes(jax.random.key(0), batch_size=20, length=9, size=6, turn=turn)
    shifts = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
    frames, directions = np.asarray(clips.frames), np.asarray(clips.directions)
    for clip, steps in zip(frames, directions, strict=True):
        for t in range(1, 9):
            shift = shifts[DIRECTIONS[steps[t]]]
            np.testing.assert_array_equal(clip[t], np.roll(clip[t - 1], shift, axis=(0, 1)))
    turned = (directions[:, 1:] != directions[:, :-1]).mean()
    assert turned == 0 if turn == 0 else 0.25 < turned < 0.5  # 3 of 4 turns change it
    assert set(directions.ravel()) == {0, 1, 2, 3} and set(clips.shapes.tolist()) == {0, 1, 2}
    assert frames.sum((2, 3)).tolist() == [[(8, 5, 5)[shape]] * 9 for shape in clips.shapes]


def test_noise_is_added_to_every_pixel():
    draw = lambda noise: moving_shapes(jax.random.key(0), batch_size=9, length=9, noise=noise)
    added = np.asarray(draw(0.3).frames - draw(0.0).frames)
    assert added.std() == pytest.approx(0.3, rel=0.05) and abs(added.mean()) < 0.02


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda key: chunk_grammar(kinds=0), "`kinds` must be a positive integer; got 0"),
        (lambda key: chunk_grammar(kinds=27), "`kinds` must be at most 26"),
        (lambda key: chunk_grammar(stay=1.0), "`stay` must be a probability between 0 and 1"),
        (
            lambda key: tagged_sentences(
                key, chunk_grammar(), batch_size=1, max_length=2, min_length=3
            ),
            "`min_length` must be at most 2; got 3",
        ),
        (
            lambda key: moving_shapes(key, batch_size=1, length=1, size=3),
            "`size` must be at least 4",
        ),
        (lambda key: moving_shapes(key, batch_size=1, length=1, turn=2), "`turn` must be a prob"),
        (lambda key: moving_shapes(key, batch_size=1, length=1, noise=-1), "`noise` must not be"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(jax.random.key(0))
