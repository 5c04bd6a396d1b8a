"""DropConnect on the recurrent kernel."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import Cell, DenseParts, PointwiseVJP
from jaxrnn.cells.noise import (
    Masks,
    around,
    dense_like,
    dense_parts,
    require_rate,
    with_noise,
)


class _Masked(NamedTuple):
    """Parameters beside the mask of their recurrent kernel."""

    params: Any
    scale: jax.Array  # [H, G]: 0, or 1 / (1 - rate)


def weight_drop(cell: Cell, rate: float) -> Cell:
    """Sets recurrent weights to zero at random, the same ones at every step and in every sequence.

        r_t = h_{t-1} (M ⊙ W_h / (1 - rate)),   M ~ Bernoulli(1 - rate) once for a call

    It costs nothing in the loop, because the kernel is masked before it. Without a key nothing is
    dropped.

    Source: Wan et al. 2013, "Regularization of neural networks using DropConnect"; Merity, Keskar,
    Socher 2017, arXiv:1708.02182 (on the recurrent kernel of an LSTM).

    Args:
      cell: a dense cell.
      rate: probability of a zero, in [0, 1).

    Returns:
      A `Cell` with the params and the carry of `cell`, random where `unroll` is given a `key`.

    Raises:
      ValueError: if the rate is no probability, or the cell is not dense.

    >>> from jaxrnn.cells.lstm import lstm
    >>> weight_drop(lstm(3, 5), 0.5).out_shape
    (5,)
    """
    require_rate("rate", rate)
    quiet, parts = dense_parts(cell)
    active = dense_like(cell, _with_mask(parts))

    def draw(key: jax.Array, length: int, batch_shape: tuple[int, ...]) -> Masks:
        del length, batch_shape
        kernel = jax.eval_shape(lambda: quiet.recurrent_kernel(cell.init(jax.random.key(0))))
        return Masks(fixed=jax.random.bernoulli(key, 1 - rate, kernel.shape))

    def enter(params: Any, carry: Any, xs: jax.Array, masks: Masks) -> tuple[Any, Any, jax.Array]:
        like = jnp.result_type(*jax.tree.leaves(params))
        return _Masked(params, masks.fixed.astype(like) / (1 - rate)), carry, xs

    leave = lambda carry, ys: (carry, ys)
    return with_noise(cell, around(cell, active, draw=draw, enter=enter, leave=leave))


def _with_mask(parts: DenseParts) -> DenseParts:
    """The parts of a cell whose parameters are `_Masked`."""

    def pointwise(params: _Masked, carry: Any, z: Any, r: Any) -> tuple[Any, jax.Array]:
        return parts.pointwise(params.params, carry, z, r)

    masked = parts._replace(
        project=lambda params, x: parts.project(params.params, x),
        recurrent_kernel=lambda params: parts.recurrent_kernel(params.params) * params.scale,
        pointwise=pointwise,
    )
    if parts.pointwise_vjp is None:
        return masked
    return masked._replace(pointwise_vjp=_vjp_with_mask(parts.pointwise_vjp))


def _vjp_with_mask(written: PointwiseVJP) -> PointwiseVJP:
    """The derivative of a cell, written by hand, for parameters that are `_Masked`."""

    def forward(params: _Masked, carry: Any, z: Any, r: Any) -> tuple[Any, jax.Array, Any]:
        return written.forward(params.params, carry, z, r)

    def backward(
        params: _Masked, saved: Any, carry: Any, d_carry: Any, d_y: jax.Array
    ) -> tuple[Any, jax.Array, jax.Array]:
        return written.backward(params.params, saved, carry, d_carry, d_y)

    def parameters(params: _Masked, carry: Any, d_z: jax.Array, d_r: jax.Array) -> _Masked:
        assert written.parameters is not None
        inside = written.parameters(params.params, carry, d_z, d_r)
        return _Masked(inside, jnp.zeros_like(params.scale))

    return PointwiseVJP(forward, backward, parameters if written.parameters else None)
