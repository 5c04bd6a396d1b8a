"""Poolings: one vector for a sequence, from its real steps alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrnn import elman
from jaxrnn.nn import (
    RNN,
    AttentionPooling,
    Bidirectional,
    end_states,
    last_state,
    max_pooling,
    mean_pooling,
)

LENGTHS = np.array([4, 1, 0, 3])


def attention():
    pooling = AttentionPooling(6, rngs=nnx.Rngs(0), size=5)
    pooling.bias[...] = jnp.linspace(-1, 1, 5)
    return pooling


POOLINGS = {
    "last": last_state,
    "ends": end_states,
    "mean": mean_pooling,
    "max": max_pooling,
    "attention": attention(),
}


def attended(ys):
    pooling = attention()
    kernel, query = np.asarray(pooling.kernel[...]), np.asarray(pooling.query[...])
    scores = np.tanh(ys @ kernel + np.linspace(-1, 1, 5)) @ query
    return np.exp(scores) / np.exp(scores).sum() @ ys


BY_HAND = {
    "last": lambda ys: ys[-1],
    "ends": lambda ys: np.concatenate([ys[-1, :3], ys[0, 3:]]),
    "mean": lambda ys: ys.mean(axis=0),
    "max": lambda ys: ys.max(axis=0),
    "attention": attended,
}


def outputs(seed=0):
    """Outputs whose padding is NaN."""
    ys = np.random.default_rng(seed).normal(size=(4, 4, 6)) - 2
    real = np.arange(4) < LENGTHS[:, None]
    return ys, np.where(real[..., None], ys, np.nan), real


@pytest.mark.parametrize("name", POOLINGS)
def test_only_the_real_steps_count(name):
    ys, padded, _ = outputs()
    found = POOLINGS[name](jnp.asarray(padded, jnp.float32), jnp.asarray(LENGTHS))
    for b, n in enumerate(LENGTHS):
        expected = BY_HAND[name](ys[b, :n]) if n else np.zeros(6)
        np.testing.assert_allclose(found[b], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", POOLINGS)
def test_padding_reaches_no_gradient(name):
    _, padded, real = outputs()
    pool = lambda ys: jnp.sum(jnp.cos(POOLINGS[name](ys, jnp.asarray(LENGTHS))))
    gradient = jax.grad(pool)(jnp.asarray(padded, jnp.float32))
    assert np.isfinite(gradient).all() and (gradient[~real] == 0).all()
    assert (np.abs(gradient).sum((1, 2)) > 0).tolist() == (LENGTHS > 0).tolist()


@pytest.mark.parametrize("name", POOLINGS)
def test_without_lengths_all_steps_are_real_and_one_sequence_needs_no_batch(name):
    ys = jnp.asarray(outputs()[0], jnp.float32)
    pool = POOLINGS[name]
    np.testing.assert_array_equal(pool(ys, None), pool(ys, jnp.full(4, 4)))
    np.testing.assert_allclose(pool(ys[0], None), pool(ys, None)[0], rtol=1e-5)
    assert pool(jnp.zeros((2, 3, 4, 6)), None).shape == (2, 3, 6)


@pytest.mark.parametrize("name", POOLINGS)
def test_no_steps_at_all_give_zeros(name):
    assert POOLINGS[name](jnp.zeros((2, 0, 6)), None).tolist() == [[0.0] * 6] * 2


def test_ends_are_the_last_states_of_both_directions():
    rngs = nnx.Rngs(0)
    both = Bidirectional(RNN(elman(2, 3), rngs=rngs), RNN(elman(2, 4), rngs=rngs))
    xs = jnp.asarray(np.random.default_rng(1).normal(size=(4, 4, 2)), jnp.float32)
    carries, ys = both(xs, seq_lengths=jnp.asarray(LENGTHS))
    found = end_states(ys, jnp.asarray(LENGTHS), forward_size=3)
    np.testing.assert_allclose(found, jnp.concatenate(carries, axis=-1), rtol=1e-6)


def test_attention_weights_add_up_to_one_over_the_real_steps():
    _, padded, real = outputs()
    weights = attention().weights(jnp.asarray(padded, jnp.float32), jnp.asarray(LENGTHS))
    np.testing.assert_allclose(weights.sum(-1), LENGTHS > 0, atol=1e-6)
    assert (weights[~real] == 0).all() and (weights[real] > 0).all()
    assert float(jnp.std(weights[0])) > 0.01


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: last_state(jnp.zeros(3)), r"`ys` must have the shape \[\*B, T, H\]; got \(3,\)"),
        (
            lambda: mean_pooling(jnp.zeros((2, 3, 4)), jnp.zeros(3)),
            r"`lengths` must have the shape",
        ),
        (
            lambda: end_states(jnp.zeros((2, 3, 4)), forward_size=5),
            "`forward_size` must be at most 4",
        ),
        (lambda: attention()(jnp.zeros((2, 3, 4))), r"`ys` must have the shape \[\*B, T, 6\]"),
        (lambda: AttentionPooling(0, rngs=nnx.Rngs(0)), "`hidden_size` must be a positive integer"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
