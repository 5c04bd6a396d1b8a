"""CTC decoding, against every alignment written out one by one."""

import itertools
from collections import defaultdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn.data import edit_distance, error_rate
from jaxrnn.generate import ctc_beam_search, ctc_greedy


def read(path):
    """The labels of an alignment."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != 0)


def every_transcript(logits):
    """The log-probability of each sequence of labels, of `logits [n, V]`."""
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    total = defaultdict(float)
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        total[read(path)] += np.prod([probabilities[t, v] for t, v in enumerate(path)])
    return {labels: np.log(p) for labels, p in total.items()}


def drawn(steps=5, symbols=3, lengths=(5, 1, 0, 3), seed=0):
    logits = np.random.default_rng(seed).normal(size=(len(lengths), steps, symbols)) * 2
    real = np.arange(steps) < np.array(lengths)[:, None]
    return logits, jnp.asarray(np.where(real[..., None], logits, np.nan)), jnp.array(lengths)


def found_of(transcripts, b):
    """The transcripts of one sequence with their log-probabilities, without the empty places."""
    rows = zip(*(field[b] for field in transcripts), strict=True)
    return {
        tuple(labels[:length].tolist()): float(nats)
        for labels, length, nats in rows
        if nats > -jnp.inf
    }


@pytest.mark.parametrize(("steps", "symbols"), [(5, 3), (6, 2), (3, 5)])
def test_a_beam_that_holds_all_prefixes_is_exact(steps, symbols, x64):
    lengths = (steps, 1, 0, steps - 1)
    logits, padded, real = drawn(steps, symbols, lengths)
    found = ctc_beam_search(padded, real, width=sum((symbols - 1) ** n for n in range(steps + 1)))
    nats = found.log_probabilities.tolist()
    assert nats == [sorted(row, reverse=True) for row in nats]
    for b, length in enumerate(lengths):
        each, ours = every_transcript(logits[b, :length]), found_of(found, b)
        assert ours.keys() == each.keys()
        for labels, nats in each.items():
            assert ours[labels] == pytest.approx(nats, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_narrow_beam_keeps_different_transcripts_and_never_too_much_of_them(width, x64):
    logits, padded, real = drawn(6, 3, (6, 5, 4, 6), seed=width)
    found = ctc_beam_search(padded, real, width=width)
    for b, length in enumerate(real.tolist()):
        each, ours = every_transcript(logits[b, :length]), found_of(found, b)
        assert len(ours) == width  # all different
        assert all(nats <= each[labels] + 1e-12 for labels, nats in ours.items())


def test_a_beam_that_is_wide_enough_finds_the_most_probable_labels(x64):
    logits, padded, real = drawn(7, 3, (7,) * 10, seed=3)
    found = ctc_beam_search(padded, real, width=12)
    for b in range(10):
        each = every_transcript(logits[b])
        best = max(each, key=lambda labels: each[labels])
        assert tuple(found.labels[b, 0, : found.lengths[b, 0]].tolist()) == best


def prefix_search(logits, width):
    """Hannun's algorithm with a dictionary of prefixes, in plain probabilities."""
    beam = {(): (1.0, 0.0)}
    for p in np.exp(logits) / np.exp(logits).sum(-1, keepdims=True):
        after = defaultdict(lambda: [0.0, 0.0])
        for prefix, (blank, label) in beam.items():
            after[prefix][0] += p[0] * (blank + label)
            for c in range(1, len(p)):
                if prefix and prefix[-1] == c:
                    after[prefix][1] += p[c] * label
                    after[(*prefix, c)][1] += p[c] * blank
                else:
                    after[(*prefix, c)][1] += p[c] * (blank + label)
        ranked = sorted(after.items(), key=lambda item: -sum(item[1]))
        beam = {prefix: tuple(both) for prefix, both in ranked[:width]}
    return {prefix: np.log(sum(both)) for prefix, both in beam.items()}


@pytest.mark.parametrize("width", [1, 3, 8])
def test_it_equals_prefix_search_with_a_dictionary(width, x64):
    logits = np.random.default_rng(7).normal(size=(4, 15, 5)) * 1.5
    found = ctc_beam_search(jnp.asarray(logits), width=width)
    for b in range(4):
        wanted, ours = prefix_search(logits[b], width), found_of(found, b)
        assert ours.keys() == wanted.keys()
        for labels, nats in wanted.items():
            assert ours[labels] == pytest.approx(nats, rel=1e-10)


def test_a_label_of_probability_zero_is_never_written(x64):
    logits = jnp.array([[0.0, -jnp.inf, 0.0], [0.0, -jnp.inf, 0.0], [1.0, -jnp.inf, 0.0]])
    found = ctc_beam_search(logits, width=12)
    ours = found_of(found, ...)
    assert ours.keys() == {(), (2,), (2, 2)}
    assert np.exp(list(ours.values())).sum() == pytest.approx(1)
    assert int(jnp.sum(found.labels * (found.log_probabilities == -jnp.inf)[:, None])) == 0


def test_greedy_collapses_repeats_and_then_takes_the_blanks_out():
    rng = np.random.default_rng(1)
    paths, lengths = rng.integers(0, 3, (50, 9)), rng.integers(0, 10, 50)
    found = ctc_greedy(jax.nn.one_hot(paths, 3), jnp.asarray(lengths))
    for path, length, labels, count in zip(paths, lengths, *found, strict=True):
        wanted = read(path[:length].tolist())
        assert int(count) == len(wanted)
        assert tuple(labels.tolist()) == wanted + (0,) * (9 - len(wanted))


def test_padding_does_not_matter_and_a_batch_equals_its_sequences():
    logits, padded, lengths = drawn(6, 4, (6, 2, 0, 5))
    decode = {"greedy": ctc_greedy, "beam": lambda *given: ctc_beam_search(*given, width=4)}
    for find in decode.values():
        batch, clean = find(padded, lengths), find(jnp.asarray(logits, jnp.float32), lengths)
        for a, b in zip(batch, clean, strict=True):
            np.testing.assert_array_equal(a, b)
        for n, length in enumerate(lengths.tolist()):
            one = find(jnp.asarray(logits[n, :length]))
            assert int(batch.lengths[n].ravel()[0]) == int(one.lengths.ravel()[0])
            labels = batch.labels[n, ..., :length]
            np.testing.assert_array_equal(labels, one.labels)


def test_any_batch_shape_will_do():
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 4, 3)))
    found, flat = (ctc_beam_search(x, width=3) for x in (logits, logits.reshape(6, 4, 3)))
    assert found.labels.shape == (2, 3, 3, 4)
    np.testing.assert_array_equal(found.labels.reshape(6, 3, 4), flat.labels)
    assert ctc_greedy(logits).lengths.shape == (2, 3)
    assert ctc_greedy(logits[0, 0]).labels.shape == (4,)


def test_no_frames_and_no_labels_are_read_as_nothing():
    for logits in (jnp.zeros((2, 0, 3)), jnp.zeros((2, 4, 1))):
        assert ctc_greedy(logits).lengths.tolist() == [0, 0]
        found = ctc_beam_search(logits, width=2)
        assert found.lengths.tolist() == [[0, 0], [0, 0]]
        np.testing.assert_allclose(found.log_probabilities, [[0, -np.inf]] * 2, atol=1e-6)


def brute_distance(a, b):
    if not a or not b:
        return len(a) + len(b)
    same = brute_distance(a[1:], b[1:]) + (a[0] != b[0])
    return min(same, brute_distance(a[1:], b) + 1, brute_distance(a, b[1:]) + 1)


def test_edit_distance_is_the_least_number_of_edits():
    rng = np.random.default_rng(2)
    for _ in range(30):
        a, b = (rng.integers(0, 3, rng.integers(0, 6)).tolist() for _ in range(2))
        assert edit_distance(a, b) == brute_distance(a, b) == edit_distance(np.array(b), a)
    assert error_rate([[1, 2], []], [[1, 3], [4, 4]]) == pytest.approx(3 / 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ctc_greedy(jnp.zeros(3)),
            r"`logits` must have the shape \[\*B, T, V\]; got \(3,\)",
        ),
        (
            lambda: ctc_greedy(jnp.zeros((2, 3, 4)), jnp.array([3])),
            r"`lengths` must have the shape \(2,\); got \(1,\)",
        ),
        (lambda: ctc_beam_search(jnp.zeros((3, 4)), width=0), "`width` must be a positive integer"),
        (lambda: error_rate([[1]], []), "`found` must hold 0 sequences; got 1"),
        (lambda: error_rate([[1]], [[]]), "`wanted` must hold at least one symbol; got 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
