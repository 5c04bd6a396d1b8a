"""The path of gradient descent over a surface, to see what a wall in it does and what clipping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxrnn.cells import ElmanParams, elman
from jaxrnn.cells.checks import require, require_size
from jaxrnn.recurrence import unroll


class Descent(NamedTuple):
    """Where gradient descent went."""

    params: Any  # leaves [N+1, ...], the start first
    losses: jax.Array  # [N+1]
    gradient_norms: jax.Array  # [N+1] before any clipping


def descend(
    loss: Callable[[Any], jax.Array],
    params: Any,
    optimizer: optax.GradientTransformation,
    updates: int,
) -> Descent:
    """Follows an optimizer for some updates and keeps every point.

    Args:
      loss: `loss(params)`, one number.
      params: the start.
      optimizer: with and without `optax.clip_by_global_norm` in front, it shows what that does.
      updates: N.

    Returns:
      A `Descent`, N+1 points long.

    Raises:
      ValueError: if `updates` is not a positive integer.

    >>> path = descend(lambda w: w**2, jnp.array(1.0), optax.sgd(0.25), 3)
    >>> path.params.tolist()
    [1.0, 0.5, 0.25, 0.125]
    """
    require_size("updates", updates)
    params = jax.tree.map(jnp.asarray, params)

    def body(carry: Any, _: None) -> tuple[Any, Any]:
        params, opt_state = carry
        value, grads = jax.value_and_grad(loss)(params)
        steps, opt_state = optimizer.update(grads, opt_state, params)
        point = params, value, optax.tree.norm(grads)
        return (optax.apply_updates(params, steps), opt_state), point

    _, points = jax.lax.scan(body, (params, optimizer.init(params)), length=updates + 1)
    return Descent(*points)


def cliff(
    *, steps: int = 50, start: float = 0.5, target: float = 0.7
) -> Callable[[Any], jax.Array]:
    """The loss of one logistic unit that is to arrive at a value, as a function of w and b.

        h_0 = σ(start);   h_t = σ(w h_{t-1} + b);   L = (h_steps - target)²

    At some w and b the unit begins to have two stable states. A hair's breadth decides which one it
    goes to, so the surface has a wall whose slope grows exponentially with `steps`.

    Source: Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063, section 2.3.

    Args:
      steps: T.
      start: argument of σ before the first step.
      target: what the unit is to be after the last step, between 0 and 1.

    Returns:
      `loss(point [..., 2]) -> [...]`, the last axis (w, b).

    Raises:
      ValueError: if `steps` is not a positive integer or `target` not between 0 and 1.

    >>> loss = cliff(steps=1, target=0.5)
    >>> float(loss(jnp.array([0.0, 0.0])))
    0.0
    """
    require_size("steps", steps)
    require(0 < target < 1, "target", "lie between 0 and 1", target)
    cell = elman(1, 1, activation=jax.nn.sigmoid)

    def one(point: jax.Array) -> jax.Array:
        w, b = point
        params = ElmanParams(jnp.zeros((1, 1), point.dtype), w.reshape(1, 1), b.reshape(1))
        carry = jax.nn.sigmoid(jnp.full(1, start, point.dtype))
        carry, _ = unroll(cell, params, carry, jnp.zeros((steps, 1), point.dtype))
        return (carry[0] - target) ** 2

    return jnp.vectorize(one, signature="(p)->()")
