"""Losses in nats: of sequences of symbols, and of outputs that are on or off.

Nothing here knows which axis is time: `logits` are `[..., V]`, `targets` and `mask` are `[...]`.
Positions where a mask is false never count and never produce NaN.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def nll(logits: jax.Array, targets: jax.Array, mask: jax.Array | None = None) -> jax.Array:
    """Negative log-likelihood of each symbol.

        nll = log Σ_v exp(logits_v) - logits_target

    Args:
      logits: unnormalised log-probabilities `[..., V]`.
      targets: symbols, integers in [0, V), `[...]`.
      mask: true at real positions, `[...]`; elsewhere logits and targets may hold anything.

    Returns:
      Nats for each position, `[...]`, zero where `mask` is false; at least float32.

    Raises:
      ValueError: if the shapes do not fit or the targets are not integers.

    >>> bool(jnp.isclose(nll(jnp.zeros((3, 8)), jnp.array([0, 1, 7]))[2], jnp.log(8.0)))
    True
    """
    logits, targets = jnp.asarray(logits), jnp.asarray(targets)
    _check(targets.shape == logits.shape[:-1], "targets", targets.shape, logits.shape[:-1])
    if not jnp.issubdtype(targets.dtype, jnp.integer):
        raise ValueError(f"`targets` must be integers; got {targets.dtype}")
    if mask is not None:
        mask = jnp.asarray(mask)
        _check(mask.shape == targets.shape, "mask", mask.shape, targets.shape)
        # Select before the logarithm: 0 * NaN is NaN, in the value and in the gradient.
        logits = jnp.where(mask[..., None], logits, 0)
        targets = jnp.where(mask, targets, 0)
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    picked = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    nats = jax.nn.logsumexp(logits, axis=-1) - picked
    return nats if mask is None else jnp.where(mask, nats, 0)


def cross_entropy(
    logits: jax.Array, targets: jax.Array, mask: jax.Array | None = None
) -> jax.Array:
    """Mean negative log-likelihood of the real symbols, nats per symbol; 0 if there are none.

    Args and errors as for `nll`.

    >>> logits = jnp.array([[0.0, 0.0], [jnp.nan, jnp.nan]])
    >>> mask = jnp.array([True, False])
    >>> round(float(cross_entropy(logits, jnp.array([1, 0]), mask)), 4)
    0.6931
    """
    nats = nll(logits, targets, mask)
    count = nats.size if mask is None else jnp.sum(mask)
    return jnp.sum(nats) / jnp.maximum(count, 1)


def bernoulli_nll(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """Negative log-likelihood of outputs that are each on or off: keys of a piano, pixels of ink.

        nats = log(1 + exp(logit)) - target · logit

    Args:
      logits: log-odds that an output is on, `[...]`.
      targets: 1 where it is, 0 where not, or a probability between, `[...]`.

    Returns:
      Nats of each output, `[...]`; at least float32.

    Raises:
      ValueError: if the shapes differ.

    >>> [round(float(nats), 4) for nats in bernoulli_nll(jnp.zeros(2), jnp.array([0, 1]))]
    [0.6931, 0.6931]
    """
    logits, targets = jnp.asarray(logits), jnp.asarray(targets)
    _check(targets.shape == logits.shape, "targets", targets.shape, logits.shape)
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    return jax.nn.softplus(logits) - targets * logits


def sequence_log_likelihood(
    logits: jax.Array, targets: jax.Array, mask: jax.Array | None = None, *, time_axis: int = 0
) -> jax.Array:
    """Log-likelihood of whole sequences: the sum over time of log p(target_t | past), in nats.

    Args:
      logits: `[T, *B, V]`, or with time at `time_axis`.
      targets: `[T, *B]`.
      mask: true at real positions, `[T, *B]`.
      time_axis: where time is in `targets`.

    Returns:
      `[*B]`; 0 for a sequence without real positions.
    """
    return -jnp.sum(nll(logits, targets, mask), axis=time_axis)


def perplexity(nats: Any) -> jax.Array:
    """e to the mean nats per symbol: how many equally likely symbols would be as surprising.

    >>> round(float(perplexity(jnp.log(8.0))), 4)
    8.0
    """
    return jnp.exp(nats)


def bits(nats: Any) -> jax.Array:
    """Nats in bits; of the mean nats per character, the bits per character.

    >>> round(float(bits(jnp.log(8.0))), 4)
    3.0
    """
    return jnp.asarray(nats) / jnp.log(2.0)


def _check(fits: bool, name: str, shape: Any, expected: Any) -> None:
    if not fits:
        raise ValueError(f"`{name}` must have the shape {tuple(expected)}; got {tuple(shape)}")
