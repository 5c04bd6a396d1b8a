"""The states that a network goes through, as arrays: all of them, flat, and in two dimensions."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import Cell, StepFn
from jaxrnn.cells.checks import require
from jaxrnn.recurrence import unroll


def step_of(cell: Cell | StepFn) -> StepFn:
    """The step function of a cell, or the function itself."""
    return cell.step if isinstance(cell, Cell) else cell


def checked(cell: Cell | StepFn, params: Any, carry: Any, xs: Any) -> tuple[Any, Any]:
    """Carry and inputs as arrays; raises ValueError, as `unroll` does, if they do not fit."""
    carry, xs = jax.tree.map(jnp.asarray, (carry, xs))
    jax.eval_shape(partial(unroll, cell), params, carry, xs)
    return carry, xs


def states(cell: Cell | StepFn, params: Any, carry: Any, xs: Any) -> tuple[Any, Any]:
    """Runs a cell and keeps every state.

        s_0 = carry;   s_t, y_t = cell.step(params, s_{t-1}, x_t)      for t = 1 .. T

    Args:
      cell: a `Cell`, or any function `step(params, carry, x) -> (carry, y)`.
      params: its parameters.
      carry: state before the first step, leaves `[*B, ...]`.
      xs: inputs `[T, *B, D]`.

    Returns:
      The states, a pytree like `carry` with leaves `[T+1, *B, ...]`, and the outputs `[T, *B, H]`.

    Raises:
      ValueError: if an argument does not fit, as in `unroll`.

    >>> from jaxrnn import lstm
    >>> cell = lstm(3, 5)
    >>> params, xs = cell.init(jax.random.key(0)), jnp.ones((7, 2, 3))
    >>> after, ys = states(cell, params, cell.initial_carry((2,)), xs)
    >>> after.c.shape, ys.shape
    ((8, 2, 5), (7, 2, 5))
    """
    carry, xs = checked(cell, params, carry, xs)

    def body(carry: Any, x: Any) -> tuple[Any, Any]:
        after, y = step_of(cell)(params, carry, x)
        return after, (after, y)

    _, (after, ys) = jax.lax.scan(body, carry, xs)
    return join(carry, after), ys


def join(first: Any, rest: Any) -> Any:
    """The states `[T+1, ...]` from the first one and those after each step `[T, ...]`."""
    return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, rest)


def floating_parts(tree: Any) -> list[jax.Array]:
    """The floating leaves of a state as real arrays, of a complex one both parts."""
    parts = []
    for leaf in jax.tree.leaves(tree):
        if jnp.iscomplexobj(leaf):
            parts += [leaf.real, leaf.imag]
        elif jnp.issubdtype(leaf.dtype, jnp.inexact):
            parts.append(leaf)
    return parts


def flat_states(states: Any, leading: int = 1) -> jax.Array:
    """Every state as one vector: all floating leaves of the carry side by side.

    Args:
      states: a pytree of arrays `[T+1, *B, ...]`, as `states` gives it.
      leading: how many axes to keep, time and those of the batch.

    Returns:
      `[T+1, *B, S]` with S numbers in a state; a complex number counts as two, an integer as none.

    Raises:
      ValueError: if there is no floating leaf, or `leading` is more than a leaf has axes.

    >>> flat_states({"a": jnp.ones((8, 2, 5)), "b": jnp.ones((8, 2, 3, 3))}, leading=2).shape
    (8, 2, 14)
    """
    parts = floating_parts(states)
    require(len(parts) > 0, "states", "have a floating leaf", jax.tree.map(jnp.shape, states))
    most = min(part.ndim for part in parts)
    require(0 <= leading <= most, "leading", f"lie in [0, {most}]", leading)
    rows = [part.reshape(*part.shape[:leading], math.prod(part.shape[leading:])) for part in parts]
    return jnp.concatenate(rows, axis=-1)


class Projection(NamedTuple):
    """Points on their principal axes."""

    points: jax.Array  # [..., K] coordinates along the axes, from the mean
    axes: jax.Array  # [K, S] orthonormal, the widest first
    explained: jax.Array  # [K] share of the total variance along each axis


def principal_axes(points: jax.Array, count: int = 2) -> Projection:
    """Projects points on the axes of their largest variance.

        X - mean(X) = U Σ Vᵀ;   coordinates U Σ,   axes the rows of Vᵀ

    Source: Pearson 1901, doi:10.1080/14786440109462720.

    The sign of each axis makes its largest entry positive, so the picture does not turn over
    between versions of the decomposition.

    Args:
      points: `[..., S]`; all but the last axis count as samples.
      count: K, the number of axes to keep.

    Returns:
      A `Projection`.

    Raises:
      ValueError: if `count` is not in [1, S].

    >>> line = jnp.arange(5.0)[:, None] * jnp.array([3.0, 4.0])
    >>> projection = principal_axes(line, 1)
    >>> projection.points[:, 0].round(3).tolist()
    [-10.0, -5.0, 0.0, 5.0, 10.0]
    """
    size = points.shape[-1]
    require(1 <= count <= size, "count", f"lie in [1, {size}]", count)
    rows = points.reshape(-1, size)
    _, widths, axes = jnp.linalg.svd(rows - rows.mean(0), full_matrices=False)
    largest = jnp.take_along_axis(axes, jnp.abs(axes).argmax(1)[:, None], axis=1)
    axes = (axes * jnp.where(largest < 0, -1, 1))[:count]
    centred = points - rows.mean(0)
    variance = widths**2
    share = variance[:count] / jnp.maximum(variance.sum(), jnp.finfo(variance.dtype).tiny)
    return Projection(centred @ axes.T, axes, share)
