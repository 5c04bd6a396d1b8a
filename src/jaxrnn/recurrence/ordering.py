"""Order among the operations of a loop's body, where XLA sees no reason for one.

A loop runs in place if XLA can tell that every read of an old value comes before the new one is
written. Where nothing orders the two, it copies, into memory that is shared with whatever runs
before and after; and two loops with memory in common do not run side by side, even if neither needs
a result of the other. What is here makes order out of data: a 1 that depends on what has to come
first, and that the compiler cannot know to be 1, with which arrays and counters are multiplied or
divided; that changes no bit of them.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.recurrence.buffers import corner, write


def one_after(scalars: list[jax.Array]) -> jax.Array:
    """The integer 1, known only when all `scalars` are there.

    Under `vmap` it is the same for the whole batch, because a loop whose end depends on it has to
    end for all at once.
    """
    return _one_after([jax.lax.stop_gradient(scalar) for scalar in scalars])


@jax.custom_batching.custom_vmap
def _one_after(scalars: list[jax.Array]) -> jax.Array:
    bits = jnp.int32(1)
    for scalar in scalars:
        if jnp.issubdtype(scalar.dtype, jnp.inexact):
            unsigned = jnp.dtype(f"uint{8 * scalar.dtype.itemsize}")
            scalar = jax.lax.bitcast_convert_type(scalar, unsigned)
        bits = bits | scalar.astype(jnp.int32)
    return bits & 1


@_one_after.def_vmap
def _one_for_the_batch(axis_size: int, batched: Any, scalars: Any) -> tuple[jax.Array, bool]:
    del axis_size
    first = lambda leaf, has_axis: leaf[0] if has_axis else leaf
    return _one_after(jax.tree.map(first, scalars, batched[0])), False


def corners(tree: Any, slot: Any = 0) -> list[jax.Array]:
    """The first number in slot `slot` of every array of a pytree; none of an empty array."""
    return [corner(leaf, slot) for leaf in map(jnp.asarray, jax.tree.leaves(tree)) if leaf.size]


def after(tree: Any, one: jax.Array) -> Any:
    """The arrays of a pytree, made no earlier than `one`."""

    def times(leaf: jax.Array) -> jax.Array:
        return leaf & (one == 1) if leaf.dtype == bool else leaf * one.astype(leaf.dtype)

    return jax.tree.map(times, tree)


SHELF = 2
"""Slots of what `put` fills, one more than it uses: XLA drops a write of the whole array."""


def put(shelf: Any, tree: Any, one: jax.Array) -> tuple[Any, Any]:
    """The arrays of a pytree, computed once.

    XLA repeats what is cheap in each of its consumers, but what was written to a position that is
    known only at run time has to be read from there.

    Returns:
      The shelf for the next time, and the arrays.
    """
    shelf = write(shelf, tree, one - 1)
    return shelf, jax.tree.map(lambda leaf: leaf[0], shelf)
