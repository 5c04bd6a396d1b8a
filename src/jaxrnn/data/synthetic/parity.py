"""Parity of a string of bits, at every step."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require, require_size
from jaxrnn.data.synthetic.batch import StepTargets


def parity(
    key: jax.Array, *, batch_size: int, length: int, min_length: int | None = None
) -> StepTargets:
    """Parity: whether the number of ones so far is odd.

        target_t = (bit_1 + ... + bit_t) mod 2

    A task that asks for the parity of the whole string alone takes the last target. The best answer
    that ignores the inputs is right half the time: ln 2 nats.

    Args:
      key: random key; consumed.
      batch_size: B.
      length: T, the longest string.
      min_length: the shortest; None makes all of them T long. Lengths are uniform.

    Returns:
      `StepTargets`: inputs `[T, B]` bits, targets `[T, B]` in {0, 1}, mask of the steps of each
      string.

    Raises:
      ValueError: if a size is not a positive integer, or `min_length` is above `length`.

    >>> batch = parity(jax.random.key(0), batch_size=1, length=6)
    >>> batch.inputs[:, 0].tolist(), batch.targets[:, 0].tolist()
    ([0, 1, 1, 1, 1, 0], [0, 1, 0, 1, 0, 0])
    """
    shortest = length if min_length is None else min_length
    require_size("batch_size", batch_size)
    require_size("length", length)
    require_size("min_length", shortest)
    require(shortest <= length, "min_length", f"be at most length={length}", min_length)
    bit_key, length_key = jax.random.split(key)
    bits = jax.random.bernoulli(bit_key, shape=(length, batch_size)).astype(jnp.int32)
    seq_lengths = jax.random.randint(length_key, (batch_size,), shortest, length + 1)
    mask = jnp.arange(length)[:, None] < seq_lengths
    return StepTargets(bits, jnp.cumsum(bits, axis=0) % 2, mask)
