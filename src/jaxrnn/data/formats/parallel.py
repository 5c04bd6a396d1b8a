"""Parallel text: two files of which the lines of the same number mean the same."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from jaxrnn.cells.checks import require
from jaxrnn.data.corpus import read_text


class TextPair(NamedTuple):
    """A sentence in two languages."""

    source: str
    target: str


def read_parallel(source: str | Path, target: str | Path) -> list[TextPair]:
    """Reads two files line by line.

    Lines end with a line feed, and a carriage return before it belongs to the end; other signs that
    Python takes for the end of a line stay in the text, because they are in such data.

    Args:
      source: path of the sentences to be translated, UTF-8.
      target: path of their translations.

    Returns:
      A pair for each line. A line may be empty.

    Raises:
      ValueError: if a file is missing, empty or no UTF-8 text, or they have different numbers of
        lines.
    """
    sources, targets = _lines("source", source), _lines("target", target)
    rule = f"have as many lines as {source}, {len(sources)}"
    require(len(targets) == len(sources), "target", rule, f"{len(targets)} in {target}")
    return [TextPair(*pair) for pair in zip(sources, targets, strict=True)]


def _lines(argument: str, path: str | Path) -> list[str]:
    text = read_text(path, argument).removeprefix("\ufeff").replace("\r\n", "\n")
    require(bool(text.strip()), argument, "be a file with text", path)
    return text.removesuffix("\n").split("\n")
