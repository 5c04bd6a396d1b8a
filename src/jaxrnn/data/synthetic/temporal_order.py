"""Temporal order: which of two symbols came where, among distractors."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require, require_size
from jaxrnn.data.synthetic.batch import FinalTarget

TEMPORAL_ORDER_SYMBOLS = "abcdXYBE"

# Where X or Y stands, in hundredths of the length; each window is a tenth wide.
_WINDOWS = {2: (10, 50), 3: (10, 33, 66)}


def temporal_order(
    key: jax.Array, *, batch_size: int, length: int = 100, relevant: int = 2
) -> FinalTarget:
    """Temporal order: the order of a few symbols X and Y, far apart among distractors.

        E a c d X b ... d Y a ... c B   ->   class Σ_i [symbol_i = Y] 2^(relevant - 1 - i)

    A sequence starts with E and ends with B; in between it has distractors a, b, c, d, and X or Y
    once in each window: of 100 steps [10, 20] and [50, 60], or with three relevant symbols
    [10, 20], [33, 43] and [66, 76]. Its length is uniform from `length` to a tenth more. The best
    answer that ignores the inputs is right once in 2^relevant.

    Source: Hochreiter, Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, experiments 6a and 6b.

    Args:
      key: random key; consumed.
      batch_size: B.
      length: shortest sequence, at least 10.
      relevant: how many symbols decide, 2 or 3.

    Returns:
      `FinalTarget` with T = length + length // 10: inputs `[T, B]`, places in
      `TEMPORAL_ORDER_SYMBOLS`; targets `[B]` in [0, 2^relevant).

    Raises:
      ValueError: if a size is not a positive integer, `length` is below 10 or `relevant` is not 2
        or 3.

    >>> batch = temporal_order(jax.random.key(0), batch_size=4)
    >>> text = "".join(TEMPORAL_ORDER_SYMBOLS[symbol] for symbol in batch.inputs[:, 0])
    >>> text[:8], [symbol for symbol in text if symbol in "XY"], int(batch.targets[0])
    ('Eddddacb', ['Y', 'Y'], 3)
    """
    require_size("batch_size", batch_size)
    require_size("length", length)
    require(length >= 10, "length", "be at least 10", length)
    require(relevant in _WINDOWS, "relevant", "be 2 or 3", relevant)
    length_key, noise_key, place_key, symbol_key = jax.random.split(key, 4)
    longest, width = length + length // 10, length // 10
    starts = jnp.array([percent * length // 100 for percent in _WINDOWS[relevant]])
    shape = (relevant, batch_size)
    seq_lengths = jax.random.randint(length_key, (batch_size,), length, longest + 1, jnp.int32)
    places = starts[:, None] + jax.random.randint(place_key, shape, 0, width + 1)
    is_y = jax.random.bernoulli(symbol_key, shape=shape).astype(jnp.int32)
    x, begin, end = (TEMPORAL_ORDER_SYMBOLS.index(symbol) for symbol in "XEB")
    inputs = jax.random.randint(noise_key, (longest, batch_size), 0, x, jnp.int32)
    inputs = inputs.at[places, jnp.arange(batch_size)].set(x + is_y)
    inputs = inputs.at[0].set(begin)
    steps = jnp.arange(longest)[:, None]
    inputs = jnp.where(steps >= seq_lengths - 1, end, inputs)
    weights = 2 ** jnp.arange(relevant - 1, -1, -1, jnp.int32)
    return FinalTarget(inputs, weights @ is_y, seq_lengths)
