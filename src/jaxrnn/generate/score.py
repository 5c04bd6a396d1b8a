"""The log-probability of given text."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrnn.cells.checks import require
from jaxrnn.generate.arguments import TokenStep, check_carry, check_symbols
from jaxrnn.losses import nll
from jaxrnn.recurrence.masks import select


def score(
    step: TokenStep,
    params: Any,
    carry: Any,
    symbols: ArrayLike,
    mask: ArrayLike | None = None,
) -> jax.Array:
    """Says how likely a step finds each symbol of a text after those before it.

        log p(w_{t+1} | w_1 .. w_t)

    A symbol that is masked out is not there: it is not read, and the next real one is predicted
    from the real ones before it. So padding may stand at either end, or between, and hold anything.

    Args:
      step: `step(params, carry, symbols [*B]) -> (carry, logits [*B, V])`.
      params: parameters of the step.
      carry: state before the first symbol, leaves `[*B, ...]`.
      symbols: the text, integers `[T, *B]` with T >= 1.
      mask: true at real symbols, `[T, *B]`; None if all are.

    Returns:
      Nats for each symbol but the first, `[T - 1, *B]`, at most 0, at least float32; 0 where `mask`
      is false, and for a row's first real symbol, which nothing comes before.

    Raises:
      ValueError: if there is no symbol, they are not integers, or the mask does not fit them.

    >>> def coin(params, carry, symbols):
    ...     return carry, jnp.broadcast_to(jnp.log(params), (*symbols.shape, 2))
    >>> jnp.exp(score(coin, jnp.array([0.25, 0.75]), (), jnp.array([0, 1, 0]))).tolist()
    [0.75, 0.25]
    """
    symbols = check_symbols("symbols", symbols)
    if mask is not None:
        mask = jnp.asarray(mask)
        require(mask.dtype == bool, "mask", "be booleans", mask.dtype)
        fits = mask.shape == symbols.shape
        require(fits, "mask", f"have the shape of `symbols`, {symbols.shape}", mask.shape)
        carry = check_carry(carry, symbols.shape[1:])
    return _score(step, params, carry, symbols, mask)


@partial(jax.jit, static_argnums=0)
def _score(
    step: TokenStep, params: Any, carry: Any, symbols: jax.Array, mask: jax.Array | None
) -> jax.Array:
    def body(state: Any, inputs: Any) -> tuple[Any, jax.Array]:
        # `last` is the latest real symbol, not read yet; `begun` says whether there was one.
        carry, last, begun = state
        symbols, real = inputs
        after, logits = step(params, carry, last)
        if real is None:
            return (after, symbols, None), nll(logits, symbols)
        counts = real & begun
        nats = nll(logits, symbols, counts)
        carry = jax.tree.map(partial(select, counts), after, carry)
        return (carry, jnp.where(real, symbols, last), begun | real), nats

    first, begun = symbols[0], None
    if mask is not None:
        # What the padding holds must not reach the step: it may be no symbol at all.
        first, begun = jnp.where(mask[0], symbols[0], 0), mask[0]
    rest = (symbols[1:], None if mask is None else mask[1:])
    _, nats = jax.lax.scan(body, (carry, first, begun), rest)
    return 0 - nats  # and not -nats, so that nothing is 0 and not -0
