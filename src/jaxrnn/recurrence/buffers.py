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


def read(buffers: Any, t: Any) -> Any:
    """Slot `t` of every array of a pytree; any slot at all if `t` is not in range."""
    if isinstance(t, int):
        return jax.tree.map(lambda leaf: leaf[t], buffers)
    return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, t, keepdims=False), buffers)


def read_gates(gates: int, zs: jax.Array, t: Any) -> jax.Array:
    """Slot `t` of `zs [K, *B, G]`, read gate by gate.

    The slices that a cell takes of the result are those that were put together here, and XLA
    cancels the two: each gate is then read where it is used. A slice of a slot is not vectorised.
    """
    size = zs.shape[-1] // gates
    where = lambda gate: (t, *(0,) * (zs.ndim - 2), gate * size)
    shape = (1, *zs.shape[1:-1], size)
    pieces = [jax.lax.dynamic_slice(zs, where(gate), shape)[0] for gate in range(gates)]
    return jnp.concatenate(pieces, axis=-1)


def write(buffers: Any, values: Any, t: Any) -> Any:
    """The arrays of a pytree with slot `t` replaced."""
    put = lambda leaf, value: jax.lax.dynamic_update_index_in_dim(leaf, value, t, 0)
    return jax.tree.map(put, buffers, values)


def room(length: int, like: Any, beside: jax.Array) -> Any:
    """New arrays `[length, *shape]` for a pytree of shapes; they vary over the mesh as `beside`."""
    make = lambda leaf: jax.lax.full_like(beside, 0, leaf.dtype, (length, *leaf.shape))
    return jax.tree.map(make, like)


def fitting(buffers: Sequence[jax.Array], wanted: Any, taken: Sequence[int] = ()) -> int | None:
    """Which of `buffers [K, ...]` has slots of the shape and dtype `wanted`; None if none has."""
    for i, leaf in enumerate(buffers):
        if i not in taken and leaf.shape[1:] == wanted.shape and leaf.dtype == wanted.dtype:
            return i
    return None


def loop(
    step: Callable[[Any, Any, Any], Any],
    state: Any,
    fetch: Callable[[Any, Any], Any],
    length: int,
    reverse: bool,
    ahead: bool,
) -> Any:
    """Runs `state, out = step(state, inputs, k)` for k = 0 .. length-1, or backwards.

    The inputs of a step are `fetch(state, k)`. With `ahead` they are made at the end of the step
    before and arrive as arrays of their own: XLA:CPU would otherwise fuse the reading of the slot
    into whatever consumes it, and does not vectorise a fusion that slices the gates out of what it
    reads at a position known only at run time; such a fusion is many times slower. Where nothing
    is sliced that copy is better saved, but never where `step` writes to the array that is read:
    XLA may then copy the whole of it at every step.

    Returns:
      The last state, and what `step` gave beside it, stacked over k.
    """

    def body(state: Any, k: jax.Array) -> tuple[Any, Any]:
        return step(state, fetch(state, k), k)

    def body_ahead(state: Any, k: jax.Array) -> tuple[Any, Any]:
        state, inputs = state
        state, out = step(state, inputs, k)
        return (state, fetch(state, k - 1 if reverse else k + 1)), out

    steps = jnp.arange(length)
    if not ahead:
        return jax.lax.scan(body, state, steps, reverse=reverse)
    first = (state, fetch(state, length - 1 if reverse else 0))
    (state, _), out = jax.lax.scan(body_ahead, first, steps, reverse=reverse)
    return state, out


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
