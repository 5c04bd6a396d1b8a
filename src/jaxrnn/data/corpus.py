"""Texts: the one that every Python carries, and any file, whole or in chunks."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import AnyStr

from jaxrnn.cells.checks import require

CHUNK = 2**20  # bytes


def default_corpus() -> str:
    """The language reference of the running Python: real English, no download.

    The topics of `pydoc` repeat many paragraphs word for word. Each is kept once, because a
    paragraph on both sides of a train/validation split would flatter every model. On Python 3.11 it
    is 373 thousand characters; other versions differ a little.
    """
    from pydoc_data.topics import topics

    paragraphs: dict[str, None] = {}
    for topic in sorted(topics):
        for paragraph in topics[topic].split("\n\n"):
            paragraphs.setdefault(paragraph.strip("\n"))
    paragraphs.pop("", None)
    return "\n\n".join(paragraphs) + "\n"


def read_bytes(path: str | Path, argument: str = "corpus") -> bytes:
    """Reads a file that must be there and hold something; errors say that `argument` named it.

    Raises:
      ValueError: if it is missing, not a file, or empty.
    """
    _require_file(path, argument)
    return Path(path).read_bytes()


def read_text(path: str | Path, argument: str = "corpus") -> str:
    """Reads a UTF-8 file; errors say that `argument` named it.

    Raises:
      ValueError: if it is missing, empty or not UTF-8; then the message has the byte offset.
    """
    return "".join(read_text_chunks(path, argument))


def read_byte_chunks(
    path: str | Path, argument: str = "corpus", size: int = CHUNK
) -> Iterator[bytes]:
    """Reads a file bit by bit, as an iterator over `size` bytes each; raises as `read_bytes`."""
    _require_file(path, argument)
    return _bytes_of(path, size)


def read_text_chunks(
    path: str | Path, argument: str = "corpus", size: int = CHUNK
) -> Iterator[str]:
    """Reads a UTF-8 file bit by bit, `size` bytes at a time; raises as `read_text`.

    What is missing or empty is an error at once; what is not UTF-8, when it is read.
    """
    return _decoded(read_byte_chunks(path, argument, size), path, argument)


def _require_file(path: str | Path, argument: str) -> None:
    path = Path(path)
    require(path.is_file(), argument, "be a file that exists", path)
    require(path.stat().st_size > 0, argument, "not be empty", path)


def _bytes_of(path: str | Path, size: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while data := file.read(size):
            yield data


def _decoded(chunks: Iterator[bytes], path: str | Path, argument: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0  # in the file, of what is decoded next
    for data in itertools.chain(chunks, [b""]):
        begun = len(decoder.getstate()[0])  # bytes of a character that the chunk before cut
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            offset = position - begun + error.start
            what = f"{path} with byte 0x{error.object[error.start]:02x} at offset {offset}"
            raise ValueError(
                f"`{argument}` must be UTF-8 text (or be read with `level` byte); got {what}"
            ) from error
        position += len(data)
        if text:
            yield text


def validation_border(length: int, validation: float) -> int:
    """Where a text of that length is cut, so that the share `validation` comes after.

    Raises:
      ValueError: if `validation` is not between 0 and 1.
    """
    require(0 < validation < 1, "validation", "lie between 0 and 1", validation)
    return length - round(length * validation)


def split(text: AnyStr, validation: float = 0.05) -> tuple[AnyStr, AnyStr]:
    """Cuts off the last part of a text for validation.

    Raises:
      ValueError: if `validation` is not between 0 and 1.

    >>> split("abcdefghij", validation=0.2)
    ('abcdefgh', 'ij')
    """
    border = validation_border(len(text), validation)
    return text[:border], text[border:]
