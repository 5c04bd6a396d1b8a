"""A text as symbols to train on and symbols to validate with, for a text of any length."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxrnn.cells.checks import require
from jaxrnn.data.corpus import CHUNK, read_byte_chunks, read_text_chunks, validation_border
from jaxrnn.data.token_file import smallest_dtype, write_array
from jaxrnn.data.tokenizers import (
    BPETokenizer,
    ByteTokenizer,
    CharTokenizer,
    Tokenizer,
    WordTokenizer,
)

TRAINING, VALIDATION = "training.npy", "validation.npy"
LEVELS = ("char", "byte", "word", "bpe")


class EncodedText(NamedTuple):
    """A text as symbols, in two parts."""

    tokenizer: Tokenizer
    training: np.ndarray  # [N] unsigned, the smallest that hold V - 1
    validation: np.ndarray  # [N] of the same
    validation_characters: int  # in the text of the validation part
    digest: str  # SHA-256 of the whole text, in UTF-8


def encode_text(
    text: str,
    *,
    level: str = "char",
    vocabulary_size: int | None = None,
    tokenizer: Tokenizer | None = None,
    validation: float = 0.05,
) -> EncodedText:
    """Splits a text as `split` does, makes a vocabulary of the training part and encodes both.

    What only the validation part has is unknown there.

    Args:
      text: any text that fits in memory.
      level: what a symbol is: "char", "byte", "word" or "bpe".
      vocabulary_size: V, at levels word and bpe; at level bpe it must be given.
      tokenizer: one of that level, to be used as it is; None makes one.
      validation: the share of the text, at its end, that is kept for validation.

    Raises:
      ValueError: if the text is empty, a part of it too short, all one symbol, or an argument does
        not fit another.

    >>> encoded = encode_text("abababab" * 5, validation=0.1)
    >>> encoded.training[:3].tolist(), encoded.validation.tolist()
    ([1, 2, 1], [1, 2, 1, 2])
    """
    make = _vocabulary(level, vocabulary_size, tokenizer)
    data = text.encode("utf-8")
    source = _Source(lambda: [data if level == "byte" else text], hashlib.sha256(data).hexdigest())
    return _encode(source, make, validation, None, "text")


def encode_file(
    path: str | Path,
    *,
    level: str = "char",
    vocabulary_size: int | None = None,
    tokenizer: Tokenizer | None = None,
    validation: float = 0.05,
    folder: str | Path | None = None,
    argument: str = "path",
    chunk_size: int = CHUNK,
) -> EncodedText:
    """The same of a text file, read chunk by chunk, with symbols that need not fit in memory.

    Args:
      path: UTF-8 text; any bytes at level byte.
      level: what a symbol is: "char", "byte", "word" or "bpe".
      vocabulary_size: V, at levels word and bpe; at level bpe it must be given.
      tokenizer: one of that level, to be used as it is; None makes one.
      validation: the share of the text, at its end, that is kept for validation.
      folder: where `training.npy` and `validation.npy` are written, and mapped from; None keeps
        the symbols in memory.
      argument: what errors call the file.
      chunk_size: bytes to read at a time; changes nothing but memory and speed.

    Raises:
      ValueError: if the file is missing, empty or not UTF-8, or as `encode_text`.
    """
    make = _vocabulary(level, vocabulary_size, tokenizer)
    read = read_byte_chunks if level == "byte" else read_text_chunks
    chunks = lambda: read(path, argument, chunk_size)
    chunks()  # raises before the file is hashed
    with open(path, "rb") as file:
        source = _Source(chunks, hashlib.file_digest(file, "sha256").hexdigest())
    place = None if folder is None else Path(folder)
    return _encode(source, make, validation, place, argument)


class _Source(NamedTuple):
    """A text that can be read again and again."""

    chunks: Callable[[], Iterable[Any]]  # strings, or bytes at level byte
    digest: str


def _vocabulary(
    level: str, size: int | None, tokenizer: Tokenizer | None
) -> Callable[[Iterator[Any]], Tokenizer]:
    """Returns what makes a tokenizer of the chunks of a text."""
    require(level in LEVELS, "level", f"be one of {', '.join(LEVELS)}", repr(level))
    if tokenizer is not None:
        require(tokenizer.level == level, "tokenizer", f"be of level {level}", tokenizer.level)
        require(size is None, "vocabulary_size", "be left out where `tokenizer` is given", size)
        return lambda chunks: tokenizer
    if level == "bpe":
        # Before the file is read.
        enough = size is not None and size >= 257
        rule = "be at least 257 at level bpe, the bytes and one pair of them"
        require(enough, "vocabulary_size", rule, size)
        return lambda chunks: BPETokenizer.from_text(chunks, size or 0)
    if level == "word":
        require(size is None or size >= 2, "vocabulary_size", "be at least 2", size)
        return lambda chunks: WordTokenizer.from_text(chunks, size=size)
    require(size is None, "vocabulary_size", "be left out at levels char and byte", size)
    return CharTokenizer.from_text if level == "char" else lambda chunks: ByteTokenizer()


def _encode(
    source: _Source,
    make: Callable[[Iterator[Any]], Tokenizer],
    validation: float,
    folder: Path | None,
    argument: str,
) -> EncodedText:
    length = sum(map(len, source.chunks()))
    require(length > 0, argument, "not be empty", f"{length} characters")
    border = validation_border(length, validation)
    tokenizer = make(_part(source.chunks(), 0, border))

    def encode(start: int, stop: int, name: str) -> np.ndarray:
        pieces = tokenizer.encode_chunks(_part(source.chunks(), start, stop))
        dtype = smallest_dtype(tokenizer.vocabulary_size)
        if folder is not None:
            return write_array(pieces, dtype, folder / name)
        return np.concatenate([np.zeros(0, dtype), *(piece.astype(dtype) for piece in pieces)])

    with _complete_or_none(folder):
        tokens = encode(0, border, TRAINING)
        only = repr(tokenizer.decode(tokens[:1]))
        require(_differ(tokens), argument, "hold two different symbols", only)
        held_out = encode(border, length, VALIDATION)
        require(len(held_out) > 1, argument, "leave two symbols for validation", len(held_out))
    characters = _characters(_part(source.chunks(), border, length))
    return EncodedText(tokenizer, tokens, held_out, characters, source.digest)


def _part(chunks: Iterable[Any], start: int, stop: int) -> Iterator[Any]:
    """Returns the chunks of `text[start:stop]`, where `chunks` are those of the text."""
    position = 0
    for chunk in chunks:
        if part := chunk[max(start - position, 0) : stop - position]:
            yield part
        position += len(chunk)
        if position >= stop:
            return


def _differ(tokens: np.ndarray) -> bool:
    """Whether not all are the same; of a mapped array, mostly its beginning is read."""
    parts = (tokens[i : i + CHUNK] for i in range(0, len(tokens), CHUNK))
    return any(bool((part != tokens[0]).any()) for part in parts)


def _characters(chunks: Iterable[str | bytes]) -> int:
    """Counts characters; one for each stretch of bytes that is not UTF-8, as when decoding."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    lengths = (len(c) if isinstance(c, str) else len(decoder.decode(c)) for c in chunks)
    return sum(lengths) + len(decoder.decode(b"", final=True))


@contextmanager
def _complete_or_none(folder: Path | None) -> Iterator[None]:
    """Makes a folder for the symbols, and takes it back where they cannot be had."""
    if folder is None:
        yield
        return
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for name in (TRAINING, VALIDATION):
            (folder / name).unlink(missing_ok=True)
        if new:
            folder.rmdir()
        raise
