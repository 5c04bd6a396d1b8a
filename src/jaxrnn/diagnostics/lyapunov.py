"""Lyapunov exponents: the mean rates at which neighbouring states part or meet."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import Cell, StepFn
from jaxrnn.cells.checks import require
from jaxrnn.diagnostics.jacobians import flat_step
from jaxrnn.diagnostics.trajectory import flat_states, states
from jaxrnn.recurrence.arguments import batch_shape


def expansion_rates(
    cell: Cell | StepFn, params: Any, carry: Any, xs: Any, count: int = 1, *, key: jax.Array
) -> jax.Array:
    """Stretch of each of `count` orthonormal directions in every step, by the QR method.

        Q_t R_t = J_t Q_{t-1};   rate_t = log |diag R_t|

    The Jacobian is never formed: a step costs `count` forward derivatives and one decomposition.

    Source: Benettin, Galgani, Giorgilli, Strelcyn 1980, "Lyapunov characteristic exponents for
    smooth dynamical systems"; for recurrent networks Vogt et al. 2020, arXiv:2006.14123.

    Args:
      cell: a `Cell`, or any function `step(params, carry, x) -> (carry, y)`.
      params: its parameters.
      carry: state before the first step, leaves `[*B, ...]`.
      xs: inputs `[T, *B, D]`.
      count: K, the number of directions, at most the size of the state.
      key: draws the first directions; consumed.

    Returns:
      `[T, *B, K]` nats per step; -inf where a direction is lost for good.

    Raises:
      ValueError: if `count` does not fit, or another argument, as in `unroll`.
    """
    all_states, _ = states(cell, params, carry, xs)
    batch = batch_shape(cell, carry)
    size = flat_states(all_states, 1 + len(batch)).shape[-1]
    require(1 <= count <= size, "count", f"lie in [1, {size}], the size of the state", count)
    before = jax.tree.map(lambda leaf: leaf[:-1], all_states)
    xs = jax.tree.map(jnp.asarray, xs)

    def push(directions: jax.Array, carry: Any, x: Any) -> jax.Array:
        step, vector = flat_step(cell, params, carry, x)
        through = lambda direction: jax.jvp(step, (vector,), (direction.astype(vector.dtype),))[1]
        return jax.vmap(through, in_axes=1, out_axes=1)(directions)

    for _ in batch:
        push = jax.vmap(push)

    def body(directions: jax.Array, inputs: Any) -> tuple[jax.Array, jax.Array]:
        stretched = push(directions, *inputs).astype(directions.dtype)
        directions, r = jnp.linalg.qr(stretched)
        return directions, jnp.log(jnp.abs(jnp.diagonal(r, axis1=-2, axis2=-1)))

    first, _ = jnp.linalg.qr(jax.random.normal(key, (*batch, size, count)))
    return jax.lax.scan(body, first, (before, xs))[1]


def lyapunov_exponents(
    cell: Cell | StepFn,
    params: Any,
    carry: Any,
    xs: Any,
    count: int = 1,
    *,
    key: jax.Array,
    skip: int = 0,
) -> jax.Array:
    """The largest Lyapunov exponents along a run: the mean of `expansion_rates` over time.

        λ_k = 1 / (T - skip) Σ_t log |(R_t)_kk|

    Above zero, close states part and gradients explode; below, states forget where they came from
    and gradients vanish.

    Args:
      cell: as in `expansion_rates`, and so are all others.
      params: its parameters.
      carry: state before the first step.
      xs: inputs `[T, *B, D]`.
      count: K.
      key: draws the first directions; consumed.
      skip: steps at the start that do not count, in which the directions find their way.

    Returns:
      `[*B, K]` nats per step, the largest first if T is long enough.

    Raises:
      ValueError: if `count` or `skip` does not fit, or another argument, as in `unroll`.

    >>> halve = lambda params, h, x: (0.5 * h + x, h)
    >>> runs = None, jnp.zeros(3), jnp.ones((20, 3))
    >>> round(float(lyapunov_exponents(halve, *runs, key=jax.random.key(0))[0]), 4)
    -0.6931
    """
    rates = expansion_rates(cell, params, carry, xs, count, key=key)
    require(0 <= skip < len(rates), "skip", f"lie in [0, T={len(rates)})", skip)
    return rates[skip:].mean(0)
