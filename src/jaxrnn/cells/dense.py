"""A dense cell: the step of any recurrent unit that is one matmul and pointwise mathematics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import Cell, DenseParts, PointwiseVJP
from jaxrnn.cells.rules import (
    Zeros,
    as_input,
    cast,
    cast_like,
    recurrent_product,
    starts_from,
)


def dense(
    parts: DenseParts,
    *,
    init: Callable[[jax.Array], Any],
    in_size: int,
    out_size: int,
    zeros: Zeros | None = None,
    dtype: Any = None,
) -> Cell:
    """Makes a Cell from the parts of a recurrent unit.

    The dtype rules of every dense cell are here and nowhere else: the matmuls run in `dtype`, or in
    the dtype of the input where that is None, and the output has that dtype; the carry keeps the
    dtype it came in with, and the pointwise part runs in the wider of the two, so a bfloat16 run
    keeps a float32 state by being handed one.

    Args:
      parts: the unit, see `DenseParts`.
      init: `init(key) -> params`.
      in_size: D.
      out_size: H, the size of the output.
      zeros: `zeros(batch_shape, dtype) -> carry`, the state before the first step; None where the
        carry is the output, one array `[*B, H]`.
      dtype: dtype of the computation; None for that of the input.

    Returns:
      A `Cell` with its `dense` field set.
    """

    def project(params: Any, x: jax.Array) -> jax.Array:
        compute = x.dtype if dtype is None else jnp.dtype(dtype)
        return parts.project(cast(params, compute), x.astype(compute))

    def pointwise(params: Any, carry: Any, z: jax.Array, r: jax.Array) -> tuple[Any, jax.Array]:
        after, y = parts.pointwise(cast(params, z.dtype), carry, z, r)
        return cast_like(after, carry), y.astype(z.dtype)

    def step(params: Any, carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        x = as_input(x, (in_size,))
        z = project(params, x)
        r = recurrent_product(parts.hidden(carry), parts.recurrent_kernel(params), z.dtype)
        return pointwise(params, carry, z, r)

    ruled = parts._replace(project=project, pointwise=pointwise)
    if parts.pointwise_vjp is not None:
        ruled = ruled._replace(pointwise_vjp=_ruled_vjp(parts.pointwise_vjp))
    initial_carry = starts_from(zeros, (out_size,))
    return Cell(init, initial_carry, step, (in_size,), (out_size,), dense=ruled)


def _ruled_vjp(written: PointwiseVJP) -> PointwiseVJP:
    """The dtype rules of `dense` for a derivative written by hand."""

    def forward(params: Any, carry: Any, z: jax.Array, r: jax.Array) -> tuple[Any, jax.Array, Any]:
        after, y, saved = written.forward(cast(params, z.dtype), carry, z, r)
        return cast_like(after, carry), y.astype(z.dtype), saved

    def backward(
        params: Any, saved: Any, carry: Any, d_carry: Any, d_y: jax.Array
    ) -> tuple[Any, jax.Array, jax.Array]:
        params = cast(params, d_y.dtype)
        d_before, d_z, d_r = written.backward(params, saved, carry, d_carry, d_y)
        return cast_like(d_before, carry), d_z, d_r

    return PointwiseVJP(forward, backward, written.parameters)
