"""Arrays inside `jax.shard_map`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def vary_together(*trees: Any) -> tuple[Any, ...]:
    """Makes all arrays vary over the mesh axes over which any of them varies.

    A loop under `jax.shard_map` needs a carry whose type does not change from step to step; a zero
    initial carry is the same on every device and the carry after one step is not. Adding a zero
    that varies is what turns one into the other, and the transpose of that adds up, once, the
    gradients of parameters that all devices share. Outside `shard_map` nothing is done.
    """
    if not jax.sharding.get_abstract_mesh().manual_axes:
        return trees
    number = lambda leaf: jnp.issubdtype(leaf.dtype, jnp.inexact)
    zeros = [
        jax.lax.full_like(leaf, 0, jnp.float32, ())
        for leaf in jax.tree.leaves(trees)
        if number(leaf)
    ]
    zero = sum(zeros)
    vary = lambda leaf: leaf + jnp.asarray(zero, leaf.dtype) if number(leaf) else leaf
    return jax.tree.map(vary, trees)
