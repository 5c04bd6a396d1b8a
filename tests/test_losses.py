"""Losses against NumPy; what stands at masked positions counts for nothing."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn.losses import (
    bernoulli_nll,
    bits,
    cross_entropy,
    nll,
    perplexity,
    sequence_log_likelihood,
)

T, B, V = 5, 3, 7
RNG = np.random.default_rng(0)
LOGITS: Any = RNG.normal(size=(T, B, V))
TARGETS: Any = RNG.integers(0, V, (T, B))
MASK: Any = RNG.random((T, B)) < 0.6


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


NATS = -np.take_along_axis(log_softmax(LOGITS), TARGETS[..., None], -1)[..., 0]


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_values(mask, x64):
    real = np.ones((T, B), bool) if mask is None else mask
    expected = np.where(real, NATS, 0)
    np.testing.assert_allclose(nll(LOGITS, TARGETS, mask), expected, rtol=1e-12)
    mean = expected.sum() / real.sum()
    np.testing.assert_allclose(cross_entropy(LOGITS, TARGETS, mask), mean, rtol=1e-12)
    totals = -expected.sum(0)
    np.testing.assert_allclose(sequence_log_likelihood(LOGITS, TARGETS, mask), totals, rtol=1e-12)


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_gradient_is_probability_minus_one_hot(mask, x64):
    real = np.ones((T, B), bool) if mask is None else mask
    error = np.exp(log_softmax(LOGITS)) - np.eye(V)[TARGETS]
    expected = np.where(real[..., None], error, 0) / real.sum()
    gradient = jax.grad(cross_entropy)(jnp.asarray(LOGITS), TARGETS, mask)
    np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("poison", "symbol"), [(np.nan, -1), (np.inf, V), (-np.inf, 10**6)])
def test_padding_may_hold_anything(poison, symbol):
    logits = jnp.where(MASK[..., None], LOGITS, poison)
    targets = jnp.where(MASK, TARGETS, symbol)
    clean = jax.value_and_grad(cross_entropy)(jnp.asarray(LOGITS), jnp.asarray(TARGETS), MASK)
    value, gradient = jax.value_and_grad(cross_entropy)(logits, targets, MASK)
    assert np.isfinite(value) and np.isfinite(gradient).all()
    np.testing.assert_array_equal(value, clean[0])
    np.testing.assert_array_equal(gradient, clean[1])
    assert not gradient[~MASK].any() and gradient[MASK].any()


def test_nothing_real_is_a_loss_of_zero():
    logits, nothing = jnp.full((T, B, V), jnp.nan), jnp.zeros((T, B), bool)
    value, gradient = jax.value_and_grad(cross_entropy)(logits, jnp.asarray(TARGETS), nothing)
    assert value == 0 and not gradient.any()
    assert not sequence_log_likelihood(logits, TARGETS, nothing).any()
    assert cross_entropy(jnp.zeros((0, V)), jnp.zeros(0, int)) == 0


def test_a_nan_at_a_real_position_is_not_hidden():
    logits = jnp.asarray(LOGITS).at[0, 0, 0].set(jnp.nan)
    assert np.isnan(nll(logits, TARGETS)[0, 0])


def test_a_symbol_outside_the_vocabulary_at_a_real_position_is_not_hidden():
    assert np.isnan(nll(jnp.zeros((2, V)), jnp.array([0, V]))[1])


def test_large_logits_do_not_overflow():
    np.testing.assert_allclose(nll(jnp.array([1e4, 0.0]), jnp.array(1)), 1e4)
    np.testing.assert_allclose(nll(jnp.array([-1e4, -1e4]), jnp.array(0)), np.log(2), rtol=1e-3)


def test_sums_of_bfloat16_logits_are_taken_in_float32():
    logits = jnp.asarray(LOGITS, jnp.bfloat16)
    value, gradient = jax.value_and_grad(cross_entropy)(logits, jnp.asarray(TARGETS), MASK)
    assert (value.dtype, gradient.dtype) == (jnp.float32, jnp.bfloat16)
    rounded = np.asarray(logits, np.float64)
    nats = -np.take_along_axis(log_softmax(rounded), TARGETS[..., None], -1)[..., 0]
    np.testing.assert_allclose(value, nats[MASK].mean(), rtol=1e-6)


def test_float32_stays_float32_when_float64_is_on(x64):
    assert cross_entropy(jnp.zeros((2, V), jnp.float32), jnp.zeros(2, int)).dtype == jnp.float32
    mask = jnp.ones(2, bool)
    assert cross_entropy(jnp.zeros((2, V), jnp.float32), jnp.zeros(2, int), mask).dtype == "float32"
    assert bits(jnp.float32(1)).dtype == perplexity(jnp.float32(1)).dtype == jnp.float32


def test_time_may_be_any_axis():
    batch_major = sequence_log_likelihood(LOGITS.swapaxes(0, 1), TARGETS.T, MASK.T, time_axis=1)
    np.testing.assert_allclose(batch_major, sequence_log_likelihood(LOGITS, TARGETS, MASK))


def test_no_batch_axes():
    np.testing.assert_allclose(nll(LOGITS[0, 0], TARGETS[0, 0]), NATS[0, 0], rtol=1e-5)


def test_a_uniform_guess_over_the_vocabulary():
    loss = cross_entropy(jnp.zeros((T, B, 8)), TARGETS)
    np.testing.assert_allclose([loss, perplexity(loss), bits(loss)], [np.log(8), 8, 3], rtol=1e-6)


def test_perplexity_and_bits_take_numbers():
    np.testing.assert_allclose([perplexity(0.0), perplexity(1.0)], [1, np.e], rtol=1e-6)
    np.testing.assert_allclose([bits(0.0), bits(np.log(2))], [0, 1], rtol=1e-6)


def test_outputs_that_are_on_or_off(x64):
    rng = np.random.default_rng(3)
    logits, targets = rng.normal(0, 3, (4, 5)), rng.random((4, 5))
    targets[0] = rng.random(5) < 0.5
    p = 1 / (1 + np.exp(-logits))
    expected = -targets * np.log(p) - (1 - targets) * np.log(1 - p)
    found = bernoulli_nll(jnp.asarray(logits), jnp.asarray(targets))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    slope = jax.grad(lambda z: jnp.sum(bernoulli_nll(z, jnp.asarray(targets))))
    np.testing.assert_allclose(slope(jnp.asarray(logits)), p - targets, rtol=1e-9, atol=1e-12)
    huge = bernoulli_nll(jnp.array([1e4, -1e4], jnp.bfloat16), jnp.array([1, 1]))
    assert huge.tolist() == [0.0, float(jnp.bfloat16(1e4))]
    with pytest.raises(ValueError, match=r"`targets` must have the shape \(4, 5\); got \(4,\)"):
        bernoulli_nll(jnp.asarray(logits), jnp.asarray(targets[:, 0]))
