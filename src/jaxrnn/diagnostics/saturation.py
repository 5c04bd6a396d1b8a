"""How much of its time a gate spends shut or open."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import Cell
from jaxrnn.cells.checks import require
from jaxrnn.cells.rules import recurrent_product
from jaxrnn.diagnostics.trajectory import states


class Saturation(NamedTuple):
    """Share of time and sequences in which each unit is at an end of its range."""

    left: jax.Array  # [..., H] below the lower bound
    right: jax.Array  # [..., H] above the upper bound


def preactivations(cell: Cell, params: Any, carry: Any, xs: jax.Array) -> jax.Array:
    """What goes into the gates of a dense cell, one row for each gate.

        a_t = project(params, x_t) + hidden(s_{t-1}) @ recurrent_kernel(params)

    These are the arguments of σ and tanh in every gate whose two products are added: all four of
    an LSTM, r and z of a GRU (not its candidate, whose second product goes through r first), the
    one of an Elman network. A layer of a stack is asked for by itself, with the outputs of the
    layer below as `xs`.

    Args:
      cell: a dense `Cell`.
      params: its parameters.
      carry: state before the first step, leaves `[*B, ...]`.
      xs: inputs `[T, *B, D]`.

    Returns:
      `[G / H, T, *B, H]`, the gates in the order of the cell.

    Raises:
      ValueError: if the cell is not dense, or its gates are not all as wide as its output.

    >>> from jaxrnn import lstm
    >>> cell = lstm(3, 5)
    >>> params, xs = cell.init(jax.random.key(0)), jnp.ones((7, 2, 3))
    >>> i, f, g, o = preactivations(cell, params, cell.initial_carry((2,)), xs)
    >>> f.shape
    (7, 2, 5)
    """
    parts = cell.dense
    require(parts is not None, "cell", "be dense (of a stack, give a layer)", cell)
    assert parts is not None
    all_states, ys = states(cell, params, carry, xs)
    before = jax.tree.map(lambda leaf: leaf[:-1], all_states)
    z = parts.project(params, jnp.asarray(xs))
    r = recurrent_product(parts.hidden(before), parts.recurrent_kernel(params), z.dtype)
    fits = z.shape == r.shape and z.shape[-1] % ys.shape[-1] == 0
    require(fits, "cell", "have gates of the size of its output", cell)
    return jnp.stack(jnp.split(z + r, z.shape[-1] // ys.shape[-1], axis=-1))


def saturation(activations: Any, low: float = 0.1, high: float = 0.9) -> Saturation:
    """Shares of time that each unit spends saturated on either side.

        left = mean over t and b of [a < low],   right = the same of [a > high]

    Source: Karpathy, Johnson, Fei-Fei 2015, arXiv:1506.02078, section 4.2, with the bounds 0.1 and
    0.9 for gates. For units between -1 and 1 choose others, such as -0.9 and 0.9.

    Args:
      activations: `[T, *B, H]`, such as `jax.nn.sigmoid(preactivations(...))[1]`.
      low: below it a unit is left-saturated.
      high: above it a unit is right-saturated.

    Returns:
      A `Saturation` of two arrays `[H]`.

    Raises:
      ValueError: if `low` is above `high`, or there is no step.

    >>> left, right = saturation(jnp.array([[0.05, 0.5], [0.95, 0.5]]))
    >>> left.tolist(), right.tolist()
    ([0.5, 0.0], [0.5, 0.0])
    """
    require(low <= high, "low", f"be at most `high`, {high}", low)
    activations = jnp.asarray(activations)
    fits = activations.ndim > 0 and activations.size > 0
    require(fits, "activations", "hold at least one step, [T, *B, H]", activations.shape)
    samples = tuple(range(activations.ndim - 1))
    return Saturation((activations < low).mean(samples), (activations > high).mean(samples))
