"""Variational dropout on the recurrent connection."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxrnn.cells.cell import Cell, DenseParts, PointwiseVJP
from jaxrnn.cells.noise import (
    Masks,
    around,
    dense_like,
    dense_parts,
    require_rate,
    with_noise,
)


class _Dropped(NamedTuple):
    """A carry beside the mask for what is read from it."""

    carry: Any
    scale: jax.Array  # [*B, H]: 0, or 1 / (1 - rate)


def recurrent_dropout(cell: Cell, rate: float) -> Cell:
    """Hides a part of the state from the recurrent product, the same part at every step.

        r_t = (m ⊙ h_{t-1} / (1 - rate)) W_h,   m ~ Bernoulli(1 - rate) once for a sequence

    The state itself keeps all, so nothing is forgotten for good; a fresh mask at every step would
    erase memory exponentially. Without a key nothing is dropped.

    Source: Gal, Ghahramani 2016, arXiv:1512.05287, with one mask for all gates.

    Args:
      cell: a dense cell.
      rate: probability of a zero, in [0, 1).

    Returns:
      A `Cell` with the params and the carry of `cell`, random where `unroll` is given a `key`.

    Raises:
      ValueError: if the rate is no probability, or the cell is not dense.

    >>> from jaxrnn.cells.lstm import lstm
    >>> recurrent_dropout(lstm(3, 5), 0.25).out_shape
    (5,)
    """
    require_rate("rate", rate)
    quiet, parts = dense_parts(cell)
    # The mask travels in the carry, where `hidden` can reach it.
    active = dense_like(cell, _through_mask(parts))

    def draw(key: jax.Array, length: int, batch_shape: tuple[int, ...]) -> Masks:
        del length
        hidden = jax.eval_shape(lambda: quiet.hidden(cell.initial_carry(batch_shape)))
        return Masks(fixed=jax.random.bernoulli(key, 1 - rate, hidden.shape))

    def enter(params: Any, carry: Any, xs: jax.Array, masks: Masks) -> tuple[Any, Any, jax.Array]:
        like = parts.hidden(carry).dtype
        return params, _Dropped(carry, masks.fixed.astype(like) / (1 - rate)), xs

    leave = lambda carry, ys: (carry.carry, ys)
    return with_noise(cell, around(cell, active, draw=draw, enter=enter, leave=leave))


def _through_mask(parts: DenseParts) -> DenseParts:
    """The parts of a cell whose carry is `_Dropped`."""

    def pointwise(params: Any, carry: _Dropped, z: Any, r: Any) -> tuple[_Dropped, jax.Array]:
        after, y = parts.pointwise(params, carry.carry, z, r)
        return _Dropped(after, carry.scale), y

    masked = parts._replace(
        hidden=lambda carry: parts.hidden(carry.carry) * carry.scale, pointwise=pointwise
    )
    if parts.pointwise_vjp is None:
        return masked
    return masked._replace(pointwise_vjp=_vjp_through_mask(parts.pointwise_vjp))


def _vjp_through_mask(written: PointwiseVJP) -> PointwiseVJP:
    """The derivative of a cell, written by hand, for a carry that is `_Dropped`."""

    def forward(params: Any, carry: _Dropped, z: Any, r: Any) -> tuple[_Dropped, jax.Array, Any]:
        after, y, saved = written.forward(params, carry.carry, z, r)
        return _Dropped(after, carry.scale), y, saved

    def backward(
        params: Any, saved: Any, carry: _Dropped, d_carry: _Dropped, d_y: jax.Array
    ) -> tuple[_Dropped, jax.Array, jax.Array]:
        d_before, d_z, d_r = written.backward(params, saved, carry.carry, d_carry.carry, d_y)
        return _Dropped(d_before, d_carry.scale), d_z, d_r

    def parameters(params: Any, carry: _Dropped, d_z: jax.Array, d_r: jax.Array) -> Any:
        assert written.parameters is not None
        return written.parameters(params, carry.carry, d_z, d_r)

    return PointwiseVJP(forward, backward, parameters if written.parameters else None)
