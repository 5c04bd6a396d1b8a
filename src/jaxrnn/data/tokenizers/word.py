"""Words as integers, and back."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from jaxrnn.cells.checks import require
from jaxrnn.data.tokenizers.pieces import join, pieces

BORDER = re.compile(r"\s")  # exactly what `str.split` takes for white space


class WordTokenizer:
    r"""One symbol for each word of a text; symbol 0 stands for any other word.

    Words are what white space separates; the end of a line is the word `</s>`. Decoding gives the
    words of a line back with one space between them.

    >>> tokenizer = WordTokenizer.from_text("the cat sat\nthe cat ran\n", size=4)
    >>> tokenizer.encode("the dog sat").tolist(), tokenizer.decode([3, 2, 1, 0])
    ([3, 0, 0], 'the cat\n<unk>')
    >>> tokenizer.unknown("the dog sat")
    ['dog', 'sat']
    """

    level = "word"
    unknown_symbol = "<unk>"
    end_of_line = "</s>"

    def __init__(self, words: Sequence[str]):
        """Takes the vocabulary, symbols 1, 2, ... in order."""
        plain = all(word.split() == [word] for word in words) and self.unknown_symbol not in words
        rule = f"be distinct words without white space, {self.unknown_symbol} not among them"
        require(plain and len(set(words)) == len(words), "words", rule, len(words))
        self._words = [self.unknown_symbol, *words]
        self._codes = {word: i for i, word in enumerate(self._words)}

    @classmethod
    def from_text(cls, text: str | Iterable[str], size: int | None = None) -> WordTokenizer:
        """Makes the vocabulary of a text.

        Args:
          text: what to count words in, whole or in chunks.
          size: V, the most frequent words and the unknown one; all of them unless given.

        Raises:
          ValueError: if `size` is less than 2.
        """
        require(size is None or size >= 2, "size", "be at least 2", size)
        counts: Counter[str] = Counter()
        for piece in pieces(text, BORDER):
            counts.update(cls._split(piece))
        del counts[cls.unknown_symbol]
        frequent = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(frequent if size is None else frequent[: size - 1])

    @classmethod
    def _split(cls, text: str) -> list[str]:
        return text.replace("\n", f" {cls.end_of_line} ").split()

    @property
    def vocabulary_size(self) -> int:
        """V, the unknown word included."""
        return len(self._words)

    @property
    def boundary(self) -> int | None:
        """The symbol that ends a line; None if no line ended where the vocabulary comes from."""
        return self._codes.get(self.end_of_line)

    def encode(self, text: str) -> np.ndarray:
        """Text to symbols, `[N]` int32."""
        return join(self.encode_chunks(text))

    def encode_chunks(self, text: str | Iterable[str]) -> Iterator[np.ndarray]:
        """The same piece by piece, for a text that comes in chunks; each `[n]` int32."""
        for piece in pieces(text, BORDER):
            words = self._split(piece)
            yield np.fromiter(map(self._codes.get, words, repeat(0)), np.int32, len(words))

    def decode(self, symbols: Any) -> str:
        """Symbols to text."""
        text = " ".join(self._words[i] for i in np.asarray(symbols))
        return re.sub(rf" ?{self.end_of_line} ?", "\n", text)

    def unknown(self, text: str) -> list[str]:
        """The words of `text` that have no symbol of their own."""
        return sorted(set(self._split(text)) - self._codes.keys())

    def save(self, path: str | Path) -> None:
        """Writes the vocabulary as JSON."""
        vocabulary = {"level": self.level, "words": self._words[1:]}
        Path(path).write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n", "utf-8")
