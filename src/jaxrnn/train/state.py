"""What training carries from one update to the next."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class TrainState(NamedTuple):
    """Everything that the next update depends on, beside the data.

    The number of updates is also the position in the data: segment `step % S` comes next. The key
    never changes; update number `step` uses `jax.random.fold_in(key, step)`.
    """

    params: Any
    opt_state: Any
    carry: Any  # leaves [B, ...]: the state of each stream after the last segment
    step: jax.Array  # [] int32, updates so far
    key: jax.Array  # []


def init_state(
    params: Any, optimizer: optax.GradientTransformation, carry: Any, key: jax.Array
) -> TrainState:
    """Makes the state before the first update.

    Args:
      params: any pytree of arrays.
      optimizer: the optax chain that will be used; gives the optimiser's state.
      carry: the state of the streams before the first segment.
      key: random key; consumed by the run.

    Returns:
      A `TrainState` of its own buffers, because an update donates the state it is given.
    """
    state = TrainState(params, optimizer.init(params), carry, jnp.zeros((), jnp.int32), key)
    return jax.tree.map(jnp.copy, state)
