"""Languages that take a counter: a^n b^n and a^n b^n c^n."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require, require_size
from jaxrnn.data.synthetic.batch import Words


def equal_counts(
    key: jax.Array, *, batch_size: int, max_count: int, min_count: int = 1, letters: int = 2
) -> Words:
    """Random words of a^n b^n, or a^n b^n c^n: every letter as often as the one before.

        # a a a b b b #     letters = 2, n = 3;  n uniform from min_count to max_count

    Source: Gers, Schmidhuber 2001, doi:10.1109/72.963769, whose networks name all symbols that may
    follow; Weiss, Goldberg, Yahav 2018, arXiv:1805.04908, on which networks can count.

    Args:
      key: random key; consumed.
      batch_size: B.
      max_count: largest n.
      min_count: smallest n.
      letters: how many, 2 for a^n b^n, 3 for a^n b^n c^n.

    Returns:
      `Words` with T = letters max_count + 1 and V = letters + 1 symbols: 0 the border, 1 for a, and
      so on.

    Raises:
      ValueError: if a size is not a positive integer, or `min_count` is above `max_count`.

    >>> words = equal_counts(jax.random.key(0), batch_size=1, max_count=2, min_count=2)
    >>> words.inputs[:, 0].tolist(), words.targets[:, 0].tolist()
    ([0, 1, 1, 2, 2], [1, 1, 2, 2, 0])
    """
    require_size("batch_size", batch_size)
    _check(max_count, min_count)
    counts = jax.random.randint(key, (batch_size,), min_count, max_count + 1)
    return words_of_counts(counts, max_count=max_count, letters=letters)


def words_of_counts(counts: jax.Array, *, max_count: int, letters: int = 2) -> Words:
    """The words of `equal_counts` for given n.

    Args:
      counts: n of each word, `[B]` integers in [1, max_count].
      max_count: largest n, which decides T.
      letters: how many.

    Returns:
      `Words`, as from `equal_counts`.

    >>> words = words_of_counts(jnp.array([1, 2]), max_count=2)
    >>> words.inputs.T.tolist(), words.mask.sum(0).tolist()
    ([[0, 1, 2, 0, 0], [0, 1, 1, 2, 2]], [3, 5])
    """
    require_size("max_count", max_count)
    require_size("letters", letters)
    steps = jnp.arange(letters * max_count + 2)[:, None]
    symbols = 1 + (steps - 1) // counts  # of step 1 and later
    symbols = jnp.where((steps > 0) & (symbols <= letters), symbols, 0).astype(jnp.int32)
    inputs, targets = symbols[:-1], symbols[1:]
    legal = jax.nn.one_hot(targets, letters + 1, dtype=bool)
    after_a = jnp.isin(jnp.arange(letters + 1), jnp.array([1, 2 % (letters + 1)]))
    legal = jnp.where((inputs == 1)[..., None], after_a, legal)
    return Words(inputs, targets, steps[:-1] <= letters * counts, legal)


def equal_counts_entropy(max_count: int, min_count: int = 1) -> float:
    """Nats for a whole word of the best predictor: all that is uncertain is n.

    ln(max_count - min_count + 1)
    """
    _check(max_count, min_count)
    return math.log(max_count - min_count + 1)


def equal_counts_baseline(max_count: int, min_count: int = 1, letters: int = 2) -> float:
    """Nats for a whole word of the best predictor that knows only the last symbol.

        letters (m ln m - (m - 1) ln(m - 1)),   m = (min_count + max_count) / 2

    Of the m steps after a letter, on average, one goes on to the next letter: m times the entropy
    of a coin that falls on that side once in m.

    >>> round(equal_counts_baseline(100), 2), round(equal_counts_entropy(100), 2)
    (9.82, 4.61)
    """
    _check(max_count, min_count)
    require_size("letters", letters)
    mean = (min_count + max_count) / 2
    stays = (mean - 1) * math.log(mean - 1) if mean > 1 else 0.0
    return letters * (mean * math.log(mean) - stays)


def _check(max_count: int, min_count: int) -> None:
    require_size("max_count", max_count)
    require_size("min_count", min_count)
    require(min_count <= max_count, "min_count", f"be at most max_count={max_count}", min_count)
