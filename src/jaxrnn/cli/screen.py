"""What a long measurement shows: a bar that says what is being measured, and wide tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from jaxrnn.bench import busy

KINDS: dict[str, str] = {"forward": "forward", "value_and_grad": "value and gradient"}


@contextlib.contextmanager
def progress(total: int, machine: dict[str, Any] | None = None) -> Iterator[Callable[[str], None]]:
    """Shows a bar on standard error, which leaves standard output to results.

    Args:
      total: how many measurements there are.
      machine: what `bench.machine()` said before; a busy one gets a warning above the bar. None
        where nothing is timed.

    Yields:
      `announce(text)`, to be called before each of them with what it is.
    """
    columns = (TimeElapsedColumn(), TextColumn("+"), TimeRemainingColumn(compact=True))
    console = Console(stderr=True)
    if machine and (warning := busy(machine)):
        console.print(warning, markup=False, highlight=False, soft_wrap=True)
    bar = Progress(
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        *columns,
        TextColumn("{task.description}"),
        console=console,
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


def report(tables: Iterable[Table], notes: Iterable[str]) -> None:
    """Prints tables, and lines below them as they are."""
    console = table_console()
    for table in tables:
        console.print(table)
    for line in notes:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def number(value: float | None) -> str:
    """Writes a figure with three significant digits; "-" where there is none.

    >>> number(0.012345), number(12.34), number(1234.5), number(None)
    ('0.0123', '12.3', '1,234', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
