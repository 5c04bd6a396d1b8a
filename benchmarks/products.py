"""Which operand of a product with a small batch should stand on the left?

    python benchmarks/products.py [--sizes "32,512,2048;2,512,2048"] [--rounds 9] [--json]

Times `h @ w` against `(w.T @ h.T).T` with `w.T` lying ready, h [B, K] and w [K, N], as the products
of a loop, where each waits for the one before. The chunked engine takes the second form for large
kernels (`src/jaxrnn/recurrence/product.py`).
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Callable
from typing import Annotated, Any

import jax
import tyro
from rich.console import Console
from rich.table import Table

from jaxrnn import bench
from jaxrnn.bench.timing import interleaved
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli import screen
from jaxrnn.cli.options import fail, read_options
from jaxrnn.recurrence.product import Product

STEPS = 16


@dataclasses.dataclass(frozen=True)
class Options:
    """Microseconds of a product with the kernel on the right and on the left."""

    sizes: str = (
        "32,128,512;20,200,800;32,256,1024;64,512,512;2,512,2048;8,512,2048;32,512,2048;"
        "64,512,2048;128,512,2048;32,2048,512;64,2048,512"
    )
    """B,K,N of each product, separated by semicolons."""
    rounds: int = 9
    """How many samples of each the median is taken over."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def read_sizes(text: str) -> list[tuple[int, ...]]:
    """Reads the B,K,N of several products."""
    point = r"\s*[1-9]\d*\s*(,\s*[1-9]\d*\s*){2}"
    fits = re.fullmatch(f"{point}(;{point})*", text)
    require(bool(fits), "sizes", "be B,K,N of each product, separated by semicolons", repr(text))
    return [tuple(int(number) for number in size.split(",")) for size in text.split(";")]


def measure(size: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Measures both forms at one size B, K, N."""
    batch, inputs, outputs = size
    h = jax.random.normal(jax.random.key(0), (batch, inputs))
    w = jax.random.normal(jax.random.key(1), (inputs, outputs))

    def call(product: Product) -> Callable[[], Any]:
        def step(h: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
            r = product(h)
            return h + 1e-6 * r[:, :1], r

        program = jax.jit(lambda h: jax.lax.scan(step, h, length=STEPS)).lower(h).compile()
        return lambda: jax.block_until_ready(program(h))

    calls = [call(Product(w, on_the_left=False)), call(Product(w.T, on_the_left=True))]
    for each in calls:
        each()
    right, left = (1e6 * seconds / STEPS for seconds in interleaved(calls, rounds))
    return {"size": list(size), "right_us": round(right, 1), "left_us": round(left, 1)}


def main() -> int:
    """Prints the table and returns the exit status."""
    try:
        options = read_options(Options, sys.argv[1:], program="products.py")
        sizes = read_sizes(options.sizes)
        require_size("rounds", options.rounds)
    except ValueError as error:
        return fail(error)
    machine = bench.machine()
    rows = []
    with screen.progress(len(sizes), machine) as announce:
        for size in sizes:
            announce(", ".join(map(str, size)))
            rows.append(measure(size, options.rounds))
    table = Table("B, K, N", "kernel MiB", "right µs", "left µs", "right / left")
    for row in rows:
        _, inputs, outputs = row["size"]
        right, left = row["right_us"], row["left_us"]
        size, kernel = ", ".join(map(str, row["size"])), inputs * outputs * 4 / 2**20
        table.add_row(size, f"{kernel:.2f}", f"{right:.0f}", f"{left:.0f}", f"{right / left:.2f}")
    Console().print(table)
    if options.json:
        print(json.dumps({"machine": machine, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
