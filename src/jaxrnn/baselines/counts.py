"""How often each n-gram of a text occurs, as sorted arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Grams(NamedTuple):
    """The n-grams of one length k that occur; each has its row as its number.

    A gram is its context, the k - 1 symbols before, and its last symbol; the context is a gram of
    length k - 1, so its number and the symbol make one integer, the key.
    """

    keys: np.ndarray  # [M] int64, context number * V + symbol, increasing
    counts: np.ndarray  # [M] how often in the text
    context: np.ndarray  # [M] number of the first k - 1 symbols among the grams of that length
    suffix: np.ndarray  # [M] number of the last k - 1 symbols, likewise


def reaches(tokens: np.ndarray, boundary: int | None) -> np.ndarray:
    """How many symbols the longest gram may have that ends at each position, `[N]`.

    A gram does not reach back over the boundary before it; it may begin with that boundary, which
    stands for the start of a sentence.
    """
    at = np.arange(len(tokens))
    if boundary is None:
        return at + 1
    last = np.maximum.accumulate(np.where(tokens == boundary, at, 0))
    return at - np.concatenate([[0], last[:-1]]) + 1


def count_grams(
    tokens: np.ndarray, order: int, vocabulary_size: int, boundary: int | None
) -> list[Grams]:
    """Counts the grams of every length up to `order`.

    Args:
      tokens: the text, `[N]` integers in [0, V).
      order: n.
      vocabulary_size: V.
      boundary: the symbol that ends a sentence; the text begins with one, which is not counted.
        None: the text is one sentence.

    Returns:
      `Grams` for k = 1 .. n; those of length 1 have one row for every symbol of the vocabulary.
    """
    reach = reaches(tokens, boundary)
    symbols = np.arange(vocabulary_size)
    counted = tokens if boundary is None else tokens[1:]
    singles = np.bincount(counted, minlength=vocabulary_size)
    nothing = np.zeros(vocabulary_size, np.int64)
    tables = [Grams(symbols, singles, nothing, nothing)]
    numbers = tokens.astype(np.int64)
    for length in range(2, order + 1):
        ends = np.flatnonzero(reach >= length)
        keys = numbers[ends - 1] * vocabulary_size + tokens[ends]
        keys, first, inverse, counts = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        suffix = numbers[ends[first]]
        tables.append(Grams(keys, counts, keys // vocabulary_size, suffix))
        numbers = np.full(len(tokens), -1)
        numbers[ends] = inverse
    return tables


def find(grams: Grams, keys: np.ndarray) -> np.ndarray:
    """The numbers of grams by their keys; -1 for those that do not occur."""
    at = np.minimum(np.searchsorted(grams.keys, keys), len(grams.keys) - 1)
    return np.where(grams.keys[at] == keys, at, -1) if len(grams.keys) else np.full(len(keys), -1)
