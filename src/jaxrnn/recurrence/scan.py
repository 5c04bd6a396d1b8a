"""The plain `lax.scan` over a step: what correct means, and every JAX transformation works."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import DenseParts, StepFn
from jaxrnn.cells.rules import recurrent_product
from jaxrnn.recurrence.masks import select


def scan(
    step: StepFn,
    params: Any,
    carry: Any,
    xs: Any,
    start_carry: Any,
    valid: jax.Array | None,
    starts: jax.Array | None,
    reverse: bool,
) -> tuple[Any, Any]:
    """Runs `step` over the leading axis of `xs`.

    Args:
      step: `step(params, carry, x) -> (carry, y)`.
      params: parameters of the step.
      carry: state before the first step that runs, leaves `[*B, ...]`.
      xs: inputs, leaves `[T, *B, ...]`.
      start_carry: state at a start, leaves `[*B, ...]`; None without `starts`.
      valid: `[T, *B]`; where false the carry freezes and the output is zero. None: all are.
      starts: `[T, *B]`; where true the carry becomes `start_carry` before the step. None: nowhere.
      reverse: run from the last step to the first.

    Returns:
      The carry after the last step that ran, and the outputs `[T, *B, ...]` in the input's order.
    """

    def body(carry: Any, inputs: tuple[Any, Any, Any]) -> tuple[Any, Any]:
        x, real, start = inputs
        before = carry
        if start is not None:
            before = jax.tree.map(partial(select, start), start_carry, before)
        if real is not None:
            x = jax.tree.map(lambda leaf: select(real, leaf, jnp.zeros_like(leaf)), x)
        after, y = step(params, before, x)
        if real is not None:
            after = jax.tree.map(partial(select, real), after, carry)
            y = jax.tree.map(lambda leaf: select(real, leaf, jnp.zeros_like(leaf)), y)
        return after, y

    return jax.lax.scan(body, carry, (xs, valid, starts), reverse=reverse)


@lru_cache(maxsize=64)
def step_with_kernel(parts: DenseParts) -> StepFn:
    """The step of a dense cell for `(params, recurrent_kernel(params))` in the place of params.

    A kernel that takes some making, such as the exponential of a matrix, is made before the loop,
    and its derivative is taken once, after the backward loop.
    """

    def step(given: tuple[Any, jax.Array], carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        params, kernel = given
        z = parts.project(params, x)
        return parts.pointwise(
            params, carry, z, recurrent_product(parts.hidden(carry), kernel, z.dtype)
        )

    return step


# `lax.scan` outside `jax.jit` compiles again for every new `body`. This one compiles once for a
# step function and shapes, so a cell can be tried out at the prompt; inside `jit` it is the same.
scan_compiled = jax.jit(scan, static_argnames=("step", "reverse"), inline=True)
