"""Labelled lines: on each line a label, a tab and a text."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from jaxrnn.cells.checks import require
from jaxrnn.data.corpus import read_text


class LabelledText(NamedTuple):
    """A text, and which of several kinds it is of."""

    text: str
    label: str


def read_labelled(path: str | Path, argument: str = "path") -> list[LabelledText]:
    r"""Reads texts to be classified: reviews with what they think, messages with their topic.

    Lines end with a line feed; empty ones are left out. A tab within the text stays there.

    Args:
      path: of the file, UTF-8.
      argument: what errors call it.

    Returns:
      One for each line.

    Raises:
      ValueError: if the file is missing, empty or no UTF-8 text, or a line has no label or no text;
        the message names the line.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
    ...     _ = file.write("good\tI liked it .\nbad\tNever again .\n")
    ...     file.flush()
    ...     texts = read_labelled(file.name)
    >>> texts[1]
    LabelledText(text='Never again .', label='bad')
    """
    found = []
    lines = read_text(path, argument).removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        if line.strip():
            label, _, text = line.partition("\t")
            whole = bool(label.strip() and text.strip())
            rule = f"have a label, a tab and a text in line {number} of {path}"
            require(whole, argument, rule, repr(line))
            found.append(LabelledText(text.strip(), label.strip()))
    require(len(found) > 0, argument, "hold at least one text", path)
    return found
