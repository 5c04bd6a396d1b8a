"""Pairs of sequences, one to be turned into the other: reverse, copy, sort, add, write a date.

Lists of examples for `Batches` and `pad`, in NumPy. Symbol 0 ends every source and every target.
"""

from __future__ import annotations

import datetime
import string
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxrnn.cells.checks import require, require_size

DIGITS = "0123456789+"  # of `addition`, symbols 1 to 11
LETTERS = string.ascii_lowercase + string.digits + " ,.-/"  # of `dates`, symbols 1 to 41


class Pair(NamedTuple):
    """An example, or with `Padded` a batch of them, `[B, S]` and `[B, T]`."""

    source: np.ndarray  # [S] int32, ended by 0
    target: np.ndarray  # [T] int32, ended by 0


def reverse(
    count: int, *, symbols: int, lengths: tuple[int, int], seed: int | Sequence[int]
) -> list[Pair]:
    """A word, to be written from its end to its start.

    Args:
      count: how many pairs.
      symbols: K, letters 1 to K, each as likely everywhere.
      lengths: the least and the most letters of a word, all lengths as likely.
      seed: of the random numbers.

    Returns:
      Pairs whose source and target end with 0.

    Raises:
      ValueError: if a number is not positive, or the least length above the most.

    >>> pair = reverse(1, symbols=9, lengths=(4, 4), seed=0)[0]
    >>> pair.source.tolist(), pair.target.tolist()
    ([8, 6, 5, 3, 0], [3, 5, 6, 8, 0])
    """
    return _words(count, symbols, lengths, seed, lambda word: word[::-1])


def copy(
    count: int, *, symbols: int, lengths: tuple[int, int], seed: int | Sequence[int]
) -> list[Pair]:
    """A word, to be written again; see `reverse`.

    >>> pair = copy(1, symbols=9, lengths=(4, 4), seed=0)[0]
    >>> pair.target.tolist()
    [8, 6, 5, 3, 0]
    """
    return _words(count, symbols, lengths, seed, lambda word: word)


def sort(
    count: int, *, symbols: int, lengths: tuple[int, int], seed: int | Sequence[int]
) -> list[Pair]:
    """A word, its letters to be written in order; see `reverse`.

    >>> pair = sort(1, symbols=9, lengths=(4, 4), seed=0)[0]
    >>> pair.target.tolist()
    [3, 5, 6, 8, 0]
    """
    return _words(count, symbols, lengths, seed, np.sort)


def addition(
    count: int, *, digits: int, seed: int | Sequence[int], reverse_source: bool = False
) -> list[Pair]:
    """Two numbers in characters, and their sum.

        "27+561"  ->  "588",      reversed:  "165+72"  ->  "588"

    The pairs of numbers are distinct, so that a list cut in two has no sum in both parts.

    Source: Zaremba, Sutskever 2014, arXiv:1410.4615 (sums in characters); Sutskever, Vinyals, Le
    2014, arXiv:1409.3215 (the source reversed).

    Args:
      count: how many pairs.
      digits: the most digits of a number; every number below 10 to this power is as likely.
      seed: of the random numbers.
      reverse_source: whether the characters of the source are in reverse order.

    Returns:
      Pairs in the symbols of `DIGITS`, see `spelled`; source and target end with 0.

    Raises:
      ValueError: if a number is not positive, or there are not as many pairs of numbers.

    >>> pair = addition(1, digits=3, seed=1, reverse_source=True)[0]
    >>> read(pair.source, DIGITS), read(pair.target, DIGITS)
    ('881+374', '661')
    """
    require_size("count", count)
    require_size("digits", digits)
    most = 10**digits
    require(count <= most**2, "count", f"be at most the {most**2} pairs there are", count)
    drawn = np.random.default_rng(seed).choice(most**2, count, replace=False)
    order = -1 if reverse_source else 1
    sums = (divmod(int(number), most) for number in drawn)
    return [
        Pair(spelled(f"{a}+{b}"[::order], DIGITS), spelled(f"{a + b}", DIGITS)) for a, b in sums
    ]


def dates(count: int, *, seed: int | Sequence[int]) -> list[Pair]:
    """A date as people write it, to be written as ISO 8601 says.

        "friday, 3 may 1968"  ->  "1968-05-03"

    Days from 1900 to 2099 in one of eight ways, as likely each.

    Args:
      count: how many pairs.
      seed: of the random numbers.

    Returns:
      Pairs in the symbols of `LETTERS`, see `spelled`; source and target end with 0.

    Raises:
      ValueError: if the number is not positive.

    >>> pair = dates(1, seed=0)[0]
    >>> read(pair.source, LETTERS), read(pair.target, LETTERS)
    ('saturday, february 15 2070', '2070-02-15')
    """
    require_size("count", count)
    rng = np.random.default_rng(seed)
    first, last = datetime.date(1900, 1, 1).toordinal(), datetime.date(2099, 12, 31).toordinal()
    days = map(datetime.date.fromordinal, rng.integers(first, last + 1, count).tolist())
    ways = rng.integers(0, len(_WAYS), count).tolist()
    texts = (
        (_written(day, _WAYS[way]), day.isoformat()) for day, way in zip(days, ways, strict=True)
    )
    return [Pair(spelled(human, LETTERS), spelled(iso, LETTERS)) for human, iso in texts]


def spelled(text: str, alphabet: str) -> np.ndarray:
    """The symbols of a text, ended by 0: its characters' places in the alphabet, from 1 on.

    Raises:
      ValueError: if a character is not in the alphabet.

    >>> spelled("1+2", DIGITS).tolist()
    [2, 11, 3, 0]
    """
    unknown = set(text) - set(alphabet)
    require(not unknown, "text", f"be in characters of {alphabet!r}", repr(text))
    return np.array([alphabet.index(letter) + 1 for letter in text] + [0], np.int32)


def read(symbols: np.ndarray, alphabet: str) -> str:
    """The text of symbols, up to the first 0.

    Raises:
      ValueError: if a symbol is not in the alphabet.

    >>> read(np.array([2, 11, 3, 0, 5]), DIGITS)
    '1+2'
    """
    codes = np.asarray(symbols).tolist()
    codes = codes[: codes.index(0)] if 0 in codes else codes
    known = all(0 < code <= len(alphabet) for code in codes)
    require(known, "symbols", f"lie in [0, {len(alphabet)}]", codes)
    return "".join(alphabet[code - 1] for code in codes)


def _words(
    count: int,
    symbols: int,
    lengths: tuple[int, int],
    seed: int | Sequence[int],
    answer: Callable[[np.ndarray], np.ndarray],
) -> list[Pair]:
    require_size("count", count)
    require_size("symbols", symbols)
    least, most = lengths
    rule = "be a least and a most number of letters, from 1 on"
    require(1 <= least <= most, "lengths", rule, lengths)
    rng = np.random.default_rng(seed)
    sizes = rng.integers(least, most + 1, count).tolist()
    words = [rng.integers(1, symbols + 1, size, np.int32) for size in sizes]
    end = np.zeros(1, np.int32)
    return [Pair(np.append(word, end), np.append(answer(word), end)) for word in words]


# Of their own, because those of `datetime` are in the language of the machine.
# fmt: off
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)
# fmt: on
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WAYS = (
    "{day} {month} {year}",
    "{month} {day}, {year}",
    "{weekday}, {day} {month} {year}",
    "{day} {short} {year}",
    "{short} {day}, {year}",
    "{weekday}, {month} {day} {year}",
    "{day}.{number}.{year}",
    "{number}/{day}/{year}",
)


def _written(day: datetime.date, way: str) -> str:
    month = _MONTHS[day.month - 1]
    return way.format(
        day=day.day,
        month=month,
        short=month[:3],
        number=day.month,
        year=day.year,
        weekday=_WEEKDAYS[day.weekday()],
    )
