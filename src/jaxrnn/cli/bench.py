"""`jaxrnn bench`: how compile time, time and memory grow with the length of a scan."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.table import Table

from jaxrnn import bench
from jaxrnn.bench.plot import plot_sweep
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli import screen


@dataclasses.dataclass(frozen=True)
class BenchConfig:
    """Measures jaxrnn and other libraries over ever longer scans."""

    cell: Literal["elman", "lstm", "gru"] = "lstm"
    """Recurrent unit."""
    batch: int = 8
    """B, sequences side by side."""
    inputs: int = 64
    """D, size of an input."""
    hidden: int = 64
    """H, size of the hidden state."""
    lengths: str = "16,64,256,1024,4096,16384,65536"
    """T of each scan, separated by commas."""
    peers: str = ",".join(bench.PEERS)
    """Other libraries, separated by commas."""
    rounds: int = 3
    """How many samples of each contender the median is taken over."""
    seconds: float = 30.0
    """Budget of a contender at one length; one that needs more is left out at longer ones."""
    wrt: Literal["params", "all"] = "params"
    """Gradient with respect to all parameters, or to these and the inputs."""
    out_dir: Path = Path("bench")
    """Where bench.json and bench.png go; they are overwritten."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def run_bench(config: BenchConfig) -> dict[str, Any]:
    """Measures, prints a table, and writes bench.json and bench.png.

    Returns:
      The result, as it is in bench.json: `machine`, `options` and `rows` (see `bench.sweep`).

    Raises:
      ValueError: if an option is wrong; nothing is measured or written then.
    """
    lengths = bench.parse_lengths(config.lengths)
    names = bench.parse_names("peers", config.peers, bench.PEERS)
    for name in ("batch", "inputs", "hidden", "rounds"):
        require_size(name, getattr(config, name))
    require(config.seconds > 0, "seconds", "be positive", config.seconds)
    free = config.out_dir.is_dir() or not config.out_dir.exists()
    require(free, "out_dir", "be a folder, or a new name for one", config.out_dir)
    config.out_dir.mkdir(parents=True, exist_ok=True)

    machine = bench.machine()
    sizes = config.batch, config.inputs, config.hidden
    layer = bench.Layer(config.cell, *sizes, config.wrt, config.rounds, config.seconds)
    contenders = [bench.OURS, *(bench.PEERS[name] for name in names)]
    with screen.progress(bench.announcements(lengths, contenders), machine) as announce:
        bench.warm_up()
        rows = bench.sweep(layer, lengths, contenders, announce)
    options = {**dataclasses.asdict(config), "out_dir": str(config.out_dir)}
    result = {"machine": machine, "options": options, "rows": rows}
    _report(config, result)
    return result


def _report(config: BenchConfig, result: dict[str, Any]) -> None:
    """Prints the table and writes the files."""
    console = screen.table_console()
    for kind in bench.KINDS:
        console.print(sweep_table(result["rows"], kind, f"{_title(config)}: {screen.KINDS[kind]}"))
    console.print(bench.describe(result["machine"]), markup=False, highlight=False, soft_wrap=True)
    text = json.dumps(result, indent=1) + "\n"
    _write(config.out_dir / "bench.json", lambda path: path.write_text(text, "utf-8"))
    title = f"{_title(config)}: {screen.KINDS['value_and_grad']}"
    _write(config.out_dir / "bench.png", lambda path: plot_sweep(result["rows"], path, title=title))
    print(f"written: {config.out_dir / 'bench.json'}, {config.out_dir / 'bench.png'}")


def sweep_table(rows: list[dict[str, Any]], kind: bench.Kind, title: str) -> Table:
    """One kind of the rows of `bench.sweep`, a line for each length and contender."""
    table = Table(title=title)
    table.add_column("T", justify="right")
    table.add_column("contender", no_wrap=True)
    for label in ("ms\nper call", "µs\nper step", "compile\ns", "temporary\nMiB"):
        table.add_column(label, justify="right")
    figures = ("milliseconds", "microseconds_per_step", "compile_seconds", "temporary_mib")
    before = None
    for row in (row for row in rows if row["kind"] == kind):
        length = "" if row["length"] == before else f"{row['length']:,}"
        if length and before is not None:
            table.add_section()
        before = row["length"]
        measured = row["status"] == "measured"
        values = [screen.number(row[name]) for name in figures] if measured else [row["status"]]
        table.add_row(length, row["contender"], *values)
    return table


def _title(config: BenchConfig) -> str:
    return f"{config.cell}, B = {config.batch}, D = {config.inputs}, H = {config.hidden}, float32"


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    """Writes a file under another name first, so that there is never half a file."""
    part = path.with_name(path.name + ".part")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
