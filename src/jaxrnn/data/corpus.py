"""Texts: the one that every Python carries, and any file."""

from __future__ import annotations

from pathlib import Path
from typing import AnyStr

from jaxrnn.cells.checks import require


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
    path = Path(path)
    require(path.is_file(), argument, "be a file that exists", path)
    data = path.read_bytes()
    require(len(data) > 0, argument, "not be empty", path)
    return data


def read_text(path: str | Path, argument: str = "corpus") -> str:
    """Reads a UTF-8 file; errors say that `argument` named it.

    Raises:
      ValueError: if it is missing, empty or not UTF-8; then the message has the byte offset.
    """
    data = read_bytes(path, argument)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"{path} with byte 0x{data[error.start]:02x} at offset {error.start}"
        raise ValueError(
            f"`{argument}` must be UTF-8 text (or be read with `level` byte); got {what}"
        ) from error


def split(text: AnyStr, validation: float = 0.05) -> tuple[AnyStr, AnyStr]:
    """Cuts off the last part of a text for validation.

    Raises:
      ValueError: if `validation` is not between 0 and 1.

    >>> split("abcdefghij", validation=0.2)
    ('abcdefgh', 'ij')
    """
    require(0 < validation < 1, "validation", "lie between 0 and 1", validation)
    border = len(text) - round(len(text) * validation)
    return text[:border], text[border:]
