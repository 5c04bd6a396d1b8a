"""Can a network count? Two whose weights are set by hand, beside two that learn the same tasks.

    python examples/count.py [--steps 1000] [--length 10] [--json]

Parity: is the number of ones so far odd? Comparison: has the first input so far summed to more than
the second? A GRU learns each from short sequences and is asked about longer ones: parity takes a
memory of one bit, comparison a sum without bound, and the units of a GRU are bounded.
"""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from matplotlib.figure import Figure

from jaxrnn import gru, unroll
from jaxrnn.cells.checks import require_size
from jaxrnn.cli import script
from jaxrnn.data.synthetic import comparison, parity
from jaxrnn.models import Tagger, comparison_network, parity_network
from jaxrnn.train import fit_module

TASKS: Any = {parity: (parity_network, 1), comparison: (comparison_network, 2)}  # numbers a step
LENGTHS = (5, 10, 20, 40, 80, 160, 320, 640)


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """Compares networks made by hand with learned ones, beyond the lengths of training."""

    steps: int = 1000
    """Updates of each learner, of 64 sequences each."""
    length: int = 10
    """Of the sequences that it learns from."""
    out: Path = Path("runs/count")
    """Folder of the picture."""


def measure(options: Options) -> dict[str, dict[str, list[float]]]:
    """Trains, and asks the networks about sequences of all lengths."""
    require_size("steps", options.steps)
    require_size("length", options.length)
    return {task.__name__: compare(options, task, *rest) for task, rest in TASKS.items()}


def compare(options: Options, task: Any, network: Any, size: int) -> dict[str, list[float]]:
    """How often both networks are right at the last step, for each length."""
    learned, (cell, params) = train(task, size, options), network()
    right: dict[str, list[float]] = {"by_hand": [], "learned": []}
    for length in LENGTHS:
        batch = task(jax.random.key(length), batch_size=1000, length=length)
        xs, last = vectors(batch, size), batch.targets[-1]
        _, ys = unroll(cell, params, cell.initial_carry((1000,)), xs)
        right["by_hand"].append(float(jnp.mean(ys[-1, :, 0] == last)))
        tags = learned.tags(jnp.swapaxes(xs, 0, 1))
        right["learned"].append(float(jnp.mean(tags[:, -1] == last)))
    return right


def train(task: Any, size: int, options: Options) -> Tagger:
    """A GRU that gives an answer at each step, after training."""
    model = Tagger(gru(size, 16), tags=2, rngs=nnx.Rngs(options.seed))

    def loss(model: Tagger, batch: Any, key: jax.Array | None) -> tuple[jax.Array, Any]:
        xs = jnp.swapaxes(vectors(batch, size), 0, 1)
        return jnp.sum(model.nll(xs, batch.targets.T, key=key)), batch.targets.size

    make, key = partial(task, batch_size=64, length=options.length), jax.random.key(options.seed)
    batches = jax.vmap(make)(jax.random.split(key, 1000))
    optimizer = optax.adam(optax.cosine_decay_schedule(1e-2, options.steps))
    rest: Any = {"steps": options.steps, "key": key, "symbol": "answer"}
    return fit_module(model, loss, batches, optimizer, **rest)


def vectors(batch: Any, size: int) -> jax.Array:
    """What is read: `[T, B]` bits or `[T, B, D]` numbers, as vectors `[T, B, D]`."""
    return batch.inputs.reshape(*batch.targets.shape, size).astype(float)


def draw(result: dict[str, dict[str, list[float]]], options: Options) -> None:
    """How often each is right, against the length."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = figure.subplots(1, len(result), sharey=True)
    for axes, (name, right) in zip(panels, result.items(), strict=True):
        axes.plot(LENGTHS, right["by_hand"], "s-", label="set by hand")
        axes.plot(LENGTHS, right["learned"], "o-", label=f"learned at length {options.length}")
        axes.axhline(0.5, color="0.6", linestyle=":", label="chance")
        axes.set(xscale="log", ylim=(0.4, 1.05), title=name, xlabel="length", ylabel="right")
        axes.set_xticks(LENGTHS, map(str, LENGTHS))
        axes.minorticks_off()
    panels[0].legend(loc="lower left")
    script.save(figure, options.out / "count.png")


def show(options: Options, result: dict[str, dict[str, list[float]]]) -> None:
    """Prints a row for each network, and draws."""
    draw(result, options)
    print(f"right at the last step, chance 50 %, at length {' '.join(f'{n:6}' for n in LENGTHS)}")
    for task, right in result.items():
        for name, shares in right.items():
            print(f"{task:12} {name:33} {' '.join(f'{share:6.1%}' for share in shares)}")
    print(options.out / "count.png")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="count.py")


if __name__ == "__main__":
    sys.exit(main())
