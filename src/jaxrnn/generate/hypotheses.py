"""The hypotheses of a beam search: their scores, the best of them, and their symbols."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


class Ended(NamedTuple):
    """Hypotheses that are complete, best first; a place that is still empty scores -inf.

    Where a hypothesis stands says all about its symbols: see `trace_back`.
    """

    scores: jax.Array  # [*B, W], after the length normalisation
    log_probabilities: jax.Array  # [*B, W], nats
    lengths: jax.Array  # [*B, W], symbols written
    slots: jax.Array  # [*B, W], the place in the beam where the last symbol was written


def none_ended(shape: tuple[int, ...], dtype: jnp.dtype) -> Ended:
    """Empty places, `[*B, W]`."""
    nothing, zeros = jnp.full(shape, -jnp.inf, dtype), jnp.zeros(shape, jnp.int32)
    return Ended(nothing, nothing, zeros, zeros)


def complete(log_probabilities: jax.Array, length: ArrayLike, length_penalty: ArrayLike) -> Ended:
    """Takes what stands in the beam after `length` symbols for complete hypotheses."""
    shape = log_probabilities.shape
    scores = normalise(log_probabilities, length, length_penalty)
    lengths = jnp.full(shape, length, jnp.int32)
    slots = jnp.broadcast_to(jnp.arange(shape[-1], dtype=jnp.int32), shape)
    return Ended(scores, log_probabilities, lengths, slots)


def normalise(
    log_probabilities: jax.Array, length: ArrayLike, length_penalty: ArrayLike
) -> jax.Array:
    """The score of a hypothesis Y of n symbols.

        s(Y) = log p(Y) / ((5 + n) / 6)^α

    Source: Wu et al. 2016, "Google's neural machine translation system", arXiv:1609.08144,
    equation 14, without the coverage penalty.

    Args:
      log_probabilities: log p(Y), nats.
      length: n.
      length_penalty: α; 0 changes nothing.
    """
    dtype = log_probabilities.dtype
    base = (5 + jnp.asarray(length, dtype)) / 6
    return log_probabilities / base ** jnp.asarray(length_penalty, dtype)


def best(first: Ended, second: Ended) -> Ended:
    """The best W of both; of equals the one in `first` stays."""
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=-1), first, second)
    _, index = jax.lax.top_k(both.scores, first.scores.shape[-1])
    return jax.tree.map(lambda leaf: jnp.take_along_axis(leaf, index, axis=-1), both)


def trace_back(
    ended: Ended, parents: jax.Array, symbols: jax.Array, padding: int | jax.Array
) -> jax.Array:
    """Reads the symbols of hypotheses off the beam, from the last one back to the first.

    Args:
      ended: the hypotheses, `[*B, W]`.
      parents: the place at t - 1 from which the one at t was reached, `[N, *B, W]`.
      symbols: the symbol written there, `[N, *B, W]`.
      padding: what to put behind the last symbol.

    Returns:
      `[N, *B, W]`.
    """

    def body(slots: jax.Array, inputs: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        t, parents, symbols = inputs
        written = t < ended.lengths
        found = jnp.where(written, jnp.take_along_axis(symbols, slots, axis=-1), padding)
        before = jnp.take_along_axis(parents, slots, axis=-1)
        return jnp.where(written, before, slots), found.astype(symbols.dtype)

    times = jnp.arange(symbols.shape[0])
    return jax.lax.scan(body, ended.slots, (times, parents, symbols), reverse=True)[1]
