"""Characters as integers, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxrnn.cells.checks import require
from jaxrnn.data.tokenizers.pieces import join, pieces


class CharTokenizer:
    """One symbol for each character of a text; symbol 0 stands for any other character.

    >>> tokenizer = CharTokenizer.from_text("hello")
    >>> tokenizer.encode("hole").tolist(), tokenizer.decode([2, 4, 3, 1])
    ([2, 4, 3, 1], 'hole')
    >>> tokenizer.encode("help!").tolist(), tokenizer.unknown("help!")
    ([2, 1, 3, 0, 0], ['!', 'p'])
    """

    level = "char"
    unknown_symbol = "\N{REPLACEMENT CHARACTER}"

    def __init__(self, characters: Sequence[str]):
        """Takes the vocabulary, symbols 1, 2, ... in order."""
        distinct = len(set(characters)) == len(characters) and all(len(c) == 1 for c in characters)
        require(distinct, "characters", "be distinct single characters", len(characters))
        self._characters = [self.unknown_symbol, *characters]
        points = _code_points("".join(characters))
        # The symbol of each code point; the last entry is for all code points beyond.
        self._symbols = np.zeros(points.max(initial=0) + 2, np.int32)
        self._symbols[points] = np.arange(1, len(points) + 1)

    @classmethod
    def from_text(cls, text: str | Iterable[str]) -> CharTokenizer:
        """Makes the vocabulary of a text, or of its chunks, in the order of code points."""
        seen = np.zeros(0x110000, bool)
        for piece in pieces(text):
            seen[_code_points(piece)] = True
        return cls([chr(point) for point in np.flatnonzero(seen)])

    @property
    def vocabulary_size(self) -> int:
        """V, the unknown symbol included."""
        return len(self._characters)

    def encode(self, text: str) -> np.ndarray:
        """Text to symbols, `[N]` int32."""
        return join(self.encode_chunks(text))

    def encode_chunks(self, text: str | Iterable[str]) -> Iterator[np.ndarray]:
        """The same piece by piece, for a text that comes in chunks; each `[n]` int32."""
        for piece in pieces(text):
            yield self._symbols.take(_code_points(piece), mode="clip")

    def decode(self, symbols: Any) -> str:
        """Symbols to text."""
        return "".join(self._characters[i] for i in np.asarray(symbols))

    def unknown(self, text: str) -> list[str]:
        """The characters of `text` that have no symbol of their own."""
        return sorted(set(text) - set(self._characters[1:]))

    def save(self, path: str | Path) -> None:
        """Writes the vocabulary as JSON."""
        vocabulary = {"level": self.level, "characters": self._characters[1:]}
        Path(path).write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n", "utf-8")


def _code_points(text: str) -> np.ndarray:
    """The code point of each character, `[N]` uint32; lone surrogates included."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
