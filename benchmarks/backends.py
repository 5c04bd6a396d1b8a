"""What does each way to run a layer cost, in time and in memory, and how exact is it?

    python benchmarks/backends.py [--cell gru] [--sizes "16,1024,768,768"] [--dtypes bfloat16]

Outputs, and the gradient of the mean of their squares in all parameters: on the backends of
`unroll`, by scans written by hand, and by Flax and PyTorch; on a GPU also with the loop as a CUDA
graph, and by cuDNN. All ways at a point are measured in one interleaved run. What they give is held
against float64 on the CPU, by the norm of the difference over the norm, of the worst leaf.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import jax
import numpy as np
import tyro
from rich.table import Table

import ways
from jaxrnn import bench
from jaxrnn.bench.contender import inputs
from jaxrnn.bench.jax_model import computation
from jaxrnn.bench.pairs import failure, figures
from jaxrnn.bench.sizes import Size
from jaxrnn.bench.timing import interleaved
from jaxrnn.cells.checks import require_size
from jaxrnn.cells.rules import cast
from jaxrnn.cli import screen, script

DTYPES = ("float32", "bfloat16", "float16")


@dataclasses.dataclass(frozen=True)
class Options:
    """Time, temporary memory and error of every way to run a layer."""

    cell: Literal["elman", "lstm", "gru", "slstm"] = "lstm"
    """Recurrent unit; sLSTM with heads of 64 units."""
    sizes: str = "32,512,256,256;32,128,128,128;1,1024,128,128"
    """B,T,D,H of each point, separated by semicolons."""
    dtypes: str = "float32"
    """Of inputs, parameters and carry: float32, bfloat16, float16, separated by commas."""
    ways: str = ",".join(ways.NAMES)
    """Which ways, separated by commas."""
    precision: Literal["default", "highest"] = "default"
    """Of products in float32; a GPU rounds their operands to TF32 by default."""
    rounds: int = 9
    """How often each way is timed."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def measure(options: Options) -> dict[str, Any]:
    """Measures all ways at every size in every dtype."""
    sizes = bench.parse_sizes(options.sizes)
    dtypes = bench.parse_names("dtypes", options.dtypes, DTYPES)
    names = bench.parse_names("ways", options.ways, ways.NAMES)
    require_size("rounds", options.rounds)
    machine, rows = bench.machine(), []
    points = [(size, dtype) for size in sizes for dtype in dtypes]
    with (
        screen.progress(len(points) * (len(names) + 2), machine) as announce,
        jax.default_matmul_precision(options.precision),
    ):
        for size, dtype in points:
            say = lambda text, point=f"{size} {dtype}": announce(f"{point}: {text}")
            rows += _measure_point(options.cell, size, dtype, names, options.rounds, say)
    return {"machine": machine, "options": dataclasses.asdict(options), "rows": rows}


def _measure_point(
    cell: str,
    size: Size,
    dtype: str,
    names: list[str],
    rounds: int,
    announce: Callable[[str], None],
) -> list[dict[str, Any]]:
    """A row for each way; the worst that one can do is to fail."""
    announce("float64")
    exact = exactly(cell, size, dtype)
    rows: dict[str, dict[str, Any]] = {}
    ready: dict[str, Any] = {}
    for name in names:
        announce(name)
        point = {"cell": cell, "size": list(size), "dtype": dtype, "way": name}
        status, programs, compared = _prepare(name, cell, size, dtype, exact)
        rows[name] = {**point, "status": status, **compared}
        if programs:
            ready[name] = programs
    announce("timing")
    for kind in bench.KINDS:
        seconds = interleaved([ready[name][kind].run for name in ready], rounds)
        for name, time in zip(ready, seconds, strict=True):
            per_step = {"microseconds_per_step": 1e6 * time / size.length}
            rows[name][kind] |= {**figures(ready[name][kind], time), **per_step}
    return list(rows.values())


def _prepare(
    name: str, cell: str, size: Size, dtype: str, exact: dict[bench.Kind, list[np.ndarray]]
) -> tuple[str, dict[bench.Kind, bench.Program], dict[bench.Kind, dict[str, Any]]]:
    """Compiles a way and runs it twice.

    Returns:
      What became of it; its programs; how far from the truth it is. None of these if it failed.
    """
    if obstacle := ways.why_not(name, cell, dtype):
        return obstacle, {}, {}
    programs, compared = {}, {}
    try:
        model = ways.model(name, cell, size, dtype)
        for kind in bench.KINDS:
            program = programs[kind] = model.program(kind)
            found = program.run(), program.run()
            program.check(found[0])
            compared[kind] = _compared(found, exact[kind]) if name in ways.WAYS else {}
    except Exception as error:  # of a library; a line in the table, not the end of it
        return failure(error), {}, {}
    return "measured", programs, compared


def exactly(cell: str, size: Size, dtype: str) -> dict[bench.Kind, list[np.ndarray]]:
    """The leaves of outputs and gradient, from the same rounded numbers, in float64 on the CPU."""
    params, xs = ways.parameters(cell, size, dtype), inputs(size).astype(dtype)
    layer = partial(ways.by_unroll("scan"), ways.CELLS[cell](size.inputs, size.hidden))
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        given = cast(jax.tree.map(np.asarray, (params, xs)), np.float64)
        return {kind: _leaves(jax.jit(computation(layer, kind))(*given)) for kind in bench.KINDS}


def _leaves(tree: Any) -> list[np.ndarray]:
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)]


def _compared(found: tuple[Any, Any], exact: list[np.ndarray]) -> dict[str, Any]:
    """How far the first of two runs is from the truth, and whether the second gave the same."""
    once, twice = map(_leaves, found)
    norm = np.linalg.norm
    errors = [norm(a - b) / norm(b) for a, b in zip(once, exact, strict=True)]
    same = all(np.array_equal(a, b) for a, b in zip(once, twice, strict=True))
    return {"error": float(max(errors)), "same_twice": same}


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints a table for each kind, and what could not be measured."""
    tables = (_table(result["rows"], kind, options) for kind in bench.KINDS)
    left_out: dict[str, dict[str, None]] = {}
    for row in result["rows"]:
        if row["status"] != "measured":
            left_out.setdefault(row["status"], {})[row["way"]] = None
    notes = [f"left out, {status}: {', '.join(names)}" for status, names in left_out.items()]
    screen.report(tables, (*notes, bench.describe(result["machine"])))


def _table(rows: list[dict[str, Any]], kind: bench.Kind, options: Options) -> Table:
    table = Table(title=f"{options.cell}: {screen.KINDS[kind]}")
    for label in ("B, T, D, H", "dtype", "way"):
        table.add_column(label, no_wrap=True)
    for label in ("ms", "µs per step", "compile s", "temporary MiB", "error", "same twice"):
        table.add_column(label, justify="right")
    before = None
    for row in (row for row in rows if row["status"] == "measured"):
        point = ", ".join(map(str, row["size"])), row["dtype"]
        if before not in (None, point):
            table.add_section()
        labels = point if point != before else ("", "")
        before, of_kind = point, row[kind]
        names = ("milliseconds", "microseconds_per_step", "compile_seconds", "temporary_mib")
        numbers = (screen.number(of_kind[name]) for name in names)
        error = f"{of_kind['error']:.1e}" if "error" in of_kind else "-"
        same = {True: "yes", False: "no"}.get(of_kind.get("same_twice"), "-")
        table.add_row(*labels, row["way"], *numbers, error, same)
    return table


def main() -> int:
    """Measures and prints; returns the exit status."""
    return script.run(Options, measure, show, program="backends.py")


if __name__ == "__main__":
    sys.exit(main())
