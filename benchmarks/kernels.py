"""How many kernels does a step of a layer launch on a GPU? No GPU is needed to know.

    pip install 'jax[cuda13]'
    python benchmarks/kernels.py [--cell gru] [--size 16,1024,768,768] [--dtype bfloat16] [--json]

XLA compiles each way to run a layer for an H200, and the launches in the bodies of its loops are
counted. A loop with little to do takes as long as its launches; what one takes is not said here.
With a GPU, XLA tries products out and may choose others, which launch a kernel more or less.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from typing import Annotated, Any, Literal
from unittest import mock

import jax
import numpy as np
import tyro
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from rich.table import Table

import ways
from jaxrnn import bench
from jaxrnn.bench.jax_model import JaxModel, computation
from jaxrnn.bench.pairs import failure
from jaxrnn.cells.checks import require
from jaxrnn.cli import screen, script

# What XLA asks a device for before it compiles, in the words of its own descriptions of GPUs.
H200 = """
platform_name: "CUDA" device_description_str: "NVIDIA H200" dnn_version_info { major: 9 minor: 10 }
gpu_device_info {
  cuda_compute_capability { major: 9 minor: 0 } core_count: 132 fpus_per_core: 128
  threads_per_block_limit: 1024 threads_per_core_limit: 2048 threads_per_warp: 32
  shared_memory_per_block: 49152 shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472 registers_per_block_limit: 65536 registers_per_core_limit: 65536
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  clock_rate_ghz: 1.98 l2_cache_size: 52428800
  memory_bandwidth: 4800000000000 device_memory_size: 140000000000
}
"""
LAUNCHED = "fusion|custom-call|copy|transpose|slice|dynamic-slice|dynamic-update-slice|concatenate"
LAUNCHED += "|dot|reduce|convert|sort|scatter|gather"
DEFAULT = "flax-nnx,scan,hoisted,gates,few,few-8,fused"


@dataclasses.dataclass(frozen=True)
class Options:
    """Kernels of a step, as XLA compiles it for an H200."""

    cell: Literal["elman", "lstm", "gru", "slstm"] = "lstm"
    """Recurrent unit; sLSTM with heads of 64 units."""
    size: str = "16,1024,128,128"
    """B,T,D,H."""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Of inputs, parameters and carry."""
    ways: str = DEFAULT
    """Which ways, separated by commas."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def launches(program: str, length: int) -> tuple[float, int]:
    """Counts what a compiled program launches.

    Args:
      program: its text.
      length: T, the steps of the sequence.

    Returns:
      Launches for a step, in all loops over the sequence, and those outside of loops.

    Raises:
      ValueError: if it is not said how often a loop turns.
    """
    own: dict[str, int] = {}  # launches of each computation,
    loops: dict[str, list[tuple[str, int]]] = {}  # and its loops: body, turns
    name = main = ""
    for line in program.splitlines():
        if begins := re.match(r"(ENTRY )?%?([\w.\-]+) .*{$", line):
            name = begins[2]
            main = name if begins[1] else main
            own[name], loops[name] = 0, []
        elif " while(" in line:
            loop = re.search(r"body=%?([\w.\-]+).*known_trip_count\D+(\d+)", line)
            require(loop is not None, "program", "say how often each loop turns", line.strip())
            assert loop is not None
            loops[name].append((loop[1], int(loop[2])))
        elif re.search(rf" ({LAUNCHED})\(", line):
            own[name] += 1

    def all_of(name: str) -> int:
        return own[name] + sum(turns * all_of(body) for body, turns in loops[name])

    return (all_of(main) - own[main]) / length, own[main]


def measure(options: Options) -> dict[str, Any]:
    """Compiles every way and counts."""
    sizes = bench.parse_sizes(options.size, "size")
    require(len(sizes) == 1, "size", "be one B,T,D,H", options.size)
    (size,) = sizes
    names = bench.parse_names("ways", options.ways, ways.NAMES)
    device = _device()
    rows = []
    # The library asks what it runs on; here it is to compile for something else.
    with (
        screen.progress(len(names)) as announce,
        mock.patch.object(jax, "default_backend", lambda: "gpu"),
    ):
        for name in names:
            announce(name)
            rows.append({"way": name, **_count(name, options, size, device)})
    return {"machine": bench.machine(), "options": dataclasses.asdict(options), "rows": rows}


def _device() -> Any:
    """Where arrays of an H200 that is not there lie."""
    os.environ.setdefault("JAX_SKIP_CUDA_CONSTRAINTS_CHECK", "1")  # it looks for a driver
    described = {"topology": "1x1x1", "target_config": H200}
    try:
        topology = topologies.get_topology_desc(platform="cuda", topology_name="1x1x1", **described)
    except NotImplementedError as error:  # so JAX says that it has no plugin of that platform
        wanted = "this needs JAX's CUDA plugin: pip install 'jax[cuda13]'"
        raise ModuleNotFoundError(wanted) from error
    return NamedSharding(Mesh(np.array(topology.devices[:1]), ("device",)), PartitionSpec())


def _count(name: str, options: Options, size: bench.Size, device: Any) -> dict[str, Any]:
    if obstacle := ways.why_not(name, options.cell, options.dtype):
        return {"status": obstacle}
    try:
        model = ways.model(name, options.cell, size, options.dtype)
        require(isinstance(model, JaxModel), "ways", "run on JAX", name)
        return {"status": "compiled", **_compiled(model, size.length, device)}
    except Exception as error:  # of a library; a line in the table, not the end of it
        return {"status": failure(error)}


def _compiled(model: Any, length: int, device: Any) -> dict[str, Any]:
    there = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device)
    given = jax.tree.map(there, (model.params, model.xs))
    found = {}
    for kind in bench.KINDS:
        lowered = jax.jit(computation(model.apply, kind)).lower(*given)
        program = lowered.compile(model.compiler_options or None)
        of_step, once = launches(program.as_text() or "", length)
        found[kind] = {"a_step": of_step, "once": once}
    return found


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the table."""
    title = f"{options.cell}, B,T,D,H = {options.size}, {options.dtype}: launches on an H200"
    table = Table("way", title=title)
    for kind in ("forward", "value and gradient"):
        table.add_column(f"{kind}: a step", justify="right")
        table.add_column("and once", justify="right")
    for row in result["rows"]:
        if row["status"] != "compiled":
            table.add_row(row["way"], row["status"])
            continue
        numbers = [(row[kind]["a_step"], row[kind]["once"]) for kind in bench.KINDS]
        table.add_row(row["way"], *(f"{n:.3g}" for pair in numbers for n in pair))
    screen.report([table], [bench.describe(result["machine"])])


def main() -> int:
    """Compiles and prints; returns the exit status."""
    return script.run(Options, measure, show, program="kernels.py")


if __name__ == "__main__":
    sys.exit(main())
