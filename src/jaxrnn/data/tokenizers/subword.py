"""Subwords as integers, and back: byte-level byte-pair encoding."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from jaxrnn.cells.checks import require
from jaxrnn.data.tokenizers.pieces import PIECE, join, pieces

# No merge reaches across the borders of these stretches. They are those of GPT-2, with combining
# marks counted as letters, which most scripts of India need, and none longer than 64: to merge in
# a text without white space would take time in the square of its length.
STRETCH = (
    r"'s|'t|'re|'ve|'m|'ll|'d"
    r"| ?[\p{L}\p{M}]{1,64}| ?\p{N}{1,64}| ?[^\s\p{L}\p{M}\p{N}]{1,64}"
    r"|\s{1,64}(?!\S)|\s"
)
# No stretch goes on from what is not white space to what is, and none looks back.
BORDER = re.compile(r"(?<=\S)(?=[ \n])")
REMEMBERED = 2**16  # words; most of a text is a few thousand words over and over
TRAINING_PIECE = 2**14  # characters


class BPETokenizer:
    """One symbol for each frequent string of bytes: frequent words are one symbol, rare ones some.

    Symbols begin as the 256 bytes of UTF-8. The pair of symbols that most often stand side by side
    becomes a symbol of its own, until there are V. Every text in every script has symbols and comes
    back from them exactly; none is unknown.

    Source: Sennrich, Haddow and Birch, 2016, arXiv:1508.07909; over bytes: Radford et al., 2019,
    "Language models are unsupervised multitask learners". Trained and run by `tokenizers` (Hugging
    Face), which the extra `app` installs.

    >>> tokenizer = BPETokenizer.from_text("the cat, the hat, the bat. " * 9, size=262)
    >>> symbols = tokenizer.encode("the cat, né")
    >>> len(symbols), tokenizer.decode(symbols)
    (8, 'the cat, né')
    """

    level = "bpe"

    def __init__(self, vocabulary: dict[str, Any]):
        """Takes what `tokenizers` writes of a tokenizer, as a dictionary."""
        package = _package()
        try:
            self._model = package.Tokenizer.from_str(json.dumps(vocabulary))
        except Exception as error:  # of no narrower class
            raise ValueError(f"`vocabulary` must be one of `tokenizers`; got {error}") from error

    @classmethod
    def from_text(cls, text: str | Iterable[str], size: int) -> BPETokenizer:
        """Makes the vocabulary of a text; the same text always gives the same one.

        Args:
          text: what to count pairs in, whole or in chunks.
          size: V; a text in which fewer pairs stand twice gives fewer symbols.

        Raises:
          ValueError: if `size` is less than 257: the bytes and one pair.
          ModuleNotFoundError: if the extra `app` is not installed.
        """
        enough = isinstance(size, Integral) and size >= 257
        require(enough, "size", "be at least 257, the bytes and one pair of them", size)
        package = _package()
        byte_level = package.pre_tokenizers.ByteLevel
        stretches = package.pre_tokenizers.Split(package.Regex(STRETCH), "isolated")
        model = package.Tokenizer(package.models.BPE())
        model.pre_tokenizer = package.pre_tokenizers.Sequence(
            [stretches, byte_level(add_prefix_space=False, use_regex=False)]
        )
        model.decoder = package.decoders.ByteLevel()
        trainer = package.trainers.BpeTrainer(
            vocab_size=int(size),
            min_frequency=2,
            show_progress=False,
            initial_alphabet=byte_level.alphabet(),
        )
        model.train_from_iterator(_pieces(text, TRAINING_PIECE), trainer)
        return cls(json.loads(model.to_str()))

    @property
    def vocabulary_size(self) -> int:
        """V, at most the size that was asked for."""
        return self._model.get_vocab_size()

    def encode(self, text: str) -> np.ndarray:
        """Text to symbols, `[N]` int32."""
        return join(self.encode_chunks(text))

    def encode_chunks(self, text: str | Iterable[str]) -> Iterator[np.ndarray]:
        """The same piece by piece, for a text that comes in chunks; each `[n]` int32."""
        known: dict[str, bytes] = {}
        for piece in _pieces(text):
            words = BORDER.split(piece)
            new = list(set(words) - known.keys())
            for word, encoding in zip(new, self._model.encode_batch_fast(new), strict=True):
                known[word] = np.array(encoding.ids, np.int32).tobytes()
            yield np.frombuffer(b"".join(map(known.__getitem__, words)), np.int32)
            if len(known) > REMEMBERED:
                known.clear()

    def decode(self, symbols: Any) -> str:
        """Symbols to text; bytes that are not UTF-8 become the replacement character."""
        symbols = np.asarray(symbols)
        outside = symbols[(symbols < 0) | (symbols >= self.vocabulary_size)]
        require(outside.size == 0, "symbols", f"lie in [0, {self.vocabulary_size})", outside[:1])
        return self._model.decode(symbols.tolist(), skip_special_tokens=False)

    def unknown(self, text: str) -> list[str]:
        """Nothing: every text has symbols."""
        del text
        return []

    def save(self, path: str | Path) -> None:
        """Writes the vocabulary as JSON."""
        vocabulary = {"level": self.level, "tokenizer": json.loads(self._model.to_str())}
        Path(path).write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n", "utf-8")


def _pieces(text: str | Iterable[str], size: int = PIECE) -> Iterator[str]:
    """Cuts a text at borders.

    Raises:
      ValueError: if it holds half of a surrogate pair, which no bytes stand for.
    """
    for piece in pieces(text, BORDER, size):
        try:
            piece.encode("utf-8")
        except UnicodeEncodeError as error:
            half = repr(piece[error.start])
            raise ValueError(f"`text` must hold no lone surrogate; got {half}") from error
        yield piece


def _package() -> Any:
    """The package `tokenizers`, which the library does without until it is asked for subwords."""
    try:
        import tokenizers
    except ModuleNotFoundError:
        what = "subwords need the package `tokenizers`: pip install 'jaxrnn[app]'"
        raise ModuleNotFoundError(what, name="tokenizers") from None
    return tokenizers
