"""The gradient of a loss in every state: how much of it arrives after so many steps back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import Cell, StepFn
from jaxrnn.diagnostics.trajectory import checked, flat_states, join, step_of
from jaxrnn.recurrence.arguments import batch_shape

Loss = Callable[[Any, Any], jax.Array]  # states [T+1, *B, ...], ys [T, *B, H] -> one number


def state_gradients(cell: Cell | StepFn, params: Any, carry: Any, xs: Any, loss: Loss) -> Any:
    """Total derivative of a loss in the state after every step, exact, by one backward pass.

        s_0 = carry + ε_0;   s_t, y_t = cell.step(params, s_{t-1}, x_t),   s_t += ε_t
        result_t = dL / dε_t at ε = 0

    What step t itself puts out was there before ε_t: a loss of `ys[t - 1]`, the output of step t,
    reaches s_{t-1} and all before it. To count s_t as the textbook counts h_t, write that part of
    the loss in terms of the states, `loss=lambda states, ys: f(states[1:])`.

    Source: Bengio, Simard, Frasconi 1994, doi:10.1109/72.279181, for what it shows.

    Args:
      cell: a `Cell`, or any function `step(params, carry, x) -> (carry, y)`.
      params: its parameters.
      carry: state before the first step, leaves `[*B, ...]`.
      xs: inputs `[T, *B, D]`.
      loss: `loss(states, ys)` of all states, leaves `[T+1, *B, ...]`, and all outputs.

    Returns:
      A pytree like the states, leaves `[T+1, *B, ...]`; None in place of integer leaves.

    Raises:
      ValueError: if an argument does not fit, as in `unroll`.

    >>> halve = lambda params, h, x: (0.5 * h + x, h)
    >>> last = lambda states, ys: states[-1]
    >>> state_gradients(halve, None, jnp.zeros(()), jnp.ones(3), last).tolist()
    [0.125, 0.25, 0.5, 1.0]
    """
    carry, xs = checked(cell, params, carry, xs)
    length = jax.tree.leaves(xs)[0].shape[0]

    def perturbed(noise: Any) -> jax.Array:
        first = _add(jax.tree.map(lambda leaf: leaf[0], noise), carry)

        def body(carry: Any, inputs: Any) -> tuple[Any, Any]:
            x, noise = inputs
            after, y = step_of(cell)(params, carry, x)
            after = _add(noise, after)
            return after, (after, y)

        later = jax.tree.map(lambda leaf: leaf[1:], noise)
        _, (after, ys) = jax.lax.scan(body, first, (xs, later))
        return loss(join(first, after), ys)

    return jax.grad(perturbed)(jax.tree.map(partial(_zeros, length + 1), carry))


def gradient_norms(cell: Cell | StepFn, params: Any, carry: Any, xs: Any, loss: Loss) -> jax.Array:
    """Euclidean norm of dL / ds_t for every t, over all numbers of the state.

    Args and errors as for `state_gradients`. Gradients that a float32 cannot hold come out as 0 or
    inf; under `jax.enable_x64` the range is 10⁻³⁰⁸ to 10³⁰⁸.

    Returns:
      `[T+1, *B]`: entry t for the state after t steps.

    >>> halve = lambda params, h, x: (0.5 * h + x, h)
    >>> last = lambda states, ys: states[-1].sum()
    >>> gradient_norms(halve, None, jnp.zeros(4), jnp.ones((3, 4)), last).tolist()
    [0.25, 0.5, 1.0, 2.0]
    """
    gradients = state_gradients(cell, params, carry, xs, loss)
    leading = 1 + len(batch_shape(cell, carry))
    return safe_norm(flat_states(gradients, leading))


def safe_norm(rows: jax.Array) -> jax.Array:
    """Euclidean norm along the last axis; the squares of small or large numbers stay in range."""
    largest = jnp.max(jnp.abs(rows), axis=-1, keepdims=True)
    scale = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    return scale[..., 0] * jnp.linalg.norm(rows / scale, axis=-1)


def _zeros(length: int, leaf: jax.Array) -> jax.Array | None:
    """Zeros `[length, ...]` to be added to a leaf; None where there is nothing to differentiate."""
    if not jnp.issubdtype(leaf.dtype, jnp.inexact):
        return None
    return jnp.zeros((length, *leaf.shape), leaf.dtype)


def _add(noise: Any, carry: Any) -> Any:
    add = lambda noise, leaf: leaf if noise is None else leaf + noise
    return jax.tree.map(add, noise, carry, is_leaf=lambda leaf: leaf is None)
