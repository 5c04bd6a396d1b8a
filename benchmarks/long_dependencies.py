"""Which recurrent units learn long dependencies?

    python benchmarks/long_dependencies.py [--tasks adding-100,parity] [--units lstm] [--json]

The adding problem, temporal order, parity and a^n b^n, each by networks with different seeds that
are trained together. What is finished is kept in the folder `--out`, a run that was stopped goes on
where it was, and the same command on a finished folder prints its table again.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.progress import Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from jaxrnn import bench
from jaxrnn.cells.checks import require_size
from jaxrnn.cli import screen, script
from memory_tasks.adding import adding
from memory_tasks.counting import counting
from memory_tasks.experiment import Experiment
from memory_tasks.network import UNITS
from memory_tasks.order import order
from memory_tasks.parity import parity
from memory_tasks.plot import plot
from memory_tasks.training import learned_after, run

TASKS: dict[str, Callable[[str], Experiment]] = {
    "parity": parity,
    "temporal-order": order,
    "counting": counting,
    "adding-100": partial(adding, 100),
    "adding-200": partial(adding, 200),
}


@dataclasses.dataclass(frozen=True)
class Options:
    """Trains recurrent units on tasks with long dependencies."""

    tasks: str = ",".join(TASKS)
    """Tasks, separated by commas."""
    units: str = ",".join(UNITS)
    """Recurrent units, separated by commas."""
    seeds: int = 3
    """How many networks of each."""
    out: Path = Path("runs/long_dependencies")
    """Folder of results and checkpoints."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def measure(options: Options) -> dict[str, Any]:
    """Runs every unit on every task, behind a progress bar."""
    require_size("seeds", options.seeds)
    tasks = bench.parse_names("tasks", options.tasks, TASKS)
    units = bench.parse_names("units", options.units, UNITS)
    machine, rows = bench.machine(), []
    columns = (TextColumn("{task.fields[losses]}"), TimeElapsedColumn())
    with Progress(*Progress.get_default_columns(), *columns, console=Console(stderr=True)) as bars:
        for experiment in (TASKS[task](unit) for task in tasks for unit in units):
            bar = bars.add_task(experiment.name, total=experiment.training.updates, losses="")
            folder = options.out / f"{experiment.name}-{options.seeds}"

            def show(updates: int, losses: list[float], bar: TaskID = bar) -> None:
                text = " ".join(f"{loss:.4f}" for loss in losses)
                bars.update(bar, completed=updates, losses=text)

            rows.append(run(experiment, folder, options.seeds, show))
    given = {**dataclasses.asdict(options), "out": str(options.out)}
    return {"machine": machine, "options": given, "rows": rows}


def table(result: dict[str, Any]) -> Table:
    """Scores of all networks, and how long they took to learn."""
    titles = ("task", "unit", "score of each seed", "solved", "learned after updates", "s")
    table = Table(*titles)
    for row in result["rows"]:
        experiment = TASKS[row["task"]](row["unit"])
        after = [learned_after(row, seed) for seed in range(len(row["scores"]))]
        table.add_row(
            row["task"],
            row["unit"],
            " ".join(screen.number(score) for score in row["scores"]),
            f"{sum(map(experiment.solved, row['scores']))} of {len(row['scores'])}",
            " ".join(f"{updates:,}" if updates else "-" for updates in after),
            f"{row['seconds']:.0f}",
        )
    return table


def notes(result: dict[str, Any]) -> list[str]:
    """What each score is, what chance gives, and what is published."""
    lines = []
    for task in dict.fromkeys(row["task"] for row in result["rows"]):
        experiment = TASKS[task](next(iter(UNITS)))
        line = f"{task}: {experiment.measure}; chance {experiment.chance}"
        lines.append(f"{line}; published: {experiment.published}" if experiment.published else line)
    return lines


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the table, and writes it and the curves beside the runs."""
    screen.report([table(result)], (*notes(result), bench.describe(result["machine"])))
    plot(result["rows"], options.out / "long_dependencies.png")
    path = options.out / "long_dependencies.json"
    path.write_text(json.dumps(result) + "\n", "utf-8")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="long_dependencies.py")


if __name__ == "__main__":
    sys.exit(main())
