"""What does an output layer cost as the vocabulary grows, in time and in memory?

    python benchmarks/vocabulary.py [--sizes 1000,10000,100000,1000000] [--samples 1024] [--json]

Value and gradient of the mean loss over positions, in the layer's parameters and in the hidden
vectors, compiled: what one training step adds to the recurrent layers. The full softmax, the
sampled one and the adaptive one, with the same targets, drawn from Zipf's law, are timed against
each other; memory is what the compiled program needs beside arguments and results, among which is
the gradient.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from flax import nnx
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from rich.table import Table

from jaxrnn import bench
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli import screen
from jaxrnn.cli.options import fail, read_options
from jaxrnn.nn import AdaptiveSoftmax, Readout, SampledSoftmax, Softmax, zipf_cutoffs


@dataclasses.dataclass(frozen=True)
class Options:
    """Time and temporary memory of a training step of each output layer, against V."""

    sizes: str = "1000,3000,10000,30000,100000,300000,1000000"
    """V of each vocabulary, separated by commas."""
    hidden: int = 256
    """H, size of a hidden vector."""
    positions: int = 640
    """How many symbols are predicted at once, T times B."""
    samples: int = 1024
    """How many symbols the sampled softmax draws."""
    rounds: int = 5
    """How often each is timed."""
    out: Path = Path("runs/vocabulary")
    """Folder of the results."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


Make = Callable[[Options, int, nnx.Rngs], Readout]
READOUTS: dict[str, Make] = {
    "full": lambda options, size, rngs: Softmax(options.hidden, size, rngs=rngs),
    "sampled": lambda options, size, rngs: SampledSoftmax(
        options.hidden, size, samples=options.samples, rngs=rngs
    ),
    "adaptive": lambda options, size, rngs: AdaptiveSoftmax(
        options.hidden, size, cutoffs=zipf_cutoffs(size), rngs=rngs
    ),
}
# The palette of Okabe and Ito, which most colour-blind people can tell apart.
STYLES: dict[str, dict[str, Any]] = {
    "full": {"color": "#000000", "marker": "o"},
    "sampled": {"color": "#0072b2", "marker": "s"},
    "adaptive": {"color": "#d55e00", "marker": "^"},
}
PANELS = [
    ("milliseconds", "time of value and gradient (ms)"),
    ("temporary_mib", "peak temporary memory (MiB)"),
]


def read_sizes(options: Options) -> list[int]:
    """Checks the options and returns the sizes V in rising order."""
    for name in ("hidden", "positions", "samples", "rounds"):
        require_size(name, getattr(options, name))
    try:
        sizes = sorted({int(size) for size in options.sizes.split(",")})
    except ValueError:
        sizes = [0]
    rule = "be integers of at least 10, separated by commas"
    require(min(sizes) >= 10, "sizes", rule, repr(options.sizes))
    return sizes


def zipf(size: int, count: int) -> np.ndarray:
    """Symbols with probabilities proportional to 1 / (k + 1), `[count]`."""
    heap = np.cumsum(1 / np.arange(1, size + 1))
    draws = np.random.default_rng(0).random(count) * heap[-1]
    return np.searchsorted(heap, draws, side="right").clip(max=size - 1).astype(np.int32)


def compiled(readout: Readout, hs: jax.Array, targets: jax.Array) -> tuple[Any, Any]:
    """The program of one training step, and its arguments."""
    graph, params = nnx.split(readout, nnx.Param)

    def loss(params: Any, hs: jax.Array, key: jax.Array) -> jax.Array:
        return jnp.mean(nnx.merge(graph, params).nll(hs, targets, key=key))

    arguments = (params, hs, jax.random.key(0))
    program = jax.jit(jax.value_and_grad(loss, argnums=(0, 1))).lower(*arguments).compile()
    return program, arguments


def measure(options: Options, size: int) -> list[dict[str, Any]]:
    """Measures all output layers with one vocabulary of V symbols."""
    hs = jax.random.normal(jax.random.key(1), (options.positions, options.hidden))
    targets = jnp.asarray(zipf(size, options.positions))
    programs, calls = {}, []
    for name, make in READOUTS.items():
        program, arguments = compiled(make(options, size, nnx.Rngs(0)), hs, targets)
        programs[name] = program
        calls.append(lambda run=program, given=arguments: jax.block_until_ready(run(*given)))
        value, _ = calls[-1]()
        require(bool(jnp.isfinite(value)), name, "have a finite loss", value)
    seconds = bench.interleaved(calls, options.rounds)
    return [
        {
            "size": size,
            "readout": name,
            "milliseconds": 1e3 * time,
            "temporary_mib": program.memory_analysis().temp_size_in_bytes / 2**20,
        }
        for (name, program), time in zip(programs.items(), seconds, strict=True)
    ]


def plot(rows: list[dict[str, Any]], path: Path, title: str) -> None:
    """Writes time and memory against V, on logarithmic axes, as a PNG."""
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    for axes, (name, label) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        for readout, style in STYLES.items():
            own = [row for row in rows if row["readout"] == readout]
            sizes, figures = [row["size"] for row in own], [row[name] for row in own]
            axes.plot(sizes, figures, label=readout, markersize=5, **style)
        axes.set(xscale="log", yscale="log", xlabel="vocabulary V (symbols)", ylabel=label)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.minorticks_off()
        axes.grid(which="major", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.suptitle(title)
    figure.savefig(path, format="png", dpi=120)


def table(rows: list[dict[str, Any]]) -> Table:
    """A line for each vocabulary and output layer."""
    table = Table("V", "output layer", "ms", "temporary MiB")
    for row in rows:
        figures = (screen.number(row[name]) for name, _ in PANELS)
        table.add_row(f"{row['size']:,}", row["readout"], *figures)
    return table


def main() -> int:
    """Measures, prints the table, writes the files and returns the exit status."""
    try:
        options = read_options(Options, sys.argv[1:], program="vocabulary.py")
        sizes = read_sizes(options)
        options.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        return fail(error)
    machine, rows = bench.machine(), []
    with screen.progress(len(sizes), machine) as announce:
        for size in sizes:
            announce(f"V = {size:,}")
            rows += measure(options, size)
    console = screen.table_console()
    console.print(table(rows))
    console.print(bench.describe(machine), markup=False, highlight=False, soft_wrap=True)
    title = f"H = {options.hidden}, {options.positions} positions, {options.samples} samples"
    plot(rows, options.out / "vocabulary.png", title)
    given = {**dataclasses.asdict(options), "out": str(options.out)}
    text = json.dumps({"machine": machine, "options": given, "rows": rows})
    (options.out / "vocabulary.json").write_text(text + "\n", "utf-8")
    if options.json:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
