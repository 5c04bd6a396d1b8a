"""A loss at those positions alone that need it, in blocks, with shapes that do not depend on them.

Which positions belong is known only when the program runs, so a loop runs as many blocks as there
are members for: its time follows their number, and its memory is that of one block.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

# `nats_of(weights, hs [K, H], targets [K]) -> nats [K]`, each position by itself.
NatsOf = Callable[[Any, jax.Array, jax.Array], jax.Array]


def nats_of_members(
    nats_of: NatsOf,
    weights: Any,
    hs: jax.Array,
    targets: jax.Array,
    member: jax.Array,
    *,
    block_size: int,
) -> jax.Array:
    """Computes `nats_of` at members, in blocks of K of them; other positions get zero.

    It has a reverse-mode derivative, which runs each block again, and no forward-mode one, because
    a loop of unknown length keeps nothing.

    Args:
      nats_of: a function without closed-over arrays.
      weights: what it needs, a pytree; gets a gradient.
      hs: hidden vectors `[N, H]`.
      targets: integers `[N]`.
      member: which positions are computed, `[N]`.
      block_size: K.

    Returns:
      Nats `[N]`.
    """
    positions = len(targets)
    if positions == 0:
        return nats_of(weights, hs, targets)
    block = min(block_size, positions)
    order = jnp.argsort(~member, stable=True)
    order = jnp.pad(order, (0, -positions % block), mode="edge")
    count = jnp.sum(member)
    real = jnp.arange(len(order)) < count
    hs = jnp.where(real[:, None], hs[order], jnp.zeros((), hs.dtype))
    targets = jnp.where(real, targets[order], 0)
    nats: Any = _blocks(nats_of, block, weights, hs, targets, -(-count // block))
    nats = jnp.where(real, nats, jnp.zeros((), nats.dtype))
    return jnp.zeros(positions, nats.dtype).at[order].add(nats)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _blocks(
    nats_of: NatsOf, block: int, weights: Any, hs: jax.Array, targets: jax.Array, blocks: jax.Array
) -> jax.Array:
    """The nats `[N]` of the first `blocks` blocks; zero after them."""

    def body(index: jax.Array, nats: jax.Array) -> jax.Array:
        start = index * block
        part = nats_of(weights, _part(hs, start, block), _part(targets, start, block))
        return jax.lax.dynamic_update_slice_in_dim(nats, part, start, axis=0)

    shape = jax.eval_shape(nats_of, weights, hs, targets)
    return jax.lax.fori_loop(0, blocks, body, jnp.zeros(shape.shape, shape.dtype))


def _forward(nats_of: NatsOf, block: int, *arguments: Any) -> tuple[jax.Array, Any]:
    return _blocks(nats_of, block, *arguments), arguments


def _backward(nats_of: NatsOf, block: int, arguments: Any, cotangent: jax.Array) -> Any:
    weights, hs, targets, blocks = arguments

    def body(index: jax.Array, grads: Any) -> Any:
        d_weights, d_hs = grads
        start = index * block
        symbols = _part(targets, start, block)
        of_part = lambda weights, hs: nats_of(weights, hs, symbols)
        _, pull_back = jax.vjp(of_part, weights, _part(hs, start, block))
        more, d_part = pull_back(_part(cotangent, start, block))
        d_weights = jax.tree.map(jnp.add, d_weights, more)
        return d_weights, jax.lax.dynamic_update_slice_in_dim(d_hs, d_part, start, axis=0)

    zeros = jax.tree.map(jnp.zeros_like, (weights, hs))
    return *jax.lax.fori_loop(0, blocks, body, zeros), None, None


_blocks.defvjp(_forward, _backward)


def _part(array: jax.Array, start: jax.Array, block: int) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(array, start, block)
