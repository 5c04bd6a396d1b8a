"""Characters, bytes and words as integers, and back."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxrnn.cells.checks import require


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
        self._codes = {c: i for i, c in enumerate(self._characters) if i}

    @classmethod
    def from_text(cls, text: str) -> CharTokenizer:
        """Makes the vocabulary of a text, in the order of code points."""
        return cls(sorted(set(text)))

    @property
    def vocabulary_size(self) -> int:
        """V, the unknown symbol included."""
        return len(self._characters)

    def encode(self, text: str) -> np.ndarray:
        """Text to symbols, `[N]` int32."""
        return np.array([self._codes.get(c, 0) for c in text], np.int32)

    def decode(self, symbols: Any) -> str:
        """Symbols to text."""
        return "".join(self._characters[i] for i in np.asarray(symbols))

    def unknown(self, text: str) -> list[str]:
        """The characters of `text` that have no symbol of their own."""
        return sorted(set(text) - self._codes.keys())

    def save(self, path: str | Path) -> None:
        """Writes the vocabulary as JSON."""
        vocabulary = {"level": self.level, "characters": self._characters[1:]}
        Path(path).write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n", "utf-8")


class ByteTokenizer:
    """One symbol for each byte of the UTF-8 encoding: 256 symbols, none unknown.

    >>> tokenizer = ByteTokenizer()
    >>> tokenizer.encode("né").tolist(), tokenizer.decode([110, 195, 169])
    ([110, 195, 169], 'né')
    """

    level = "byte"
    vocabulary_size = 256

    def encode(self, text: str | bytes) -> np.ndarray:
        """Text or bytes to symbols, `[N]` int32."""
        data = text.encode("utf-8") if isinstance(text, str) else text
        return np.frombuffer(data, np.uint8).astype(np.int32)

    def decode(self, symbols: Any) -> str:
        """Symbols to text; bytes that are not UTF-8 become the replacement character."""
        return bytes(np.asarray(symbols, np.uint8)).decode("utf-8", errors="replace")

    def unknown(self, text: str) -> list[str]:
        """Nothing: every byte has a symbol."""
        del text
        return []

    def save(self, path: str | Path) -> None:
        """Writes the vocabulary as JSON."""
        Path(path).write_text(json.dumps({"level": self.level}) + "\n", "utf-8")


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
    def from_text(cls, text: str, size: int | None = None) -> WordTokenizer:
        """Makes the vocabulary of a text.

        Args:
          text: what to count words in.
          size: V, the most frequent words and the unknown one; all of them unless given.

        Raises:
          ValueError: if `size` is less than 2.
        """
        require(size is None or size >= 2, "size", "be at least 2", size)
        counts = Counter(cls._split(text))
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
        return np.array([self._codes.get(word, 0) for word in self._split(text)], np.int32)

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


Tokenizer = CharTokenizer | ByteTokenizer | WordTokenizer


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Reads a vocabulary that a tokenizer saved.

    Raises:
      ValueError: if the file is missing or is not a vocabulary.
    """
    try:
        vocabulary = json.loads(Path(path).read_text("utf-8"))
        if vocabulary["level"] == "byte":
            return ByteTokenizer()
        if vocabulary["level"] == "word":
            return WordTokenizer(vocabulary["words"])
        return CharTokenizer(vocabulary["characters"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"`path` must be a saved vocabulary; got {path} ({error})") from error
