"""The loss of every network while it learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# The palette of Okabe and Ito, which most colour-blind people can tell apart.
COLORS = {"tanh": "#d55e00", "irnn": "#e69f00", "gru": "#0072b2", "lstm": "#000000"}


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Writes a PNG with a panel for each task and a line for each network.

    Args:
      rows: results of `training.run`.
      path: the PNG; overwritten.
    """
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure = Figure(figsize=(3.6 * len(tasks), 3.6), layout="constrained")
    panels = figure.subplots(1, len(tasks), squeeze=False)[0]
    for axes, task in zip(panels, tasks, strict=True):
        for row in (row for row in rows if row["task"] == task):
            updates = [n * row["span"] for n in range(1, len(row["curve"]) + 1)]
            for seed, losses in enumerate(zip(*row["curve"], strict=True)):
                label = None if seed else row["unit"]
                axes.plot(updates, losses, label=label, color=COLORS[row["unit"]], linewidth=1)
        axes.set(title=task, xlabel="updates", yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("training loss, mean over 100 updates")
    panels[0].legend(frameon=False)
    figure.savefig(path, format="png", dpi=120)
