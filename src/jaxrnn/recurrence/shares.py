"""Shares of a batch: some of its sequences, that run apart from the others."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp

Share = tuple[int, int]  # the first sequence, and how many


def cut(count: int | None, batch_shape: tuple[int, ...]) -> tuple[Share | None, ...]:
    """Cuts a batch into shares of like size, none of them empty."""
    batch = batch_shape[0] if batch_shape else 1
    count = min(count or 1, batch)
    if count <= 1:
        return (None,)
    ends = [batch * i // count for i in range(count + 1)]
    return tuple((start, end - start) for start, end in itertools.pairwise(ends))


def of_share(share: Share | None, tree: Any) -> Any:
    """The sequences of a share, of leaves `[*B, ...]`."""
    if share is None:
        return tree
    return jax.tree.map(lambda leaf: leaf[share[0] : sum(share)], tree)


def join(trees: Any, axis: int = 0) -> Any:
    """Puts the sequences of all shares side by side again."""
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis), *trees)
