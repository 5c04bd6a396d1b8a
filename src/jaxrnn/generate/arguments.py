"""The door of the room: every argument is checked, and named if it is wrong, before compilation."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxrnn.cells.checks import require

# step(params, carry, symbols [*B]) -> (carry, logits [*B, V])
TokenStep = Callable[[Any, Any, jax.Array], tuple[Any, jax.Array]]


def check_symbols(argument: str, symbols: ArrayLike) -> jax.Array:
    """Returns symbols `[T, *B]` as an array of integers with T >= 1."""
    array = jnp.asarray(symbols)
    some = array.ndim > 0 and array.shape[0] > 0
    require(some, argument, "hold at least one symbol, [T, *B]", array.shape)
    integers = jnp.issubdtype(array.dtype, jnp.integer)
    require(integers, argument, "be integers", array.dtype)
    # An array made of Python numbers is weakly typed, and a loop over it would be traced again.
    return jnp.asarray(array, array.dtype)


def check_carry(carry: Any, batch_shape: tuple[int, ...]) -> Any:
    """Returns a carry as arrays `[*B, ...]`; only these can be frozen or gathered row by row."""
    for path, leaf in jax.tree.leaves_with_path(carry):
        name, shape = "carry" + jax.tree_util.keystr(path), jnp.shape(leaf)
        fits = shape[: len(batch_shape)] == batch_shape
        require(fits, name, f"have a shape that begins with the batch's {batch_shape}", shape)
    return jax.tree.map(jnp.asarray, carry)


def check_end(end: Any) -> None:
    """Raises ValueError unless `end` is None or can be a symbol."""
    ok = isinstance(end, Integral) and not isinstance(end, bool) and int(end) >= 0
    require(end is None or ok, "end", "be a symbol, an integer that is not negative", repr(end))


def check_logits(logits: Any, symbols: jax.Array, end: int | None) -> None:
    """Raises ValueError unless `logits [*B, V]` fit `symbols [*B]`, their dtype and `end`."""
    shape, size = logits.shape, logits.shape[-1] if logits.ndim else 0
    fits = size > 0 and shape[:-1] == symbols.shape
    require(fits, "step", f"return logits of the shape {(*symbols.shape, 'V')}", shape)
    held = size - 1 <= jnp.iinfo(symbols.dtype).max
    require(held, "prompt", f"have a dtype that holds all symbols in [0, V={size})", symbols.dtype)
    require(end is None or end < size, "end", f"lie in [0, V={size})", end)


def check_per_row(
    argument: str,
    value: ArrayLike,
    batch_shape: tuple[int, ...],
    allowed: Callable[[np.ndarray], Any],
    rule: str,
) -> None:
    """Raises ValueError unless a value is a number or one for each row, allowed where known."""
    shape = jnp.shape(value)
    fits = shape in ((), batch_shape)
    require(fits, argument, f"be a number or have the batch shape {batch_shape}", shape)
    if not isinstance(value, Tracer):
        require(bool(np.all(allowed(np.asarray(value)))), argument, rule, value)
