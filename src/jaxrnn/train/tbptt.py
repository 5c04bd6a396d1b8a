"""Truncated backpropagation through time as one compiled update."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxrnn.train.state import TrainState

LossFn = Callable[[Any, Any, Any, jax.Array], tuple[jax.Array, jax.Array, Any]]


class Metrics(NamedTuple):
    """What an update reports; with a leading axis S from `tbptt_scan`."""

    loss: jax.Array  # [] mean nats per real token, before the update
    tokens: jax.Array  # [] real tokens in the segment
    grad_norm: jax.Array  # [] global norm of the gradient, before any clipping


Update = Callable[[TrainState, Any], tuple[TrainState, Metrics]]


def tbptt_step(loss_fn: LossFn, optimizer: optax.GradientTransformation) -> Update:
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

    Returns:
      `update(state, segment) -> (state, metrics)`, compiled once for each shape of the segment. It
      donates `state`: use the one it returns.
    """
    return jax.jit(partial(_update, loss_fn, optimizer), donate_argnums=0)


def tbptt_scan(loss_fn: LossFn, optimizer: optax.GradientTransformation) -> Update:
    """Compiles many updates into one call: `lax.scan` of `tbptt_step` over the segments.

    Args and source as for `tbptt_step`.

    Returns:
      `update(state, segments) -> (state, metrics)` for segments and metrics with a leading axis S.
      It donates `state`: use the one it returns.
    """
    one = partial(_update, loss_fn, optimizer)
    return jax.jit(lambda state, segments: jax.lax.scan(one, state, segments), donate_argnums=0)


def _update(
    loss_fn: LossFn, optimizer: optax.GradientTransformation, state: TrainState, segment: Any
) -> tuple[TrainState, Metrics]:
    key = jax.random.fold_in(state.key, state.step)
    carry = jax.lax.stop_gradient(state.carry)

    def mean_loss(params: Any) -> tuple[jax.Array, tuple[jax.Array, Any]]:
        total, tokens, after = loss_fn(params, carry, segment, key)
        return total / jnp.maximum(tokens, 1), (tokens, after)

    (loss, (tokens, after)), grads = jax.value_and_grad(mean_loss, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    after = jax.lax.stop_gradient(after)
    state = TrainState(params, opt_state, after, state.step + 1, state.key)
    return state, Metrics(loss, tokens, optax.tree.norm(grads))
