"""What every cell of the library keeps, dense or not: how it starts, what it takes, its dtypes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require, require_floating

Zeros = Callable[[tuple[int, ...], Any], Any]  # batch_shape, dtype -> carry


def starts_from(zeros: Zeros | None, out_shape: tuple[int, ...]) -> Callable[..., Any]:
    """The `initial_carry` of a cell: `zeros`, or where that is None an array like the output."""

    def initial_carry(batch_shape: tuple[int, ...] = (), dtype: Any = None) -> Any:
        rule = "be a tuple such as (32,), or () for no batch"
        require(isinstance(batch_shape, tuple | list), "batch_shape", rule, repr(batch_shape))
        dtype = float if dtype is None else dtype
        if zeros is None:
            return jnp.zeros((*batch_shape, *out_shape), dtype)
        return zeros(tuple(batch_shape), dtype)

    return initial_carry


def as_input(x: Any, in_shape: tuple[int, ...]) -> jax.Array:
    """Returns one input as an array; raises ValueError unless it is floating, `[*B, *in_shape]`."""
    x = jnp.asarray(x)
    require_floating("x", x)
    batch_axes = x.ndim - len(in_shape)
    fits = batch_axes >= 0 and x.shape[batch_axes:] == in_shape
    size, noun = (in_shape[0], "size") if len(in_shape) == 1 else (in_shape, "shape")
    require(fits, "x", f"end in the input {noun} of the cell, {size}", x.shape)
    return x


def cast(params: Any, dtype: Any) -> Any:
    """Every leaf in one dtype."""
    return jax.tree.map(lambda leaf: leaf.astype(dtype), params)


def cast_like(tree: Any, like: Any) -> Any:
    """Every leaf in the dtype of its counterpart; None stays None."""
    to = lambda new, old: None if new is None else new.astype(old.dtype)
    return jax.tree.map(to, tree, like, is_leaf=lambda leaf: leaf is None)


def recurrent_product(h: jax.Array, kernel: jax.Array, compute: Any) -> jax.Array:
    """`h @ kernel`, multiplied in the dtype `compute`, given in that of `h` if it is wider."""
    wider = jnp.promote_types(compute, h.dtype)
    return jnp.matmul(h.astype(compute), kernel.astype(compute), preferred_element_type=wider)
