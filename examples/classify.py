"""Can a recurrent network read a handwritten digit row by row, or even pixel by pixel?

    python examples/classify.py [--read rows] [--steps 1200] [--data MNIST] [--json]

Many to one: the network sees a part of the picture at each step and says in the end which digit it
was. The digits are those of scikit-learn, of 8 x 8 pixels; `--data` is a folder with the four files
of MNIST instead. The picture shows test digits with what was read, and which ones are confused.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from matplotlib.figure import Figure

from jaxrnn import gru, input_dropout, output_dropout, train
from jaxrnn.cells.checks import require_size
from jaxrnn.cli import script
from jaxrnn.data import Batches, Digits, digits
from jaxrnn.data.formats import read_mnist
from jaxrnn.diagnostics.plot import plot_confusion
from jaxrnn.models import Classifier
from jaxrnn.nn import max_pooling


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """A classifier of handwritten digits as sequences."""

    read: Literal["both", "rows", "pixels"] = "both"
    """As what a digit is read: its rows, its pixels, or first so and then so."""
    steps: int = 1200
    """Updates of each network."""
    data: Path | None = None
    """Folder with MNIST's files; the digits of scikit-learn unless given."""
    out: Path = Path("runs/classify")
    """Folder of the picture."""


def measure(options: Options) -> dict[str, Any]:
    """Trains a network for each way to read; returns the shares of test digits read rightly."""
    require_size("steps", options.steps)
    training, test = digits() if options.data is None else read_mnist(options.data)
    ways = ("rows", "pixels") if options.read == "both" else (options.read,)
    read = {}
    for way in ways:
        model = trained(getattr(training, way), training.labels, options)
        read[way] = np.asarray(jax.jit(model.classes)(getattr(test, way)))
    picture(options.out / "classify.png", test, read)
    accuracy = {way: float(np.mean(found == test.labels)) for way, found in read.items()}
    return {"accuracy": accuracy, "chance": np.bincount(test.labels).max() / len(test.labels)}


def trained(sequences: np.ndarray, labels: np.ndarray, options: Options) -> Classifier:
    """A network that has learned to read these sequences."""
    source = Batches(list(zip(sequences, labels, strict=True)), batch_size=64, seed=options.seed)
    cell = output_dropout(input_dropout(gru(sequences.shape[-1], 64), 0.1), 0.3)
    rngs = nnx.Rngs(options.seed)
    model = Classifier(cell, backward=cell, classes=10, pooling=max_pooling, rngs=rngs)

    def loss(model: Classifier, batch: Any, key: jax.Array | None) -> tuple[jax.Array, Any]:
        return jnp.sum(model.nll(*batch.values, key=key)), len(batch.values[1])

    rate = optax.cosine_decay_schedule(5e-3, options.steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    rest: Any = {"steps": options.steps, "key": jax.random.key(options.seed), "symbol": "digit"}
    return train.fit_module(model, loss, source, optimizer, **rest)


def picture(path: Path, test: Digits, read: dict[str, np.ndarray]) -> None:
    """For each way to read: digits with what was read, wrong ones first, and the confusions."""
    figure = Figure(figsize=(10, 4.5 * len(read)), layout="constrained")
    parts = figure.subfigures(len(read), squeeze=False)[:, 0]
    for part, (way, found) in zip(parts, read.items(), strict=True):
        right = found == test.labels
        part.suptitle(f"read by {way}: {right.mean():.1%} right (on the left, wrong ones in red)")
        left, beside = part.subfigures(1, 2)
        first = np.argsort(right, kind="stable")
        for axes, n in zip(left.subplots(4, 6).flat, first, strict=False):
            axes.imshow(test.images[n], cmap="gray_r")
            axes.set_title(found[n], color="black" if right[n] else "#c00000", fontsize=10)
            axes.set_axis_off()
        plot_confusion(test.labels, found, [*"0123456789"], beside.subplots())
    script.save(figure, path)


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the shares beside that of always saying the same digit."""
    for way, share in result["accuracy"].items():
        print(f"read by {way}: {share:.1%} of the test digits right")
    print(f"always the most frequent digit: {result['chance']:.1%}")
    print(options.out / "classify.png")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="classify.py")


if __name__ == "__main__":
    sys.exit(main())
