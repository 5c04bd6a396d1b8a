"""Greedy writing: the most likely symbol every time."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrnn.cells.checks import require_size
from jaxrnn.generate.arguments import TokenStep, check_carry, check_end, check_symbols
from jaxrnn.generate.write import read, write


def greedy(
    step: TokenStep,
    params: Any,
    carry: Any,
    prompt: ArrayLike,
    *,
    length: int,
    end: int | None = None,
) -> tuple[Any, jax.Array]:
    """Reads a prompt and writes on from there, always the most likely symbol.

        w_{t+1} = argmax_v logits_t[v]

    What `sample` does at temperature 0, without a key; of equally likely symbols it takes the one
    with the lowest number.

    Args:
      step: `step(params, carry, symbols [*B]) -> (carry, logits [*B, V])`.
      params: parameters of the step.
      carry: state before the prompt, leaves `[*B, ...]`.
      prompt: symbols to read first, integers `[P, *B]` with P >= 1.
      length: N, how many symbols to write.
      end: the symbol that ends a sequence, as in `sample`; None for none.

    Returns:
      The carry after the last symbol that was read (the last one written is not, nor the first
      `end`), and the symbols written, `[N, *B]`.

    Raises:
      ValueError: if `length` is not positive, the prompt is empty or not of integers, or `end` not
        in the vocabulary.

    >>> def next_of_three(params, carry, symbols):
    ...     return carry, jax.nn.one_hot((symbols + 1) % 3, 3)
    >>> greedy(next_of_three, None, (), jnp.array([0]), length=4)[1].tolist()
    [1, 2, 0, 1]
    >>> greedy(next_of_three, None, (), jnp.array([0]), length=4, end=2)[1].tolist()
    [1, 2, 2, 2]
    """
    require_size("length", length)
    prompt = check_symbols("prompt", prompt)
    check_end(end)
    if end is not None:
        carry = check_carry(carry, prompt.shape[1:])
    return _greedy(step, length, end, params, carry, prompt)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _greedy(
    step: TokenStep, length: int, end: int | None, params: Any, carry: Any, prompt: jax.Array
) -> tuple[Any, jax.Array]:
    def choose(t: jax.Array, logits: jax.Array) -> jax.Array:
        return jnp.argmax(logits, axis=-1)

    carry = read(step, params, carry, prompt[:-1])
    return write(step, params, carry, prompt[-1], choose, length, end)
