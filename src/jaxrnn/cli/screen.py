"""What a long measurement shows: a bar that says what is being measured, and wide tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Shows a bar on standard error, which leaves standard output to results.

    Args:
      total: how many measurements there are.

    Yields:
      `announce(text)`, to be called before each of them with what it is.
    """
    columns = (TimeElapsedColumn(), TextColumn("+"), TimeRemainingColumn(compact=True))
    bar = Progress(
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        *columns,
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        transient=True,
    )
    begun = 0
    with bar:
        task = bar.add_task("", total=total)

        def announce(text: str) -> None:
            nonlocal begun
            bar.update(task, description=text, completed=begun)
            begun += 1

        yield announce


def table_console() -> Console:
    """Returns the console for tables, wide where it is not a terminal but a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def milliseconds(value: float) -> str:
    """Writes a time with three significant digits.

    >>> milliseconds(0.01234), milliseconds(12.34), milliseconds(1234.0)
    ('0.0123 ms', '12.3 ms', '1234 ms')
    """
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def mebibytes(value: float | None) -> str:
    """Writes an amount of memory in MiB; "-" where nobody tells.

    >>> mebibytes(None), mebibytes(0.5), mebibytes(1234.5)
    ('-', '0.500', '1234')
    """
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"
