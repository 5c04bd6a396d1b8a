"""How far a sequence of symbols is from the one that was wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxrnn.cells.checks import require


def edit_distance(found: Sequence[Any] | np.ndarray, wanted: Sequence[Any] | np.ndarray) -> int:
    """The fewest symbols to insert, delete or replace that make one sequence the other.

        d_{i,j} = min(d_{i-1,j} + 1, d_{i,j-1} + 1, d_{i-1,j-1} + [found_i ≠ wanted_j])

    Source: Wagner, Fischer 1974, doi:10.1145/321796.321811.

    >>> edit_distance("kitten", "sitting")
    3
    """
    row = list(range(len(wanted) + 1))
    for i, symbol in enumerate(found, 1):
        before, row = row, [i]
        for j, other in enumerate(wanted, 1):
            replaced = before[j - 1] + int(symbol != other)
            row.append(min(before[j] + 1, row[-1] + 1, replaced))
    return row[-1]


def error_rate(found: Sequence[Any], wanted: Sequence[Any]) -> float:
    """The label error rate: edits per wanted symbol, over all sequences together.

    Args:
      found: sequences of symbols.
      wanted: as many sequences.

    Returns:
      0 where all are right; above 1 if more is wrong than was wanted.

    Raises:
      ValueError: if there are not as many, or no symbol is wanted.

    >>> error_rate(["kitten", "ab"], ["sitting", "abc"])
    0.4
    """
    require(len(found) == len(wanted), "found", f"hold {len(wanted)} sequences", len(found))
    symbols = sum(map(len, wanted))
    require(symbols > 0, "wanted", "hold at least one symbol", 0)
    return sum(map(edit_distance, found, wanted)) / symbols
