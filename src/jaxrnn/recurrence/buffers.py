"""Arrays over time that a loop fills in place, slot by slot.

XLA keeps one buffer for such an array as long as every read of it comes before the next write or is
made from what that write returned. Stacked outputs of nested scans are copied once for each level;
these are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.recurrence.shares import Share


def read(buffers: Any, t: Any, share: Share | None = None) -> Any:
    """Slot `t` of every array of a pytree, or of it the sequences of one share."""

    def slot(leaf: jax.Array) -> jax.Array:
        if share is None or leaf.ndim == 1:
            return _slice(leaf, [t], (1, *leaf.shape[1:]))[0]
        return _slice(leaf, [t, share[0]], (1, share[1], *leaf.shape[2:]))[0]

    return jax.tree.map(slot, buffers)


def read_gates(gates: int, zs: jax.Array, t: Any) -> jax.Array:
    """Slot `t` of `zs [K, *B, G]`, read gate by gate.

    The slices that a cell takes of the result are those that were put together here, and XLA
    cancels the two: each gate is then read where it is used. A slice of a slot is not vectorised.
    """
    if gates == 1:
        return read(zs, t)
    size = zs.shape[-1] // gates
    middle = [0] * (zs.ndim - 2)
    shape = (1, *zs.shape[1:-1], size)
    pieces = [_slice(zs, [t, *middle, gate * size], shape)[0] for gate in range(gates)]
    return jnp.concatenate(pieces, axis=-1)


def write(buffers: Any, values: Any, t: Any) -> Any:
    """The arrays of a pytree with slot `t` replaced."""

    def put(leaf: jax.Array, value: jax.Array) -> jax.Array:
        at = _indices([t], leaf.ndim)
        return jax.lax.dynamic_update_slice(leaf, value[None], at, allow_negative_indices=False)

    return jax.tree.map(put, buffers, values)


def corner(leaf: jax.Array, t: Any = 0) -> jax.Array:
    """The first number in slot `t` of an array."""
    return _slice(leaf, [t] if leaf.ndim else [], (1,) * leaf.ndim).reshape(())


def _slice(leaf: jax.Array, start: list[Any], shape: tuple[int, ...]) -> jax.Array:
    at = _indices(start, leaf.ndim)
    return jax.lax.dynamic_slice(leaf, at, shape, allow_negative_indices=False)


def _indices(start: list[Any], count: int) -> list[jax.Array]:
    """As many indices as an array has axes, all of one dtype."""
    return [jnp.asarray(i, jnp.int32) for i in (*start, *(0,) * (count - len(start)))]


def slice_time(tree: Any, start: Any, steps: int, share: Share | None = None) -> Any:
    """The slots `start .. start+steps-1` of every array of a pytree, or of it one share."""

    def piece(leaf: jax.Array) -> jax.Array:
        if len(leaf) != steps:
            leaf = _slice(leaf, [start], (steps, *leaf.shape[1:]))
        return leaf if share is None else leaf[:, share[0] : sum(share)]

    return jax.tree.map(piece, tree)


def room(length: int, like: Any, beside: jax.Array, share: Share | None = None) -> Any:
    """New arrays `[length, *shape]` for a pytree of shapes, to be filled before they are read.

    They vary over the mesh as `beside`. Each holds a number of its own: of several with the same
    XLA would make one, and copies of it.
    """
    leaves, structure = jax.tree.flatten(like)
    first = share[0] * len(leaves) if share else 0

    def make(number: int, leaf: Any) -> jax.Array:
        number = number % 100 if jnp.issubdtype(leaf.dtype, jnp.floating) else 0
        return jax.lax.full_like(beside, number, leaf.dtype, (length, *leaf.shape))

    return structure.unflatten([make(first + i, leaf) for i, leaf in enumerate(leaves)])


def empty(like: Any, beside: jax.Array, share: Share | None) -> Any:
    """Arrays of the shapes of a pytree, to be replaced before they are read: see `room`."""
    return jax.tree.map(lambda leaf: leaf[0], room(1, like, beside, share))


def fitting(buffers: Sequence[jax.Array], wanted: Any, taken: Sequence[int] = ()) -> int | None:
    """Which of `buffers [K, ...]` has slots of the shape and dtype `wanted`; None if none has."""
    for i, leaf in enumerate(buffers):
        if i not in taken and leaf.shape[1:] == wanted.shape and leaf.dtype == wanted.dtype:
            return i
    return None


def over_chunks(
    body: Callable[[Any, Any, Any, int], Any], state: Any, length: int, chunk: int, reverse: bool
) -> Any:
    """Runs `state = body(state, n, start, steps)` over chunks of `length` steps.

    What is left of the length is a shorter chunk, the last in time. A single chunk gets a start
    that is known while compiling.
    """
    count, rest = divmod(length, chunk)

    def whole(state: Any) -> Any:
        if count == 1:
            return body(state, 0, 0, chunk)
        step = lambda state, n: (body(state, n, n * chunk, chunk), None)
        return jax.lax.scan(step, state, jnp.arange(count), reverse=reverse)[0]

    if not rest:
        return whole(state)
    last = lambda state: body(state, count, count * chunk, rest)
    if not count:
        return last(state)
    return whole(last(state)) if reverse else last(whole(state))
