"""The progress bar of a training run."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from jaxrnn.losses import bits


class TrainingProgress:
    """A bar with loss, bits, speed and time left; lines printed through it stay above it."""

    def __init__(self, *, total: int, completed: int, symbol: str, console: Console | None):
        """Makes the bar.

        Args:
          total: updates in the whole run.
          completed: updates done before.
          symbol: what a token is called, for example "char".
          console: where to draw; None for standard error, which leaves standard output to results.
        """
        self.console = console or Console(stderr=True)
        self._symbol = symbol
        self._progress = Progress(
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self.console,
        )
        self._task = self._progress.add_task("", total=total, completed=completed, figures="")

    def __enter__(self) -> TrainingProgress:
        """Starts drawing."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops drawing."""
        self._progress.stop()

    def update(self, completed: int, loss: float, tokens_per_second: float) -> None:
        """Moves the bar."""
        figures = (
            f"loss {loss:.3f} {float(bits(loss)):.3f} bits/{self._symbol} "
            f"{tokens_per_second / 1000:.1f}k {self._symbol}s/s"
        )
        self._progress.update(self._task, completed=completed, figures=figures)

    def print(self, text: str) -> None:
        """Prints text above the bar, as it is."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
