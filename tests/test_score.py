"""The log-probability of given text, against one step after the other in NumPy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrnn import gru
from jaxrnn.generate import score
from jaxrnn.losses import nll
from jaxrnn.models import LanguageModel
from jaxrnn.models.language_model import functions

V, H, B, T = 4, 3, 3, 6
RANDOM = np.random.default_rng(0)
PARAMS = tuple(RANDOM.normal(size=shape) for shape in [(V, H), (H, H), (H, V)])
TEXT = RANDOM.integers(0, V, (T, B))
CARRY = RANDOM.normal(size=(B, H))


def step(params, carry, symbols):
    """An Elman network of few symbols, whose embeddings of all others are NaN."""
    embeddings, recurrent, readout = params
    embedded = jnp.take(embeddings, symbols, axis=0, mode="fill", fill_value=jnp.nan)
    carry = jnp.tanh(embedded + carry @ recurrent)
    return carry, carry @ readout


def by_steps(text, carry):
    """The nats of each symbol of one row after those before it."""
    embeddings, recurrent, readout = PARAMS
    nats = []
    for read, following in itertools.pairwise(text):
        carry = np.tanh(embeddings[read] + carry @ recurrent)
        logits = carry @ readout
        nats.append(logits[following] - np.log(np.exp(logits).sum()))
    return nats


def test_one_step_after_the_other(x64):
    nats = score(step, PARAMS, CARRY, TEXT)
    assert nats.shape == (T - 1, B)
    for row in range(B):
        np.testing.assert_allclose(nats[:, row], by_steps(TEXT[:, row], CARRY[row]), rtol=1e-12)
    alone = score(step, PARAMS, CARRY[0], TEXT[:, 0])
    np.testing.assert_allclose(alone, nats[:, 0], rtol=1e-12)


def test_all_texts_together_have_probability_one(x64):
    texts = np.array(list(itertools.product(range(V), repeat=3)))
    prompt = np.full((1, len(texts)), 2)
    carry = np.broadcast_to(CARRY[0], (len(texts), H))
    nats = score(step, PARAMS, carry, np.concatenate([prompt, texts.T]))
    np.testing.assert_allclose(np.exp(nats.sum(0)).sum(), 1, rtol=1e-12)


def test_a_language_model_scores_as_in_training(x64):
    cell = gru(3, 5)
    model = LanguageModel(cell, vocabulary_size=V, rngs=nnx.Rngs(0))
    parts = functions(model)
    _, logits = model(jnp.asarray(TEXT[:-1]))
    nats = score(parts.step, parts.params, cell.initial_carry((B,), jnp.float32), TEXT)
    np.testing.assert_allclose(nats, -nll(logits, jnp.asarray(TEXT[1:])), rtol=1e-5)


# Padding behind, before and between, a row without any, one of one symbol, one of none.
MASKS = np.array(
    [
        [1, 1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1, 1],
        [1, 0, 1, 0, 0, 1],
        [1, 1, 1, 1, 1, 1],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ],
    bool,
).T


def ragged():
    """Text of six rows with something that is no symbol in the padding, and their carries."""
    random = np.random.default_rng(1)
    text = np.where(MASKS, random.integers(0, V, MASKS.shape), random.choice([-9, V, 10**6]))
    return text, random.normal(size=(MASKS.shape[1], H))


def test_what_is_masked_out_is_not_there(x64):
    text, carry = ragged()
    nats = np.asarray(score(step, PARAMS, carry, text, MASKS))
    for row, real in enumerate(MASKS.T):
        later = np.flatnonzero(real)[1:]
        expected = np.zeros(T)
        expected[later] = by_steps(text[real, row], carry[row])
        np.testing.assert_allclose(nats[:, row], expected[1:], rtol=1e-12)
        assert not np.signbit(nats[:, row][expected[1:] == 0]).any()


def test_nothing_is_read_where_a_row_has_no_text(x64):
    text, carry = ragged()
    some = MASKS.any(0, keepdims=True).T
    poisoned = np.where(~some, np.nan, carry)
    nats = score(step, PARAMS, poisoned, text, MASKS)
    np.testing.assert_array_equal(nats, score(step, PARAMS, carry, text, MASKS))


def test_gradients_know_nothing_of_the_padding(x64):
    text, carry = ragged()

    def total(params, carry):
        return score(step, params, carry, text, MASKS).sum()

    def expected_total(params, carry):
        rows = [(text[real, row], carry[row]) for row, real in enumerate(MASKS.T) if real.sum() > 1]
        return sum(score(step, params, start, symbols).sum() for symbols, start in rows)

    gradients = jax.grad(total, (0, 1))(PARAMS, carry)
    expected = jax.grad(expected_total, (0, 1))(PARAMS, carry)
    for gradient, right in zip(jax.tree.leaves(gradients), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(gradient, right, rtol=1e-9, atol=1e-12)
        assert np.asarray(right).any()


def test_a_text_of_one_symbol_has_nothing_to_predict():
    mask = np.ones((1, B), bool)
    for given in [(), (mask,)]:
        nats = score(step, PARAMS, CARRY, TEXT[:1], *given)
        assert nats.shape == (0, B) and nats.dtype == jnp.float32


def test_under_jit_and_vmap():
    text, carry = ragged()
    together = score(step, PARAMS, carry, text, MASKS)
    mapped = jax.jit(jax.vmap(score, in_axes=(None, None, 0, 1, 1), out_axes=1), static_argnums=0)
    np.testing.assert_allclose(mapped(step, PARAMS, carry, text, MASKS), together, rtol=1e-5)


def test_compiled_once_for_any_values():
    traces = []

    def traced(params, carry, symbols):
        traces.append(1)
        return step(params, carry, symbols)

    for seed in range(3):
        score(traced, PARAMS, CARRY + seed, np.full((4, B), seed), np.full((4, B), seed > 0))
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("symbols", "mask", "message"),
    [
        (TEXT[:0], None, "`symbols` must hold at least one symbol, .*; got \\(0, 3\\)"),
        (TEXT / 2, None, "`symbols` must be integers; got float"),
        (TEXT, TEXT, "`mask` must be booleans; got int"),
        (TEXT, MASKS, "`mask` must have the shape of `symbols`, \\(6, 3\\); got \\(6, 6\\)"),
        (TEXT[:, :2], MASKS[:, :2], "`carry` must have a shape that begins .* got \\(3, 3\\)"),
    ],
)
def test_wrong_arguments(symbols, mask, message):
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        score(step, PARAMS, CARRY, symbols, mask)
    assert "\n" not in str(caught.value)
