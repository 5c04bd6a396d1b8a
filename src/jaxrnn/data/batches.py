"""Shuffled, padded, bucketed batches without end, through Grain."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxrnn.cells.checks import require, require_size
from jaxrnn.data.padding import Padded, length, longest, pad


class Batches:
    """Batches of examples of unequal length, shuffled anew in every round, without end.

    A `SegmentSource` for `jaxrnn.train.fit`: batch number n depends on the seed and n alone, so a
    run that is resumed reads on where it was. Every example comes once in each round; a batch may
    hold the end of one round and the start of the next.

    With several buckets the examples are sorted by their longest field and divided into as many
    groups of equal size, and a batch comes from one group: less padding, one compiled program for
    each bucket. The groups take turns. Batches that are taken together are padded alike.

    Args:
      examples: pytrees of one structure with arrays `[T, ...]` or numbers, see `pad`.
      batch_size: B.
      seed: of the order; explicit, because everything random is.
      buckets: how many groups of similar length.

    Raises:
      ValueError: if a size is not positive or there are fewer examples than buckets.

    >>> source = Batches([np.arange(n) for n in (3, 1, 2, 4)], batch_size=2, seed=0, buckets=2)
    >>> batch = source.take(np.array([0, 1]))
    >>> batch.values.shape, np.sort(batch.lengths).tolist()
    ((2, 2, 4), [[1, 2], [3, 4]])
    """

    def __init__(self, examples: Sequence[Any], *, batch_size: int, seed: int, buckets: int = 1):
        """Sorts the examples; reads none."""
        # Here, because the rest of the room needs NumPy alone.
        import grain

        require_size("batch_size", batch_size)
        require_size("buckets", buckets)
        rule = f"hold at least buckets = {buckets}"
        require(len(examples) >= buckets, "examples", rule, len(examples))
        sizes = [
            max(map(length, jax.tree.leaves(example, is_leaf=_is_list))) for example in examples
        ]
        order = np.argsort(sizes, kind="stable") if buckets > 1 else np.arange(len(examples))
        parts = [[examples[i] for i in part] for part in np.array_split(order, buckets)]
        self._buckets = [
            grain.MapDataset.source(part)
            .shuffle(seed=seed + number)
            .repeat()
            .batch(batch_size, batch_fn=partial(_padded, longest(part)))
            for number, part in enumerate(parts)
        ]

    def __len__(self) -> int:
        """How many batches there are: more than can be asked for."""
        return sys.maxsize

    def take(self, indices: np.ndarray, /) -> Padded:
        """Makes batches.

        Args:
          indices: which, integers that are not negative, `[N]`.

        Returns:
          `Padded` with a leading axis: values `[N, B, T, ...]`, lengths `[N, B]`.
        """
        count = len(self._buckets)
        places = [divmod(int(index), count) for index in indices]
        batches: list[Any] = [self._buckets[bucket][place] for place, bucket in places]
        widest = jax.tree.map(lambda *each: max(map(_width, each)), *(b.values for b in batches))
        widened = [jax.tree.map(_widen, batch.values, widest) for batch in batches]
        stack = lambda *each: np.stack(each)
        lengths = jax.tree.map(stack, *(batch.lengths for batch in batches))
        return Padded(jax.tree.map(stack, *widened), lengths)


def _is_list(node: Any) -> bool:
    return isinstance(node, list)


def _padded(lengths: Any, examples: Sequence[Any]) -> Padded:
    return pad(examples, lengths=lengths)


def _width(values: np.ndarray) -> int:
    return values.shape[1] if values.ndim > 1 else 1


def _widen(values: np.ndarray, width: int) -> np.ndarray:
    """Pads `[B, T, ...]` to `[B, width, ...]`."""
    if values.ndim == 1:
        return values
    return np.pad(values, [(0, 0), (0, width - values.shape[1])] + [(0, 0)] * (values.ndim - 2))
