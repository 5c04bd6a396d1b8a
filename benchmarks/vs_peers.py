"""How fast is jaxrnn against the recurrent layers of other libraries?

    python benchmarks/vs_peers.py [--cells lstm] [--peers haiku,torch] [--devices 2] [--json]

Outputs, and the gradient of the mean of their squares, of one layer in float32. Each peer is
measured against jaxrnn in an interleaved run of the pair; a ratio above 1 says that jaxrnn is
faster. How each figure is taken is in `benchmarks/README.md`.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated, Any, Literal

import jax
import tyro
from rich.table import Table

from jaxrnn import bench
from jaxrnn.bench.sizes import CELLS
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli import screen, script


@dataclasses.dataclass(frozen=True)
class Options:
    """Measures jaxrnn against the recurrent layers of other libraries."""

    cells: str = "elman,lstm,gru"
    """Recurrent units, separated by commas."""
    sizes: str = "1,1024,128,128;20,35,200,200;32,128,128,128;64,96,256,512"
    """B,T,D,H of each point, separated by semicolons."""
    peers: str = ",".join(bench.PEERS)
    """Other libraries, separated by commas."""
    rounds: int = 9
    """How many samples of each contender the median is taken over."""
    devices: int = 1
    """Adds rows for a batch that is split over this many devices, with as many of the CPU."""
    wrt: Literal["params", "all"] = "params"
    """Gradient with respect to all parameters, or to these and the inputs."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def measure(options: Options) -> dict[str, Any]:
    """Measures the grid, behind a progress bar."""
    peers = [bench.PEERS[name] for name in bench.parse_names("peers", options.peers, bench.PEERS)]
    cells = bench.parse_names("cells", options.cells, CELLS)
    sizes = bench.parse_sizes(options.sizes)
    require_size("rounds", options.rounds)
    require_size("devices", options.devices)
    if options.devices > 1:  # before JAX is first used; a CPU is one device otherwise
        jax.config.update("jax_num_cpu_devices", options.devices)
    rule = f"be at most the {len(jax.devices())} devices that there are"
    require(options.devices <= len(jax.devices()), "devices", rule, options.devices)
    points = bench.grid(cells, sizes, options.devices)
    machine, rows, floors = bench.machine(), [], []
    with screen.progress(len(points) * len(peers), machine) as announce:
        bench.warm_up()
        for point in points:
            given: Any = {"rounds": options.rounds, "wrt": options.wrt}
            rows += bench.measure_point(point, peers, announce=announce, **given)
            if point.devices == 1:
                floor = bench.matmul_floor(point.cell, point.size, **given)
                floors.append({**point.row(), **{kind: 1e3 * floor[kind] for kind in floor}})
    return {
        "machine": machine,
        "options": dataclasses.asdict(options),
        "summary": bench.summarise(rows),
        "floors": floors,
        "rows": rows,
    }


def ratio_table(result: dict[str, Any], kind: Any) -> Table:
    """Ratio and time of each peer at each point; beside them ours and the matmul floor."""
    table = _table(
        result,
        f"{screen.KINDS[kind].capitalize()}: time relative to jaxrnn (* fastest on JAX)",
        kind,
    )
    floors = {_labels(row): f"{screen.number(row[kind])} ms" for row in result["floors"]}
    for rows in bench.points(result["rows"]):
        fastest = bench.fastest_jax_peer(rows, kind)
        entries = []
        for row in rows:
            if row["status"] != "measured":
                entries.append(row["status"])
                continue
            star = "*" if row is fastest else ""
            time = screen.number(row[kind]["peer"]["milliseconds"])
            entries.append(f"{row[kind]['ratio']:.2f}{star}\n{time} ms")
        ours = [row[kind]["jaxrnn"]["milliseconds"] for row in rows if row["status"] == "measured"]
        time = f"{screen.number(sorted(ours)[len(ours) // 2])} ms" if ours else "-"
        table.add_row(*_labels(rows[0]), floors.get(_labels(rows[0]), "-"), time, *entries)
    return table


def memory_table(result: dict[str, Any]) -> Table:
    """Peak temporary memory of value and gradient."""
    table = _table(result, "Value and gradient: peak temporary memory, MiB for each device", None)
    for rows in bench.points(result["rows"]):
        measured = [row["value_and_grad"] for row in rows if row["status"] == "measured"]
        ours = screen.number(measured[0]["jaxrnn"]["temporary_mib"]) if measured else "-"
        entries = [
            screen.number(row["value_and_grad"]["peer"]["temporary_mib"])
            if row["status"] == "measured"
            else row["status"]
            for row in rows
        ]
        table.add_row(*_labels(rows[0]), ours, *entries)
    return table


def _table(result: dict[str, Any], title: str, kind: Any) -> Table:
    ours = ("matmul floor", "jaxrnn") if kind else ("jaxrnn",)
    peers = dict.fromkeys(row["peer"] for row in result["rows"])
    titles = ["cell", "B, T, D, H", *ours, *(peer.replace("-", " ") for peer in peers)]
    table = Table(*titles, title=title, show_lines=kind is not None)
    return table


def _labels(row: dict[str, Any]) -> tuple[str, str]:
    """The first two columns of a row."""
    devices = f"\n{row['devices']} devices" if row["devices"] > 1 else ""
    return row["cell"], ", ".join(map(str, row["size"])) + devices


def summary_lines(result: dict[str, Any]) -> list[str]:
    """What the tables amount to, in words."""
    lines = []
    for part in result["summary"]:
        where = "" if part["devices"] == 1 else f" on {part['devices']} devices"
        lines.append(f"{screen.KINDS[part['kind']].capitalize()}{where}, {part['points']} points")
        jax_peers, torch = part["fastest_jax_peer"], part["torch"]
        if jax_peers["worst"]:
            worst = jax_peers["worst"]
            size = ",".join(map(str, worst["size"]))
            lines += [
                f"  geometric mean to the fastest JAX peer: {jax_peers['geometric_mean']:.2f}",
                f"  worst point: {worst['ratio']:.2f} ({worst['cell']} {size}, {worst['peer']})",
            ]
        for name, mean in (("all points", "geometric_mean"), ("LSTM", "lstm")):
            if torch[mean]:
                lines.append(f"  geometric mean to torch, {name}: {torch[mean]:.2f}")
    return lines


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the tables."""
    del options
    tables = *(ratio_table(result, kind) for kind in bench.KINDS), memory_table(result)
    screen.report(tables, (*summary_lines(result), bench.describe(result["machine"])))


def main() -> int:
    """Measures and prints; returns the exit status."""
    return script.run(Options, measure, show, program="vs_peers.py")


if __name__ == "__main__":
    sys.exit(main())
