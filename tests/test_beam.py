"""Beam search against all sequences there are, and against a beam search of plain Python lists."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrnn import lstm, stack
from jaxrnn.generate import Beams, beam_search, greedy, sample, score
from jaxrnn.models import LanguageModel
from jaxrnn.models.language_model import functions


def markov(params, carry, symbols):
    """The next symbol depends on the last two and, through a fading trace, on all."""
    table, vectors, readout = params
    trace = 0.5 * carry["trace"] + vectors[symbols]
    logits = table[carry["before"], symbols] + trace @ readout
    return {"before": symbols, "trace": trace}, logits


def markov_model(size, seed):
    random = np.random.default_rng(seed)
    shapes = (size, size, size), (size, 3), (3, size)
    return markov, tuple(random.normal(size=shape) for shape in shapes)


def markov_carry(batch_shape, size, seed):
    random = np.random.default_rng(seed)
    before = random.integers(0, size, batch_shape)
    return {"before": before, "trace": random.normal(size=(*batch_shape, 3))}


def lstm_model(size, batch_shape):
    """A language model of two layers, far enough from uniform, in the dtype of the moment."""
    cell = stack(lstm(3, 4), lstm(4, 5))
    model = functions(LanguageModel(cell, vocabulary_size=size, rngs=nnx.Rngs(1)))
    dtype = jnp.zeros(()).dtype
    params = jax.tree.map(lambda leaf: 4 * leaf.astype(dtype), model.params)
    return model.step, params, cell.initial_carry(batch_shape, dtype)


def row_of(tree, row):
    return jax.tree.map(lambda leaf: leaf[row], tree)


def log_softmax(logits):
    logits = np.asarray(logits, float)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def extended(step, params, carry, text):
    """The carry before the last symbol of a text, by one step after the other."""
    for symbol in text[:-1]:
        carry, _ = step(params, carry, np.asarray(symbol))
    return carry


def search_in_lists(step, params, carry, prompt, *, width, length, end, length_penalty):
    """One row, hypotheses as tuples, no early stop; a width of None drops nothing."""
    living = [(0.0, (), extended(step, params, carry, prompt))]
    complete = []
    for n in range(1, length + 1):
        found = []
        for total, text, state in living:
            state, logits = step(params, state, np.asarray((*prompt, *text)[-1]))
            for symbol, nats in enumerate(log_softmax(logits)):
                found.append((total + nats, (*text, symbol), state))
        found = sorted(found, key=lambda one: -one[0])[:width]
        stops = [n == length or text[-1] == end for _, text, _ in found]
        ended = [one[:2] for one, stop in zip(found, stops, strict=True) if stop]
        divisor = ((5 + n) / 6) ** length_penalty
        complete += [(total / divisor, total, text) for total, text in ended]
        living = [one for one, stop in zip(found, stops, strict=True) if not stop]
    return sorted(complete, key=lambda one: -one[0])


def beams_of_row(beams, row):
    return Beams(beams.symbols[:, row], *(field[row] for field in beams[1:]))


def assert_found(beams, expected, end, rtol=1e-10):
    """Compares the beams of one row with (score, log-probability, text), best first."""
    length, width = beams.symbols.shape
    number = min(width, len(expected))
    padding = 0 if end is None else end
    for place, (best, total, text) in enumerate(expected[:number]):
        assert beams.symbols[:, place].tolist() == [*text, *[padding] * (length - len(text))]
        assert beams.lengths[place] == len(text)
        np.testing.assert_allclose(beams.scores[place], best, rtol, 1e-12)
        np.testing.assert_allclose(beams.log_probabilities[place], total, rtol, 1e-12)
    assert (beams.scores[number:] == -np.inf).all()
    assert (beams.log_probabilities[number:] == -np.inf).all()
    assert not beams.lengths[number:].any()
    assert (beams.symbols[:, number:] == padding).all()


ENDS = pytest.mark.parametrize("end", [None, 1])
PENALTIES = pytest.mark.parametrize("length_penalty", [0.0, 0.7, 3.0])


# As many as there are; more; so many that none is dropped before the last step.
@ENDS
@PENALTIES
@pytest.mark.parametrize(
    ("size", "length", "width"),
    [(2, 5, 32), (2, 5, 35), (3, 4, 81), (3, 4, 27), (4, 1, 6), (4, 1, 2)],
)
def test_a_wide_beam_is_exhaustive_search(size, length, width, length_penalty, end, x64):
    prompt = np.random.default_rng(5).integers(0, size, (2, 3))
    options = {"length": length, "end": end, "length_penalty": length_penalty}
    for seed in range(2):
        step, params = markov_model(size, seed)
        carry = markov_carry((3,), size, seed)
        beams = beam_search(step, params, carry, prompt, width=width, **options)
        for row in range(3):
            alone = row_of(carry, row), prompt[:, row]
            expected = search_in_lists(step, params, *alone, width=None, **options)
            assert len(expected) == number_of_texts(size, length, end)
            assert_found(beams_of_row(beams, row), expected, end)


def number_of_texts(size, length, end):
    """How many there are that end, or else have the full length."""
    texts = itertools.product(range(size), repeat=length)
    cut = {text[: text.index(end) + 1] if end in text else text for text in texts}
    return len(cut)


@ENDS
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@pytest.mark.parametrize("width", [9, 27])
def test_a_language_model_of_two_layers(width, length_penalty, end, x64):
    step, params, carry = lstm_model(3, (2,))
    prompt = np.array([[0, 2], [1, 1], [2, 0]])
    options = {"length": 3, "end": end, "length_penalty": length_penalty}
    beams = beam_search(step, params, carry, prompt, width=width, **options)
    compiled = jax.jit(step)
    for row in range(2):
        alone = row_of(carry, row), prompt[:, row]
        expected = search_in_lists(compiled, params, *alone, width=None, **options)
        # The model's embeddings are float32 all the same.
        assert_found(beams_of_row(beams, row), expected, end, rtol=1e-6)


@ENDS
@PENALTIES
@pytest.mark.parametrize("width", [2, 3, 5])
def test_a_narrow_beam_is_the_one_of_lists(width, length_penalty, end, x64):
    # That one never stops early, so neither does stopping change the result.
    lengths = set()
    for seed in range(4):
        step, params = markov_model(6, seed)
        carry, prompt = markov_carry((), 6, seed), np.array([seed])
        options = {"width": width, "length": 8, "end": end, "length_penalty": length_penalty}
        beams = beam_search(step, params, carry, prompt, **options)
        expected = search_in_lists(step, params, carry, prompt, **options)
        assert_found(beams, expected, end)
        lengths |= set(beams.lengths.tolist())
    assert end is None or len(lengths) > 2


@ENDS
@PENALTIES
def test_width_one_is_greedy(length_penalty, end):
    step, params = markov_model(6, 0)
    # Two symbols that are exactly as likely, for which the lower number goes first.
    params = (params[0].round(), params[1] * 0, params[2])
    carry, prompt = markov_carry((40,), 6, 0), np.random.default_rng(0).integers(0, 6, (2, 40))
    run = {"length": 12, "end": end}
    given = step, params, carry, prompt
    beams = beam_search(*given, width=1, length_penalty=length_penalty, **run)
    _, written = greedy(*given, **run)
    assert beams.symbols[..., 0].tolist() == written.tolist()
    _, cold = sample(*given, temperature=0.0, key=jax.random.key(0), **run)
    assert cold.tolist() == written.tolist()
    lengths = [row.index(end) + 1 if end in row else 12 for row in written.T.tolist()]
    assert beams.lengths[:, 0].tolist() == lengths
    assert end is None or len(set(lengths)) > 3


def test_what_rounds_to_the_same_sum_stays_in_order():
    """In float32, -1000 - 1e-6 and -1000 are one number; the logits are still two."""

    def step(params, carry, symbols):
        logits = jnp.where(carry[..., None] == 0, params[0], params[1])
        return carry + 1, logits

    params = jnp.array([[-1000.0, -1000.0, 0.0], [1.0, 1.000001, 0.5]])
    params = params.at[0, 2].set(-1000.0 - 1e-3)
    start = jnp.zeros((), int)
    beams = beam_search(step, params, start, jnp.array([0]), width=1, length=9)
    assert beams.symbols[1:, 0].tolist() == [1] * 8


@ENDS
def test_the_log_probabilities_are_those_of_the_texts(end, x64):
    step, params, carry = lstm_model(5, (3,))
    prompt = np.array([[0, 2, 4]])
    beams = beam_search(step, params, carry, prompt, width=4, length=6, end=end)
    for place in range(4):
        text = np.concatenate([prompt, beams.symbols[..., place]])
        mask = np.arange(7)[:, None] <= np.asarray(beams.lengths[:, place])
        totals = score(step, params, carry, text, mask).sum(0)
        np.testing.assert_allclose(beams.log_probabilities[:, place], totals, rtol=1e-9)


@ENDS
def test_any_batch_shape(end):
    step, params, carry = lstm_model(5, (2, 3))
    prompt = np.random.default_rng(2).integers(0, 5, (2, 2, 3))
    options = {"width": 3, "length": 4, "end": end, "length_penalty": 0.6}
    beams = beam_search(step, params, carry, prompt, **options)
    assert beams.symbols.shape == (4, 2, 3, 3)
    assert beams.lengths.shape == beams.scores.shape == (2, 3, 3)
    assert beams.symbols.dtype == prompt.astype(np.int32).dtype
    for i, j in np.ndindex(2, 3):
        alone = beam_search(step, params, row_of(carry, (i, j)), prompt[:, i, j], **options)
        assert alone.symbols.shape == (4, 3)
        assert alone.symbols.tolist() == beams.symbols[:, i, j].tolist()
        np.testing.assert_allclose(alone.scores, beams.scores[i, j], rtol=1e-4)


def test_a_symbol_of_probability_zero_is_never_written():
    step, (table, *rest) = markov_model(4, 0)
    table[..., 2:] = -np.inf
    carry = markov_carry((2,), 4, 1)
    beams = beam_search(step, (table, *rest), carry, np.zeros((1, 2), int), width=5, length=2)
    assert (beams.symbols < 2).all()
    assert beams.lengths.tolist() == [[2, 2, 2, 2, 0]] * 2
    assert np.isfinite(beams.scores).tolist() == [[True] * 4 + [False]] * 2


def steps_made(p_end, **options):
    """How many steps a search makes that may write 300 symbols; and its beams."""
    steps = []

    def step(params, carry, symbols):
        jax.debug.callback(lambda: steps.append(1))
        return carry, carry

    # The carry of a row is its distribution: an end of probability p, and two other symbols.
    logits = jnp.log(jnp.array([[(1 - p) * 0.7, (1 - p) * 0.3, p] for p in p_end]))
    prompt = jnp.zeros((1, len(p_end)), int)
    beams = beam_search(step, None, logits, prompt, length=300, **options)
    jax.effects_barrier()
    return len(steps), beams


def test_stops_when_nothing_that_lives_can_win():
    # 0.9, then 0.07 * 0.9: after two symbols nothing else has 0.063 left.
    steps, beams = steps_made([0.9, 0.9], width=2, end=2)
    assert steps == 2
    assert beams.lengths.tolist() == [[1, 2]] * 2 and beams.symbols.shape == (300, 2, 2)
    assert (beams.symbols[1:] == 2).all()
    # The slowest row decides; without an end, none stops.
    assert steps_made([0.9, 0.3], width=2, end=2)[0] == 3
    assert steps_made([0.9, 0.9], width=2)[0] == 300


def test_stops_when_all_have_ended():
    steps, beams = steps_made([0.9], width=1, end=2, length_penalty=9.0)
    assert steps == 1 and beams.lengths.tolist() == [[1]]


def test_goes_on_while_the_length_penalty_may_still_favour_the_living():
    at_once, _ = steps_made([0.9], width=2, end=2)
    later, _ = steps_made([0.9], width=2, end=2, length_penalty=1.0)
    assert at_once < later < 300


@ENDS
def test_under_jit_and_vmap(end):
    step, params, carry = lstm_model(4, (2, 3))
    prompt = np.random.default_rng(2).integers(0, 4, (2, 1, 3))

    def search(carry, prompt, length_penalty):
        options = {"width": 3, "length": 5, "end": end, "length_penalty": length_penalty}
        return beam_search(step, params, carry, prompt, **options)

    together = jax.jit(jax.vmap(search, in_axes=(0, 0, None)))(carry, prompt, 0.8)
    for row in range(2):
        alone = search(row_of(carry, row), prompt[row], 0.8)
        assert alone.symbols.tolist() == together.symbols[row].tolist()
        np.testing.assert_allclose(alone.scores, together.scores[row], rtol=1e-4)


def test_compiled_once_for_any_values():
    traces, counts = [], []

    def traced(params, carry, symbols):
        traces.append(1)
        return markov(params, carry, symbols)

    for seed in range(3):
        _, params = markov_model(4, seed)
        carry, prompt = markov_carry((2,), 4, seed), np.full((3, 2), seed)
        beam_search(traced, params, carry, prompt, width=2, length=3, end=1, length_penalty=seed)
        counts.append(len(traces))
    assert counts == [3, 3, 3]  # the shape of the logits, the prompt, the loop


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "`width` must be a positive integer; got 0"),
        ({"width": 2.0}, "`width` must be a positive integer; got 2.0"),
        ({"length": -1}, "`length` must be a positive integer; got -1"),
        ({"length_penalty": -0.5}, "`length_penalty` must not be negative; got -0.5"),
        ({"length_penalty": np.nan}, "`length_penalty` must not be negative; got nan"),
        ({"length_penalty": np.ones(2)}, r"`length_penalty` must be a number; got \[1. 1.\]"),
        ({"end": -1}, "`end` must be a symbol, an integer that is not negative; got -1"),
        ({"end": 4}, r"`end` must lie in \[0, V=4\); got 4"),
        ({"prompt": np.zeros((0, 2), int)}, "`prompt` must hold at least one symbol"),
        ({"prompt": np.zeros((1, 2))}, "`prompt` must be integers; got float"),
        ({"prompt": np.zeros((1, 3), int)}, r"`carry\['before'\]` must have a shape that begins"),
    ],
)
def test_wrong_arguments(options, message):
    step, params = markov_model(4, 0)
    arguments = {"prompt": np.zeros((1, 2), int), "width": 2, "length": 3} | options
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        beam_search(step, params, markov_carry((2,), 4, 0), arguments.pop("prompt"), **arguments)
    assert "\n" not in str(caught.value)
