"""Several networks that differ in their random keys, trained side by side in one program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxrnn.cells.checks import require, require_size
from jaxrnn.train.state import TrainState, init_state
from jaxrnn.train.tbptt import Metrics, Update


def init_ensemble(
    init: Callable[[jax.Array], Any],
    optimizer: optax.GradientTransformation,
    carry: Any,
    key: jax.Array,
    *,
    members: int,
) -> TrainState:
    """Makes the state of K networks before the first update.

    Member k is what `init_state(init(a), optimizer, carry, b)` makes with the keys
    `a, b = split(fold_in(key, k))`.

    Args:
      init: `init(key) -> params`, with the same shapes for every key.
      optimizer: the optax chain that will be used.
      carry: the state of the streams before the first segment, leaves `[B, ...]`.
      key: random key; consumed by the run.
      members: K.

    Returns:
      A `TrainState` whose leaves have a leading axis K, but for `step`, which all members share.

    Raises:
      ValueError: if `members` is not a positive integer.
    """
    require_size("members", members)
    states = []
    for k in range(members):
        init_key, run_key = jax.random.split(jax.random.fold_in(key, k))
        states.append(init_state(init(init_key), optimizer, carry, run_key))
    stacked: TrainState = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    return stacked._replace(step=states[0].step)


def ensemble_update(update: Update) -> Update:
    """An update of all members of an ensemble on the same data, by `jax.vmap`.

    Every member is trained as it would be alone, in one program and one pass over the data. `fit`
    takes it as it is, with `jaxrnn.models.ensemble` for its checks; its tokens per second are those
    of all members together.

    Source: Zaremba, Sutskever, Vinyals 2014, arXiv:1409.2329, section 4.1 (model averaging).

    Args:
      update: from `tbptt_step` or `tbptt_scan`, without a mesh.

    Returns:
      `update(state, segments) -> (state, metrics)` for a state of `init_ensemble`, and metrics with
      an axis K at the end: `[K]`, from `tbptt_scan` `[S, K]`. It donates `state`: use the one it
      returns.

    Raises:
      ValueError: if the state is not of an ensemble.
    """
    axes = TrainState(0, 0, 0, None, 0)  # type: ignore[arg-type]
    every = jax.vmap(update, in_axes=(axes, None), out_axes=(axes, -1))
    compiled = jax.jit(every, donate_argnums=0)

    def checked(state: TrainState, segments: Any) -> tuple[TrainState, Metrics]:
        require(state.key.ndim == 1, "state", "be from init_ensemble, with K keys", state.key.shape)
        return compiled(state, segments)

    return checked
