"""Recomputing in time: memory for a longer sequence, bought with a second forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def in_blocks(
    run: Callable[[Any, Any], tuple[Any, Any]],
    lengths: tuple[int, ...],
    carry: Any,
    inputs: Any,
    reverse: bool,
) -> tuple[Any, Any]:
    """`run(carry, inputs) -> (carry, outputs)` over time in nested blocks that are run again.

    Of a block only the carry that enters it is kept; the backward pass runs it again to have the
    rest. With one length K that is memory for T / K carries and K steps, at one more forward pass;
    each further level of blocks inside blocks is one more forward pass, and less memory.

    Source: Chen et al. 2016, arXiv:1604.06174; Gruslys et al. 2016, arXiv:1606.03401.

    Args:
      run: runs the steps of a block, whatever their number.
      lengths: steps in a block of each level, the shortest first, each a multiple of the one
        before; none: `run` over all of it.
      carry: state before the first step that runs.
      inputs: leaves `[T, ...]`.
      reverse: run from the last step to the first.

    Returns:
      The carry after the last step that ran, and the outputs, leaves `[T, ...]`.
    """
    steps = len(jax.tree.leaves(inputs)[0])
    lengths = tuple(length for length in lengths if length < steps)
    if not lengths:
        return run(carry, inputs)
    *inner, length = lengths

    def block(carry: Any, inputs: Any) -> tuple[Any, Any]:
        return in_blocks(run, tuple(inner), carry, inputs, reverse)

    count, rest = divmod(steps, length)
    cut = lambda leaf: leaf[: count * length].reshape(count, length, *leaf.shape[1:])
    join = lambda leaf: leaf.reshape(count * length, *leaf.shape[2:])

    def whole(carry: Any) -> tuple[Any, Any]:
        # Inside a scan nothing can merge the second run with the first.
        again = jax.checkpoint(block, prevent_cse=False)
        carry, outputs = jax.lax.scan(again, carry, jax.tree.map(cut, inputs), reverse=reverse)
        return carry, jax.tree.map(join, outputs)

    def remainder(carry: Any) -> tuple[Any, Any]:
        last = jax.tree.map(lambda leaf: leaf[count * length :], inputs)
        return jax.checkpoint(block)(carry, last)

    if not rest:
        return whole(carry)
    if reverse:
        carry, late = remainder(carry)
        carry, early = whole(carry)
    else:
        carry, early = whole(carry)
        carry, late = remainder(carry)
    return carry, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), early, late)
