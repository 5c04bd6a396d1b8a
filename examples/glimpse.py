"""Can a network that sees only patches of a digit learn where to look?

    python examples/glimpse.py [--glimpses 6] [--steps 2500] [--json]

Each glimpse shows 4 x 4 of the 8 x 8 pixels of one of scikit-learn's digits. The first is at the
centre; the network chooses the others, and learns that from nothing but whether its answer was
right. The picture shows test digits with the path of the glimpses.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from matplotlib.figure import Figure

from jaxrnn import gru, train
from jaxrnn.cells.checks import require_size
from jaxrnn.cli import script
from jaxrnn.data import Batches, Digits, digits
from jaxrnn.models import GlimpseClassifier


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """Digits read by glimpses."""

    glimpses: int = 6
    """How often the network looks at a digit."""
    steps: int = 2500
    """Updates."""
    out: Path = Path("runs/glimpse")
    """Folder of the picture."""


def measure(options: Options) -> dict[str, Any]:
    """Trains; returns the share of test digits read rightly."""
    require_size("steps", options.steps)
    require_size("glimpses", options.glimpses)
    training, test = digits()
    model = trained(training, options)
    looked = model.look(jnp.asarray(test.images))
    found = np.asarray(jnp.argmax(model.readout(looked.outputs[-1]), axis=-1))
    picture(options.out / "glimpse.png", test, np.asarray(looked.locations), found)
    chance = np.bincount(test.labels).max() / len(test.labels)
    return {"accuracy": float(np.mean(found == test.labels)), "chance": float(chance)}


def trained(training: Digits, options: Options) -> GlimpseClassifier:
    """A network that has learned where to look and what to say."""
    examples = list(zip(training.images, training.labels, strict=True))
    source = Batches(examples, batch_size=64, seed=options.seed)
    sizes = {"classes": 10, "size": 4, "glimpses": options.glimpses}
    model = GlimpseClassifier(gru(64, 96), **sizes, rngs=nnx.Rngs(options.seed))

    def loss(model: GlimpseClassifier, batch: Any, key: Any) -> tuple[jax.Array, Any]:
        images, labels = batch.values
        each = model.nll(images, labels) if key is None else model.loss(images, labels, key)
        return jnp.sum(each), len(labels)

    rate = optax.cosine_decay_schedule(3e-3, options.steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    rest: Any = {"steps": options.steps, "key": jax.random.key(options.seed), "symbol": "digit"}
    return train.fit_module(model, loss, source, optimizer, **rest)


def picture(path: Path, test: Digits, locations: np.ndarray, found: np.ndarray) -> None:
    """Test digits, the path of the glimpses from the first, a ring, to the last, a dot."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    right = found == test.labels
    figure.suptitle(f"{right.mean():.1%} right; what was read above each digit, wrong in red")
    side = test.images.shape[1]
    for n, axes in enumerate(figure.subplots(3, 5).flat):
        axes.imshow(test.images[n], cmap="gray_r")
        rows, columns = (np.clip(locations[:, n], -1, 1).T + 1) / 2 * side - 0.5
        axes.plot(columns, rows, color="#d06000", linewidth=1.5)
        axes.plot(columns[0], rows[0], "o", color="#d06000", fillstyle="none", markersize=9)
        axes.plot(columns[-1], rows[-1], "o", color="#d06000", markersize=6)
        axes.set_title(found[n], color="black" if right[n] else "#c00000")
        axes.set_xlim(-0.5, side - 0.5)
        axes.set_ylim(side - 0.5, -0.5)
        axes.set_axis_off()
    script.save(figure, path)


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the share beside that of always saying the same digit."""
    print(f"{options.glimpses} glimpses: {result['accuracy']:.1%} of the test digits right")
    print(f"always the most frequent digit: {result['chance']:.1%}")
    print(options.out / "glimpse.png")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="glimpse.py")


if __name__ == "__main__":
    sys.exit(main())
