"""Columns as in the CoNLL shared tasks: a line for each word, a blank line between sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxrnn.cells.checks import require


def read_conll(
    path: str | Path, columns: Sequence[str], *, separator: str | None = None
) -> list[dict[str, list[str]]]:
    r"""Reads sentences with a label, or several, for each word.

    Lines that begin with `-DOCSTART-`, which part documents in CoNLL-2003, are left out.

    Source: Tjong Kim Sang, Buchholz 2000, arXiv:cs/0009008.

    Args:
      path: a text file in UTF-8.
      columns: their names, from the left, for example `("word", "pos", "chunk")`.
      separator: what stands between two columns; None: white space of any length.

    Returns:
      For each sentence its columns by name, lists of one length.

    Raises:
      ValueError: if a line has another number of columns, the file holds no sentence, or is not
        UTF-8; the message names the line.
      OSError: if the file cannot be read.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
    ...     _ = file.write("He PRP B-NP\nsleeps VBZ B-VP\n\nYes UH O\n")
    ...     file.flush()
    ...     sentences = read_conll(file.name, ("word", "pos", "chunk"))
    >>> len(sentences), sentences[0]["chunk"]
    (2, ['B-NP', 'B-VP'])
    """
    require(len(columns) > 0, "columns", "name at least one column", columns)
    sentences: list[dict[str, list[str]]] = []
    rows: list[list[str]] = []
    for number, line in enumerate(_lines(Path(path)), 1):
        if line.strip() and not line.startswith("-DOCSTART-"):
            row = line.split(separator)
            rule = f"have {len(columns)} columns in line {number} of {path}"
            require(len(row) == len(columns), "path", rule, f"{len(row)}: {line!r}")
            rows.append(row)
        elif rows:
            sentences.append(_by_name(columns, rows))
            rows = []
    if rows:
        sentences.append(_by_name(columns, rows))
    require(len(sentences) > 0, "path", "hold at least one sentence", path)
    return sentences


def _lines(path: Path) -> list[str]:
    try:
        # Not `splitlines`, to which a page break or a line separator within a word ends a line.
        return path.read_text("utf-8").split("\n")
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        rule = f"be UTF-8 in line {number} of {path}"
        raise ValueError(
            f"`path` must {rule}; got {error.object[error.start : error.end]!r}"
        ) from None


def _by_name(columns: Sequence[str], rows: list[list[str]]) -> dict[str, list[str]]:
    return {
        name: list(column) for name, column in zip(columns, zip(*rows, strict=True), strict=True)
    }
