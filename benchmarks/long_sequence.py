"""Does a very long sequence train in bounded memory?

    python benchmarks/long_sequence.py [--cell lstm] [--length 100000] [--json]

Updates of an optimiser with full backpropagation through time over all steps, by `remat=`: the task
is to give back, at every step, the running mean of the inputs, which takes a memory that lasts.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
import time
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import optax
import tyro
from rich.console import Console
from rich.table import Table

from jaxrnn import bench, unroll
from jaxrnn.bench.sizes import CELLS
from jaxrnn.cells.checks import require_size
from jaxrnn.cli.options import fail, read_options


@dataclasses.dataclass(frozen=True)
class Options:
    """Time and memory of updates over one very long sequence."""

    cell: Literal["elman", "lstm", "gru"] = "lstm"
    """Recurrent unit."""
    batch: int = 8
    """B, sequences side by side."""
    length: int = 100_000
    """T, steps of a sequence."""
    hidden: int = 128
    """H, size of the hidden state, and D, size of an input."""
    updates: int = 5
    """How many updates."""
    remat: Literal["sqrt", "recursive"] = "sqrt"
    """Which steps the backward pass runs again."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def train(options: Options) -> dict[str, Any]:
    """Makes the updates and measures them."""
    cell = CELLS[options.cell](options.hidden, options.hidden)
    params, carry = cell.init(jax.random.key(0)), cell.initial_carry((options.batch,))
    shape = (options.length, options.batch, options.hidden)
    xs = jax.random.uniform(jax.random.key(1), shape, minval=-1.0)
    means = jnp.cumsum(xs[..., 0], axis=0) / jnp.arange(1, options.length + 1)[:, None]
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.01))

    @jax.jit
    def update(params: Any, opt_state: Any, xs: Any, means: Any) -> tuple[Any, Any, jax.Array]:
        def loss(params: Any) -> jax.Array:
            ys = unroll(cell, params, carry, xs, remat=options.remat)[1]
            return jnp.mean((ys[..., 0] - means) ** 2)

        value, gradient = jax.value_and_grad(loss)(params)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, value

    opt_state = optimizer.init(params)
    program = update.lower(params, opt_state, xs, means).compile()
    losses, seconds = [], []
    for _ in range(options.updates):
        started = time.perf_counter()
        params, opt_state, value = program(params, opt_state, xs, means)
        losses.append(float(value))
        seconds.append(time.perf_counter() - started)
    memory = program.memory_analysis()
    temporary = None if memory is None else round(memory.temp_size_in_bytes / 2**20, 1)
    return {
        "inputs_mib": round(xs.nbytes / 2**20, 1),
        "temporary_mib": temporary,
        "process_peak_mib": round(_peak_bytes() / 2**20, 1),
        "seconds": [round(each, 2) for each in seconds],
        "losses": losses,
    }


def _peak_bytes() -> int:
    """The most memory that the process has had; the unit of `ru_maxrss` is the system's."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def main() -> int:
    """Prints the table and returns the exit status."""
    try:
        options = read_options(Options, sys.argv[1:], program="long_sequence.py")
        for name in ("batch", "length", "hidden", "updates"):
            require_size(name, getattr(options, name))
    except ValueError as error:
        return fail(error)
    machine = bench.machine()
    console = Console()
    with console.status(f"{options.updates} updates over {options.length:,} steps"):
        result = train(options)
    table = Table("update", "loss before it", "s")
    for n, (loss, seconds) in enumerate(zip(result["losses"], result["seconds"], strict=True), 1):
        table.add_row(str(n), f"{loss:.6f}", f"{seconds:.1f}")
    console.print(table)
    console.print(
        f"MiB: inputs {result['inputs_mib']}, temporary {result['temporary_mib']}, "
        f"peak of the whole process {result['process_peak_mib']}"
    )
    if options.json:
        print(json.dumps({"machine": machine, "options": dataclasses.asdict(options), **result}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
