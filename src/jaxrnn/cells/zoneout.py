"""Zoneout: units that keep their state for a step, at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import Carry, Cell, DenseParts
from jaxrnn.cells.checks import require
from jaxrnn.cells.noise import (
    Masks,
    around,
    dense_like,
    dense_parts,
    require_rate,
    with_noise,
)


def zoneout(cell: Cell, rate: float | Carry) -> Cell:
    """Lets each unit keep its old value with the probability `rate`, at each step anew.

        s_t = m_t ⊙ s_{t-1} + (1 - m_t) ⊙ s̃_t,   m_t ~ Bernoulli(rate)        with a key
        s_t = rate s_{t-1} + (1 - rate) s̃_t                                    without one

    for every leaf s of the carry, s̃ being what the cell makes of it; the output is the hidden state
    after that. What stays carries information and gradient on unchanged. Without a key the
    expectation takes the place of the coin.

    Source: Krueger et al. 2017, arXiv:1606.01305.

    Args:
      cell: a dense cell whose output is its hidden state, as for Elman, LSTM and GRU.
      rate: probability of keeping, in [0, 1); or a pytree like the carry with one for each leaf,
        such as `LSTMState(h=0.05, c=0.5)`.

    Returns:
      A `Cell` with the params and the carry of `cell`, random where `unroll` is given a `key`.

    Raises:
      ValueError: if a rate is no probability, or the cell is not of that kind.

    >>> from jaxrnn.cells.lstm import LSTMState, lstm
    >>> zoneout(lstm(3, 5), LSTMState(h=0.05, c=0.5)).out_shape
    (5,)
    """
    quiet_parts, parts = dense_parts(cell)
    alone = jax.eval_shape(cell.initial_carry)
    hidden = jax.eval_shape(quiet_parts.hidden, alone).shape
    rule = f"give its hidden state, of shape {hidden}, as its output"
    require(hidden == cell.out_shape, "cell", rule, cell.out_shape)
    vectors = all(len(leaf.shape) == 1 for leaf in jax.tree.leaves(alone))
    require(vectors, "cell", "carry vectors and nothing else", repr(cell))
    rates = _rates(rate, alone)
    quiet = dense_like(cell, _mixed(quiet_parts, rates))._replace(initial_carry=cell.initial_carry)
    leaves, structure = jax.tree.flatten(alone)
    widths = tuple(leaf.shape[-1] for leaf in leaves)
    output = lambda leaves: quiet_parts.hidden(jax.tree.unflatten(structure, leaves))
    active = dense_like(cell, _zoned(parts, widths, output), more_inputs=sum(widths))

    def draw(key: jax.Array, length: int, batch_shape: tuple[int, ...]) -> Masks:
        keys = jax.random.split(key, len(leaves))
        given = zip(keys, jax.tree.leaves(rates), leaves, strict=True)
        shape = (length, *batch_shape)
        drawn = [jax.random.bernoulli(k, p, (*shape, *leaf.shape)) for k, p, leaf in given]
        return Masks(steps=jax.tree.unflatten(structure, drawn))

    def enter(params: Any, carry: Any, xs: jax.Array, masks: Masks) -> tuple[Any, Any, jax.Array]:
        # The masks travel beside the inputs, through `project`, to where the state is made.
        kept = [mask.astype(xs.dtype) for mask in jax.tree.leaves(masks.steps)]
        return params, carry, jnp.concatenate([xs, *kept], axis=-1)

    leave = lambda carry, ys: (carry, ys)
    return with_noise(quiet, around(cell, active, draw=draw, enter=enter, leave=leave))


def _rates(rate: Any, alone: Carry) -> Carry:
    """A rate for each leaf of the carry."""
    structure = jax.tree.structure(alone)
    if jax.tree.structure(rate) != structure:
        leaf = jax.tree.structure(rate).num_leaves == 1 and not isinstance(rate, tuple | dict)
        require(leaf, "rate", f"be a number, or have the structure {structure}", rate)
        rate = jax.tree.map(lambda _: rate, alone)
    for one in jax.tree.leaves(rate):
        require_rate("rate", one)
    return rate


def _mixed(parts: DenseParts, rates: Carry) -> DenseParts:
    """The parts of a cell whose state moves only a part of the way, as on average."""

    def pointwise(params: Any, carry: Carry, z: jax.Array, r: jax.Array) -> tuple[Carry, jax.Array]:
        after, _ = parts.pointwise(params, carry, z, r)
        mix = lambda p, old, new: p * old + (1 - p) * new
        after = jax.tree.map(mix, rates, carry, after)
        return after, parts.hidden(after)

    return parts._replace(pointwise=pointwise, pointwise_vjp=None)


def _zoned(
    parts: DenseParts, widths: tuple[int, ...], output: Callable[[list[jax.Array]], jax.Array]
) -> DenseParts:
    """The parts of a cell for inputs that end in a mask for each leaf, 1 where it stays.

    The leaves of the cell's own carry have these widths and give the output. What another
    combinator has put into the carry comes after them and is left alone.
    """
    width = sum(widths)

    def project(params: Any, x: jax.Array) -> jax.Array:
        z = parts.project(params, x[..., :-width])
        return jnp.concatenate([z, x[..., -width:].astype(z.dtype)], axis=-1)

    def pointwise(params: Any, carry: Carry, z: jax.Array, r: jax.Array) -> tuple[Carry, jax.Array]:
        z, kept = z[..., :-width], z[..., -width:]
        after, _ = parts.pointwise(params, carry, z, r)
        old, (new, structure) = jax.tree.leaves(carry), jax.tree.flatten(after)
        at = 0
        for n, size in enumerate(widths):
            new[n] = jnp.where(kept[..., at : at + size] > 0.5, old[n], new[n])
            at += size
        return jax.tree.unflatten(structure, new), output(new[: len(widths)])

    return DenseParts(project, parts.hidden, parts.recurrent_kernel, pointwise)
