"""A cell with a step of its own: a recurrent unit that is more than one matmul between steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import Cell, StepFn
from jaxrnn.cells.rules import Zeros, as_input, cast, cast_like, starts_from


def scanned(
    step: StepFn,
    *,
    init: Callable[[jax.Array], Any],
    in_shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    zeros: Zeros | None = None,
    dtype: Any = None,
) -> Cell:
    """Makes a Cell from a step, for a unit that cannot be taken apart as `dense` wants it.

    A unit with a second matmul that depends on the carry, with a convolution or with a multilayer
    perceptron inside has no `DenseParts`; `unroll` runs it by `jax.lax.scan`, with everything else
    (lengths, resets, reversal, stacks, remat) as for any cell.

    The dtype rules are those of `dense`. The step is handed params and x in `dtype`, or in the
    dtype of the input where that is None, and the carry as it came in; its output is cast to that
    dtype and its carry to the one it came in with. A step multiplies what it carries by
    `rules.recurrent_product(h, kernel, x.dtype)`, so that a bfloat16 run has bfloat16 matmuls and
    keeps a float32 state by being handed one.

    Args:
      step: `step(params, carry, x [*B, *in_shape]) -> (carry, y [*B, *out_shape])`, for any leading
        batch shape.
      init: `init(key) -> params`.
      in_shape: shape of one input, `(D,)` or with several axes.
      out_shape: shape of one output.
      zeros: `zeros(batch_shape, dtype) -> carry`, the state before the first step; None where the
        carry is the output, one array `[*B, *out_shape]`.
      dtype: dtype of the computation; None for that of the input.

    Returns:
      A `Cell` whose `dense` field is None.

    >>> def average(params, carry, x):
    ...     mean = 0.5 * (carry + params * x)
    ...     return mean, mean
    >>> cell = scanned(average, init=lambda key: jnp.ones(3), in_shape=(3,), out_shape=(3,))
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.tolist()
    [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
    """

    def ruled(params: Any, carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        x = as_input(x, in_shape)
        compute = x.dtype if dtype is None else jnp.dtype(dtype)
        after, y = step(cast(params, compute), carry, x.astype(compute))
        return cast_like(after, carry), y.astype(compute)

    initial_carry = starts_from(zeros, out_shape)
    return Cell(init, initial_carry, ruled, in_shape, out_shape)
