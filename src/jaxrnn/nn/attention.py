"""Attention: a weighted mean of a memory, with weights that a query chooses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells.checks import require, require_size
from jaxrnn.nn.scores import AdditiveScore, Score
from jaxrnn.recurrence.masks import real_steps


class Memory(NamedTuple):
    """What is attended to, made ready once for all queries."""

    values: jax.Array  # [*B, S, M], zeros in the padding
    keys: jax.Array  # [*B, S, A], what the score compares a query with
    mask: jax.Array  # [*B, S], true at real positions


class Attention(nnx.Module):
    """Looks through a memory of any length for what a query asks.

        e_s = score(q, m_s);   α = softmax(e) over the real positions;   c = Σ_s α_s m_s

    Source: Bahdanau, Cho, Bengio 2015, arXiv:1409.0473; Luong, Pham, Manning 2015,
    arXiv:1508.04025 (global attention).

    The part of the score that belongs to the memory is computed by `prepare`, once; `attend` then
    takes one query or many. Padding is left out by selection, so NaN there reaches neither a value
    nor a gradient. A memory without a real position gives weights and a context of zeros.

    >>> attention = Attention(5, 4, rngs=nnx.Rngs(0))
    >>> context, weights = attention(jnp.ones((2, 5)), jnp.ones((2, 7, 4)), jnp.array([7, 2]))
    >>> context.shape, weights[1].tolist()
    ((2, 4), [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0])

    Other scores, with options of their own:

    >>> from functools import partial
    >>> score = partial(AdditiveScore, size=16)
    >>> context, weights = Attention(5, 4, score=score, rngs=nnx.Rngs(0))(
    ...     jnp.ones((2, 3, 5)), jnp.ones((2, 7, 4))
    ... )
    >>> context.shape, weights.shape
    ((2, 3, 4), (2, 3, 7))
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        *,
        rngs: nnx.Rngs,
        score: Callable[..., Score] = AdditiveScore,
    ):
        """Draws the parameters of the score.

        Args:
          query_size: H.
          memory_size: M.
          rngs: its `params` stream gives the keys.
          score: makes the score, `score(query_size, memory_size, rngs=rngs)`: `AdditiveScore`,
            `DotScore`, `GeneralScore`, `LocationScore`.

        Raises:
          ValueError: if a size is not positive, or the score cannot compare such vectors.
        """
        require_size("query_size", query_size)
        require_size("memory_size", memory_size)
        self.query_size = query_size
        self.memory_size = memory_size
        self.score: Score = score(query_size, memory_size, rngs=rngs)

    def __call__(
        self, queries: jax.Array, memory: jax.Array, lengths: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """`attend` to what `prepare` makes of a memory; arguments and errors as there."""
        return self.attend(queries, self.prepare(memory, lengths))

    def prepare(self, memory: jax.Array, lengths: jax.Array | None = None) -> Memory:
        """Computes all that does not depend on a query.

        Args:
          memory: vectors to attend to, `[*B, S, M]`.
          lengths: real positions of each memory, integers `[*B]`; None if all S are.

        Raises:
          ValueError: if a shape does not fit.
        """
        memory = jnp.asarray(memory)
        fits = memory.ndim >= 2 and memory.shape[-1] == self.memory_size
        require(fits, "memory", f"have the shape [*B, S, {self.memory_size}]", memory.shape)
        _, mask = real_steps(lengths, memory.shape[:-2], memory.shape[-2])
        memory = jnp.where(mask[..., None], memory, jnp.zeros((), memory.dtype))
        return Memory(memory, self.score.keys(memory), mask)

    def attend(
        self, queries: jax.Array, memory: Memory, previous: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Reads from a memory.

        Args:
          queries: one for each memory, `[*B, H]`, or many, `[*B, *N, H]`: time steps, the
            hypotheses of a beam. The memory is not copied for them.
          memory: from `prepare`.
          previous: the weights of the step before, `[*B, *N, S]`, for a score that looks at them
            (`score.looks_back`); None means zeros.

        Returns:
          Contexts `[*B, *N, M]` and weights `[*B, *N, S]`, which sum to 1, or to 0 if the memory
          is empty.

        Raises:
          ValueError: if the shape of the queries does not fit.
        """
        queries = jnp.asarray(queries)
        *batch_shape, size = memory.mask.shape
        axes = len(batch_shape)
        fits = queries.ndim > axes and queries.shape[-1] == self.query_size
        fits = fits and list(queries.shape[:axes]) == batch_shape
        rule = f"have the shape [{''.join(f'{n}, ' for n in batch_shape)}*N, {self.query_size}]"
        require(fits, "queries", rule, queries.shape)
        shape = queries.shape[axes:-1]
        count = math.prod(shape)  # and not -1, which says nothing where a size is 0
        rows = queries.reshape(*batch_shape, count, self.query_size)
        if previous is not None:
            previous = previous.reshape(*batch_shape, count, size)
        scores = self.score(rows, memory.keys, previous)
        weights = masked_softmax(scores, memory.mask[..., None, :])
        contexts = weights.astype(memory.values.dtype) @ memory.values
        return (
            contexts.reshape(*batch_shape, *shape, self.memory_size),
            weights.reshape(*batch_shape, *shape, size),
        )


def masked_softmax(scores: jax.Array, mask: jax.Array) -> jax.Array:
    """Softmax over the last axis, of the positions where the mask is true; zero at the others.

        α_s = exp(e_s) / Σ_r exp(e_r)      s and r where the mask is true

    Args:
      scores: `[..., S]`; they may hold anything where the mask is false.
      mask: of a shape that is broadcast to that of the scores.

    Returns:
      Weights `[..., S]`, at least float32; all zero where no position is real.

    >>> masked_softmax(jnp.array([1.0, 1.0, jnp.nan]), jnp.array([True, True, False])).tolist()
    [0.5, 0.5, 0.0]
    """
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    largest = jnp.max(scores, axis=-1, keepdims=True, initial=-jnp.inf, where=mask)
    some = jnp.any(mask, axis=-1, keepdims=True)
    shift = jax.lax.stop_gradient(jnp.where(some, largest, 0))
    powers = jnp.where(mask, jnp.exp(jnp.where(mask, scores, shift) - shift), 0)
    total = jnp.sum(powers, axis=-1, keepdims=True)
    return powers / jnp.where(some, total, 1)
