"""What do the backends of `unroll` cost, in time and in memory?

    python benchmarks/backends.py [--cell lstm] [--sizes "32,512,256,256;1,1024,128,128"] [--json]

Value and gradient with respect to all parameters of a sum of squares over the outputs, compiled.
All backends are measured in one run, one after the other in each round, and the median of the
rounds is reported; memory is what the compiled program needs beside arguments and results.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import statistics
import sys
import time
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import tyro
from rich.console import Console
from rich.table import Table

from jaxrnn import Chunked, bench, unroll
from jaxrnn.bench.sizes import CELLS, Size, parse_sizes
from jaxrnn.cells.checks import require_size
from jaxrnn.cli import screen
from jaxrnn.cli.options import fail, read_options

BACKENDS: dict[str, Any] = {
    "scan": "scan",
    "chunked, gates": Chunked(keep="gates"),
    "chunked, gates, 1 share": Chunked(keep="gates", shares=1),
    "chunked, gates, 2 shares": Chunked(keep="gates", shares=2),
    "chunked, carries": Chunked(keep="carries"),
    "chunked, borders": Chunked(keep="borders"),
}


@dataclasses.dataclass(frozen=True)
class Options:
    """Time and temporary memory of value and gradient on every backend."""

    cell: Literal["elman", "lstm", "gru"] = "lstm"
    """Recurrent unit."""
    sizes: str = "32,512,256,256;32,128,128,128;1,1024,128,128"
    """B,T,D,H of each point, separated by semicolons."""
    rounds: int = 9
    """How often each backend is timed."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def measure(options: Options, size: Size) -> list[dict[str, Any]]:
    """Measures all backends at one size B, T, D, H."""
    batch, length, inputs, hidden = size
    cell = CELLS[options.cell](inputs, hidden)
    params, carry = cell.init(jax.random.key(0)), cell.initial_carry((batch,))
    xs = jax.random.normal(jax.random.key(1), (length, batch, inputs))

    def compiled(backend: Any) -> Any:
        loss = lambda params: jnp.sum(unroll(cell, params, carry, xs, backend=backend)[1] ** 2)
        return jax.jit(jax.value_and_grad(loss)).lower(params).compile()

    programs = {name: compiled(backend) for name, backend in BACKENDS.items()}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for program in programs.values():
        jax.block_until_ready(program(params))
    for _ in range(options.rounds):
        for name, program in programs.items():
            started = time.perf_counter()
            jax.block_until_ready(program(params))
            times[name].append(time.perf_counter() - started)
    return [
        {
            "cell": options.cell,
            "size": list(size),
            "backend": name,
            "milliseconds": round(1e3 * statistics.median(times[name]), 2),
            "temporary_mib": round(program.memory_analysis().temp_size_in_bytes / 2**20, 1),
        }
        for name, program in programs.items()
    ]


def main() -> int:
    """Prints the table and returns the exit status."""
    try:
        options = read_options(Options, sys.argv[1:], program="backends.py")
        sizes = parse_sizes(options.sizes)
        require_size("rounds", options.rounds)
    except ValueError as error:
        return fail(error)
    rows: list[dict[str, Any]] = []
    with screen.progress(len(sizes), bench.machine()) as announce:
        for size in sizes:
            announce(", ".join(map(str, size)))
            rows += measure(options, size)
    table = Table("cell", "B, T, D, H", "backend", "ms", "temporary MiB")
    for row in rows:
        size = ", ".join(map(str, row["size"]))
        table.add_row(
            row["cell"], size, row["backend"], str(row["milliseconds"]), str(row["temporary_mib"])
        )
    Console().print(table)
    if options.json:
        versions = {name: importlib.metadata.version(name) for name in ("jax", "jaxrnn")}
        print(
            json.dumps({"versions": versions, "device": jax.devices()[0].device_kind, "rows": rows})
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
