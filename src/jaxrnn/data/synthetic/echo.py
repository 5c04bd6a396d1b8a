"""Delayed echo: every symbol again, some steps later."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require, require_size
from jaxrnn.data.synthetic.batch import StepTargets


def delayed_echo(
    key: jax.Array, *, batch_size: int, length: int, delay: int, symbols: int = 2
) -> StepTargets:
    """Delayed echo: the symbol that was read some steps before.

        target_t = symbol_{t - delay}

    A network has to hold `delay` symbols at any time, in their order.

    Args:
      key: random key; consumed.
      batch_size: B.
      length: T, more than `delay`.
      delay: steps from a symbol to its echo.
      symbols: K, how many there are.

    Returns:
      `StepTargets`: inputs and targets `[T, B]` in [0, K); the first `delay` steps do not count.

    Raises:
      ValueError: if a size is not a positive integer, or `delay` is not below `length`.

    >>> batch = delayed_echo(jax.random.key(0), batch_size=1, length=6, delay=2)
    >>> bool((batch.targets[2:] == batch.inputs[:-2]).all()), batch.mask[:, 0].tolist()
    (True, [False, False, True, True, True, True])
    """
    for name, size in (("batch_size", batch_size), ("length", length), ("delay", delay)):
        require_size(name, size)
    require_size("symbols", symbols)
    require(delay < length, "delay", f"be below length={length}", delay)
    inputs = jax.random.randint(key, (length, batch_size), 0, symbols, jnp.int32)
    targets = jnp.roll(inputs, delay, axis=0)
    mask = jnp.broadcast_to(jnp.arange(length)[:, None] >= delay, inputs.shape)
    return StepTargets(inputs, jnp.where(mask, targets, 0), mask)


def delayed_echo_baseline(symbols: int = 2) -> float:
    """Nats per step that counts, of a guess among all symbols: ln K."""
    require_size("symbols", symbols)
    return math.log(symbols)
