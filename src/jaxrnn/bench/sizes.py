"""What is measured at a point, and how it is written on a command line."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from jaxrnn.cells import elman, gru, lstm
from jaxrnn.cells.checks import require

CELLS = {"elman": elman, "lstm": lstm, "gru": gru}


class Size(NamedTuple):
    """The four numbers that decide the cost of a recurrent layer."""

    batch: int  # B
    length: int  # T
    inputs: int  # D
    hidden: int  # H

    def __str__(self) -> str:
        """The way it is written on a command line."""
        return ",".join(map(str, self))


def parse_sizes(text: str, argument: str = "sizes") -> list[Size]:
    """Reads the sizes of several points.

    Args:
      text: `B,T,D,H` of each point, separated by semicolons.
      argument: what the option is called, for the message.

    Raises:
      ValueError: if a point is not four positive integers.

    >>> parse_sizes("1,1024,128,128; 32,128,128,128")[1].batch
    32
    """
    rule = "be four positive integers B,T,D,H for each point, points separated by semicolons"
    points = [_integers(part) for part in text.split(";")]
    require(all(len(p) == 4 and min(p) > 0 for p in points), argument, rule, repr(text))
    return [Size(*point) for point in points]


def parse_lengths(text: str) -> list[int]:
    """Reads scan lengths T, separated by commas, and returns them in rising order.

    Raises:
      ValueError: if one is not a positive integer.
    """
    lengths = _integers(text)
    rule = "be positive integers, separated by commas"
    require(bool(lengths) and min(lengths) > 0, "lengths", rule, repr(text))
    return sorted(set(lengths))


def parse_names(argument: str, text: str, known: Collection[str]) -> list[str]:
    """Reads names separated by commas, without repetitions.

    Args:
      argument: what the option is called, for the message.
      text: the names.
      known: the names that there are.

    Raises:
      ValueError: if there is no name, or one that is not known.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    wrong = [name for name in names if name not in known]
    require(not wrong, argument, f"be among {', '.join(known)}", repr(wrong[0] if wrong else ""))
    return names


def _integers(text: str) -> list[int]:
    """Returns the integers in a text, or none at all if one of them is not an integer."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        return []
