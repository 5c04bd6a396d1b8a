"""Can a network that sees only patches of an image learn where to look?

    python examples/glimpse.py [--glimpses 6] [--field 16] [--steps 5000] [--json]

One of scikit-learn's digits, 8 x 8 pixels, lies anywhere in a larger field. A glimpse shows 4 x 4
pixels, and 8 x 8 coarsely. The first is at the centre; the network chooses the others, and learns
that from nothing but whether its answer was right. Another one looks at random. The picture shows
test digits with the path of the glimpses.
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
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli import script
from jaxrnn.data import Batches, Digits, digits, scattered
from jaxrnn.models import GlimpseClassifier


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """Digits read by glimpses."""

    glimpses: int = 6
    """How often the network looks at an image."""
    field: int = 16
    """Pixels along the side of an image; at 8 a digit fills it."""
    steps: int = 5000
    """Updates of each network."""
    out: Path = Path("runs/glimpse")
    """Folder of the picture."""


def measure(options: Options) -> dict[str, Any]:
    """Trains; returns the shares of test digits that both networks read rightly."""
    require_size("steps", options.steps)
    require_size("glimpses", options.glimpses)
    require(options.field >= 8, "field", "be at least 8, for a digit to fit", options.field)
    drawn, test = digits()
    fourfold = Digits(np.tile(drawn.images, (4, 1, 1)), np.tile(drawn.labels, 4))
    training = scattered(fourfold, size=options.field, seed=(options.seed, 0))
    test = scattered(test, size=options.field, seed=(options.seed, 1))
    images, key = jnp.asarray(test.images), jax.random.key(options.seed + 1)
    model = trained(training, options, chooses=True)
    looked, stray = model.look(images), trained(training, options, chooses=False)(images, key=key)
    found = np.asarray(jnp.argmax(model.readout(looked.outputs[-1]), axis=-1))
    picture(options.out / "glimpse.png", test, np.asarray(looked.locations), found)
    shares = [float(np.mean(each == test.labels)) for each in (found, np.argmax(stray, axis=-1))]
    chance = np.bincount(test.labels).max() / len(test.labels)
    return {"accuracy": shares[0], "at_random": shares[1], "chance": float(chance)}


def trained(training: Digits, options: Options, *, chooses: bool) -> GlimpseClassifier:
    """A network that has learned what to say and, if it chooses, where to look."""
    examples = list(zip(training.images, training.labels, strict=True))
    source = Batches(examples, batch_size=64, seed=options.seed)
    sizes: dict[str, Any] = {"classes": 10, "size": 4, "scales": 2, "glimpses": options.glimpses}
    sizes |= {"deviation": 0.15 if chooses else 0.4, "rngs": nnx.Rngs(options.seed)}
    model = GlimpseClassifier(gru(64, 96), **sizes)
    if not chooses:  # around the centre, whatever it sees: only `loss` changes the mean
        model.mean.kernel[...] = jnp.zeros_like(model.mean.kernel[...])

    def loss(model: GlimpseClassifier, batch: Any, key: Any) -> tuple[jax.Array, Any]:
        images, labels = batch.values
        each: Any = model.loss if chooses and key is not None else model.nll
        return jnp.sum(each(images, labels, key=key)), len(labels)

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
    """Prints the shares beside that of always saying the same digit."""
    print(f"{options.glimpses} glimpses: {result['accuracy']:.1%} of the test digits right")
    print(f"glimpses at random places: {result['at_random']:.1%}")
    print(f"always the most frequent digit: {result['chance']:.1%}")
    print(options.out / "glimpse.png")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="glimpse.py")


if __name__ == "__main__":
    sys.exit(main())
