"""Ancestral sampling: the model reads its own output, one symbol at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxrnn.cells.checks import require, require_size

TokenStep = Callable[[Any, Any, jax.Array], tuple[Any, jax.Array]]


def sample(
    step: TokenStep,
    params: Any,
    carry: Any,
    prompt: ArrayLike,
    *,
    length: int,
    key: jax.Array,
    temperature: ArrayLike = 1.0,
    top_k: int | None = None,
) -> tuple[Any, jax.Array]:
    """Reads a prompt and writes on from there.

        w_{t+1} ~ softmax(logits_t / temperature), among the top_k most likely symbols

    The whole of it, prompt and all, is one compiled `lax.scan`; it is compiled again only for
    another `step`, other shapes, or another `top_k`.

    Args:
      step: `step(params, carry, symbols [*B]) -> (carry, logits [*B, V])`.
      params: parameters of the step.
      carry: state before the prompt, leaves `[*B, ...]`.
      prompt: symbols to read first, integers `[P, *B]` with P >= 1.
      length: N, how many symbols to write.
      key: random key; consumed.
      temperature: below 1 sharpens the distribution, above 1 flattens it, 0 takes the most likely
        symbol every time.
      top_k: how many of the most likely symbols to choose from; None for all.

    Returns:
      The carry after the last symbol that was read (the last one written is not), and the symbols
      written, `[N, *B]`.

    Raises:
      ValueError: if a size is not positive, the prompt is empty or the temperature negative.
    """
    require_size("length", length)
    prompt = jnp.asarray(prompt)
    some = prompt.ndim > 0 and prompt.shape[0] > 0
    require(some, "prompt", "hold at least one symbol, [P, *B]", prompt.shape)
    if top_k is not None:
        require_size("top_k", top_k)
    if not isinstance(temperature, Tracer):
        require(
            bool(np.all(np.asarray(temperature) >= 0)),
            "temperature",
            "not be negative",
            temperature,
        )
    return _sample(step, length, top_k, params, carry, prompt, key, temperature)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _sample(
    step: TokenStep,
    length: int,
    top_k: int | None,
    params: Any,
    carry: Any,
    prompt: jax.Array,
    key: jax.Array,
    temperature: ArrayLike,
) -> tuple[Any, jax.Array]:
    def read(carry: Any, symbols: jax.Array) -> tuple[Any, None]:
        return step(params, carry, symbols)[0], None

    def write(state: tuple[Any, jax.Array], key: jax.Array) -> tuple[tuple[Any, Any], jax.Array]:
        carry, symbols = state
        carry, logits = step(params, carry, symbols)
        symbols = _draw(key, logits, temperature, top_k).astype(symbols.dtype)
        return (carry, symbols), symbols

    carry, _ = jax.lax.scan(read, carry, prompt[:-1])
    (carry, _), written = jax.lax.scan(write, (carry, prompt[-1]), jax.random.split(key, length))
    return carry, written


def _draw(
    key: jax.Array, logits: jax.Array, temperature: ArrayLike, top_k: int | None
) -> jax.Array:
    """Draws a symbol `[*B]` from logits `[*B, V]`."""
    if top_k is not None and top_k < logits.shape[-1]:
        threshold = jax.lax.top_k(logits, top_k)[0][..., -1:]
        logits = jnp.where(logits < threshold, -jnp.inf, logits)
    # At temperature 0 the division is replaced, not only its result, so no NaN is ever made.
    greedy = jnp.asarray(temperature) == 0
    drawn = jax.random.categorical(key, logits / jnp.where(greedy, 1, temperature))
    return jnp.where(greedy, jnp.argmax(logits, axis=-1), drawn)
