"""Ancestral sampling: the model reads its own output, one symbol at a time."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
from jax.typing import ArrayLike

from jaxrnn.cells.checks import require_size
from jaxrnn.generate.arguments import (
    TokenStep,
    check_carry,
    check_end,
    check_per_row,
    check_symbols,
)
from jaxrnn.generate.draw import draw
from jaxrnn.generate.write import read, write


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
    top_p: ArrayLike | None = None,
    end: int | None = None,
) -> tuple[Any, jax.Array]:
    """Reads a prompt and writes on from there.

        w_{t+1} ~ softmax(logits_t / temperature), among the most likely symbols

    The temperature comes first, then `top_k` picks from its softmax, then `top_p` from what
    `top_k` has left, as a part of the probability that is left. Of equally likely symbols the one
    with the lower number goes first.

    The whole of it, prompt and all, is one compiled program; it is compiled again only for another
    `step`, other shapes, another `top_k` or another `end`. The same key draws the same symbols with
    and without `end`, up to the first `end` of a row.

    Source: Holtzman et al. 2020, "The curious case of neural text degeneration", arXiv:1904.09751,
    for top_p.

    Args:
      step: `step(params, carry, symbols [*B]) -> (carry, logits [*B, V])`.
      params: parameters of the step.
      carry: state before the prompt, leaves `[*B, ...]`.
      prompt: symbols to read first, integers `[P, *B]` with P >= 1.
      length: N, how many symbols to write.
      key: random key; consumed.
      temperature: below 1 sharpens the distribution, above 1 flattens it, 0 takes the most likely
        symbol every time; one number or `[*B]`.
      top_k: how many of the most likely symbols to choose from, exactly; None for all.
      top_p: choose from the fewest most likely symbols whose probability together reaches it, in
        (0, 1]; one number or `[*B]`. None, like 1, for all.
      end: the symbol that ends a sequence. A row that has written it writes only `end` from there
        on and its carry stays, and once all rows have, no more steps are made. One in the prompt
        does not count. None: every row writes N symbols.

    Returns:
      The carry after the last symbol that was read (the last one written is not, nor the first
      `end`), and the symbols written, `[N, *B]`.

    Raises:
      ValueError: if a size is not positive, the prompt is empty or not of integers, the temperature
        negative, `top_p` not in (0, 1], or `end` not in the vocabulary.
    """
    require_size("length", length)
    prompt = check_symbols("prompt", prompt)
    rows = prompt.shape[1:]
    check_per_row("temperature", temperature, rows, lambda value: value >= 0, "not be negative")
    if top_k is not None:
        require_size("top_k", top_k)
    if top_p is not None:
        inside = lambda value: (value > 0) & (value <= 1)
        check_per_row("top_p", top_p, rows, inside, "lie in (0, 1]")
    check_end(end)
    if end is not None:
        carry = check_carry(carry, rows)
    return _sample(step, length, top_k, end, params, carry, prompt, key, temperature, top_p)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _sample(
    step: TokenStep,
    length: int,
    top_k: int | None,
    end: int | None,
    params: Any,
    carry: Any,
    prompt: jax.Array,
    key: jax.Array,
    temperature: ArrayLike,
    top_p: ArrayLike | None,
) -> tuple[Any, jax.Array]:
    keys = jax.random.split(key, length)

    def choose(t: jax.Array, logits: jax.Array) -> jax.Array:
        return draw(keys[t], logits, temperature, top_k, top_p)

    carry = read(step, params, carry, prompt[:-1])
    return write(step, params, carry, prompt[-1], choose, length, end)
