"""Truncated backpropagation through time as one compiled update."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxrnn.cells.checks import require
from jaxrnn.train.state import TrainState

LossFn = Callable[..., tuple[jax.Array, jax.Array, Any]]
Schedule = Callable[[Any], Any]  # updates so far -> scalar, as in optax


class Metrics(NamedTuple):
    """What an update reports; with a leading axis S from `tbptt_scan`."""

    loss: jax.Array  # [] mean nats per real token, before the update
    tokens: jax.Array  # [] real tokens in the segment
    grad_norm: jax.Array  # [] global norm of the gradient, before any clipping


Update = Callable[[TrainState, Any], tuple[TrainState, Metrics]]


def tbptt_step(
    loss_fn: LossFn,
    optimizer: optax.GradientTransformation,
    *,
    mesh: Mesh | None = None,
    schedule: Schedule | None = None,
) -> Update:
    """Compiles one update over one segment.

        L(θ) = Σ_t nll_t / tokens              over the T steps of the segment
        θ ← θ - optimizer(∇_θ L)               the carry that came in is a constant
        carry ← stop_gradient(carry_T)

    The gradient reaches back to the start of the segment and no further, the carry reaches back to
    the start of the stream.

    Source: Williams, Peng 1990, doi:10.1162/neco.1990.2.4.490 (BPTT(h; h') with h = h' = T).

    Args:
      loss_fn: `loss_fn(params, carry, segment, key) -> (total, tokens, carry)`: the summed loss in
        nats, the number of real tokens it sums over, and the carry after the segment.
      optimizer: for example `optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))`.
      mesh: devices over which the streams are split, a mesh of one axis, with
        `segment` leaves `[T, B, ...]`. Each device has a key of its own; loss and gradient are
        those of the whole batch. None: one device.
      schedule: `schedule(updates so far) -> value`, for a loss that changes while it is learned,
        as `scheduled_loss` does: the value is a fifth argument of `loss_fn`. None: there is none.

    Returns:
      `update(state, segment) -> (state, metrics)`, compiled once for each shape of the segment. It
      donates `state`: use the one it returns.

    Raises:
      ValueError: if the mesh has more than one axis, or its size does not divide B.
    """
    return _compiled(partial(update_once, loss_fn, optimizer, mesh, schedule), mesh)


def tbptt_scan(
    loss_fn: LossFn,
    optimizer: optax.GradientTransformation,
    *,
    mesh: Mesh | None = None,
    schedule: Schedule | None = None,
) -> Update:
    """Compiles many updates into one call: `lax.scan` of `tbptt_step` over the segments.

    Args, source and errors as for `tbptt_step`.

    Returns:
      `update(state, segments) -> (state, metrics)` for segments and metrics with a leading axis S.
      It donates `state`: use the one it returns.
    """
    one = partial(update_once, loss_fn, optimizer, mesh, schedule)
    return _compiled(lambda state, segments: jax.lax.scan(one, state, segments), mesh)


def _compiled(update: Update, mesh: Mesh | None) -> Update:
    """`jax.jit` of an update; with a mesh, for a state that may lie on any device."""
    compiled = jax.jit(update, donate_argnums=0)
    if mesh is None:
        return compiled
    require(len(mesh.axis_names) == 1, "mesh", "have one axis", mesh.axis_names)

    def placed(state: TrainState, segments: Any) -> tuple[TrainState, Metrics]:
        for leaf in jax.tree.leaves(state.carry):
            rule = f"have a size that divides the {leaf.shape[0]} streams"
            require(leaf.shape[0] % mesh.size == 0, "mesh", rule, mesh.size)
        everywhere = NamedSharding(mesh, P())
        where = jax.tree.map(lambda _: everywhere, state)
        split = jax.tree.map(lambda _: NamedSharding(mesh, P(*mesh.axis_names)), state.carry)
        return compiled(jax.device_put(state, where._replace(carry=split)), segments)

    return placed


def update_once(
    loss_fn: LossFn,
    optimizer: optax.GradientTransformation,
    mesh: Mesh | None,
    schedule: Schedule | None,
    state: TrainState,
    segment: Any,
) -> tuple[TrainState, Metrics]:
    """One update as it stands, not compiled; a key of None stays None.

    Args and returns as for `tbptt_step`.
    """
    key = None if state.key is None else jax.random.fold_in(state.key, state.step)
    carry = jax.lax.stop_gradient(state.carry)
    further = () if schedule is None else (jnp.asarray(schedule(state.step)),)
    gradient = _gradient if mesh is None else _gradient_over(mesh)
    loss, tokens, after, grads = gradient(loss_fn, state.params, carry, segment, key, further)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    after = jax.lax.stop_gradient(after)
    state = TrainState(params, opt_state, after, state.step + 1, state.key)
    return state, Metrics(loss, tokens, optax.tree.norm(grads))


def _gradient(
    loss_fn: LossFn,
    params: Any,
    carry: Any,
    segment: Any,
    key: jax.Array | None,
    further: tuple[jax.Array, ...],
    axis: str | None = None,
) -> tuple[jax.Array, jax.Array, Any, Any]:
    """The mean loss, the tokens, the carry after the segment, and the gradient.

    Loss, tokens and gradient are sums over the mesh axis `axis`, on each of whose devices this runs
    with a part of the streams. `further` is what `loss_fn` is given behind the key.
    """
    add_up = lambda tree: tree if axis is None else jax.lax.psum(tree, axis)
    if axis is not None and key is not None:
        key = jax.random.fold_in(key, jax.lax.axis_index(axis))

    def mean_loss(params: Any) -> tuple[jax.Array, tuple[jax.Array, Any]]:
        total, tokens, after = loss_fn(params, carry, segment, key, *further)
        tokens = add_up(tokens)
        return total / jnp.maximum(tokens, 1), (tokens, after)

    (loss, (tokens, after)), grads = jax.value_and_grad(mean_loss, has_aux=True)(params)
    return add_up(loss), tokens, after, add_up(grads)


def _gradient_over(mesh: Mesh) -> Callable[..., tuple[jax.Array, jax.Array, Any, Any]]:
    """`_gradient` with the streams split over a mesh; the gradients are added up once."""
    (axis,) = mesh.axis_names

    def gradient(loss_fn: LossFn, *arguments: Any) -> tuple[jax.Array, jax.Array, Any, Any]:
        # Unchecked, because then no gradient of a shared parameter is added up where it is used.
        return jax.shard_map(
            partial(_gradient, loss_fn, axis=axis),
            mesh=mesh,
            in_specs=(P(), P(axis), P(None, axis), P(), P()),
            out_specs=(P(), P(), P(axis), P()),
            check_vma=False,
        )(*arguments)

    return gradient
