"""The loops of generation: a step reads what is there, then its own output."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.generate.arguments import TokenStep, check_logits
from jaxrnn.recurrence.masks import select

# choose(t, logits [*B, V]) -> symbols [*B], for the t-th symbol to write
Choose = Callable[[jax.Array, jax.Array], jax.Array]


def read(step: TokenStep, params: Any, carry: Any, symbols: jax.Array) -> Any:
    """Returns the carry after symbols `[T, *B]`, of which there may be none."""

    def body(carry: Any, symbols: jax.Array) -> tuple[Any, None]:
        return step(params, carry, symbols)[0], None

    return jax.lax.scan(body, carry, symbols)[0]


def write(
    step: TokenStep,
    params: Any,
    carry: Any,
    symbols: jax.Array,
    choose: Choose,
    length: int,
    end: int | None,
) -> tuple[Any, jax.Array]:
    """Writes on from symbols `[*B]`.

    Args:
      step: `step(params, carry, symbols [*B]) -> (carry, logits [*B, V])`.
      params: parameters of the step.
      carry: state before `symbols`, leaves `[*B, ...]`.
      symbols: the first ones to read, `[*B]`.
      choose: `choose(t, logits) -> symbols`.
      length: N, the most symbols to write.
      end: the symbol after which a row writes nothing else and its carry stays; None for none.

    Returns:
      The carry after the last symbol that was read, and the symbols written, `[N, *B]`.
    """
    if end is not None:
        return _write_until(step, params, carry, symbols, choose, length, end)

    def body(state: tuple[Any, jax.Array], t: jax.Array) -> tuple[tuple[Any, Any], jax.Array]:
        carry, symbols = state
        carry, logits = step(params, carry, symbols)
        check_logits(logits, symbols, end)
        symbols = choose(t, logits).astype(symbols.dtype)
        return (carry, symbols), symbols

    (carry, _), written = jax.lax.scan(body, (carry, symbols), jnp.arange(length))
    return carry, written


def _write_until(
    step: TokenStep,
    params: Any,
    carry: Any,
    symbols: jax.Array,
    choose: Choose,
    length: int,
    end: int,
) -> tuple[Any, jax.Array]:
    """`write` that stops when every row has written `end`."""

    def goes_on(state: Any) -> jax.Array:
        t, _, _, ended, _ = state
        return (t < length) & ~jnp.all(ended)

    def body(state: Any) -> Any:
        t, carry, symbols, ended, written = state
        after, logits = step(params, carry, symbols)
        check_logits(logits, symbols, end)
        carry = jax.tree.map(partial(select, ended), carry, after)
        symbols = jnp.where(ended, end, choose(t, logits)).astype(symbols.dtype)
        return t + 1, carry, symbols, ended | (symbols == end), written.at[t].set(symbols)

    # What the prompt holds does not count: the `end` of one sentence is often what opens the next.
    ended = jnp.zeros(symbols.shape, bool)
    written = jnp.full((length, *symbols.shape), end, symbols.dtype)
    state = (jnp.zeros((), int), carry, symbols, ended, written)
    _, carry, _, _, written = jax.lax.while_loop(goes_on, body, state)
    return carry, written
