"""A long text in pieces that a tokenizer can read one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np

PIECE = 2**20  # characters; what is made of one piece is then some megabytes
ANYWHERE = re.compile("")


def pieces(
    text: str | Iterable[str], border: re.Pattern[str] = ANYWHERE, size: int = PIECE
) -> Iterator[str]:
    """Cuts a text anew, into pieces that begin where `border` matches.

    Args:
      text: a text, or the chunks that it is made of.
      border: matches where a cut changes nothing; how the text came in chunks changes nothing then.
      size: characters that a piece has at least, the last one excepted. Where no border follows, a
        piece is as long as it takes.

    Returns:
      An iterator over the pieces, none of them empty, which joined are the text.

    >>> list(pieces(["one tw", "o three"], re.compile(" "), size=2))
    ['one', ' two', ' three']
    """
    held: list[str] = []  # the beginning of a piece, from chunks before
    length = 0
    for chunk in [text] if isinstance(text, str) else text:
        start = 0
        while (earliest := start + max(size - length, 1)) < len(chunk):
            found = border.search(chunk, earliest)
            if found is None:
                break
            yield "".join([*held, chunk[start : found.start()]])
            held, length, start = [], 0, found.start()
        held.append(chunk[start:])
        length += len(chunk) - start
    if length:
        yield "".join(held)


def join(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """Joins the symbols of pieces, `[N]` int32."""
    return np.concatenate([np.zeros(0, np.int32), *arrays])
