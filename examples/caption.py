"""Can a network say what is on a drawing? An image becomes a vector, the vector a sentence.

    python examples/caption.py [--condition first-input] [--steps 2500] [--json]

Drawings hold one or two shapes, small or large, above or beside each other, at random places and
with noise; a caption is right if all its words are. The encoder is two convolutions and two layers;
the caption is written by a GRU that knows the vector as its initial state, as its first input, or
at every step. The picture shows drawings that it has not seen, with what it says of them.
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

from jaxrnn import generate, gru
from jaxrnn.cells.checks import require_size
from jaxrnn.cli import script
from jaxrnn.data import Batches, pad
from jaxrnn.data.synthetic import SHAPE_WORDS, shapes, words_of
from jaxrnn.models import Captioner, EveryStep, FirstInput, InitialState
from jaxrnn.models.captioner import functions
from jaxrnn.train import fit_module

CONDITIONS = {"initial-state": InitialState, "first-input": FirstInput, "every-step": EveryStep}
VECTOR, EMBED, LONGEST = 64, 16, 10


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """Trains a captioner of drawn shapes."""

    condition: Literal["initial-state", "first-input", "every-step"] = "initial-state"
    """How it knows the image."""
    steps: int = 2500
    """Updates, of 64 drawings each."""
    out: Path = Path("runs/caption")
    """Folder of the picture."""


def encoder(rngs: nnx.Rngs) -> nnx.Sequential:
    """Images `[*B, 24, 24]` to vectors `[*B, 64]`."""
    halved = lambda maps: nnx.relu(nnx.max_pool(maps, (2, 2), (2, 2)))
    return nnx.Sequential(
        lambda images: images[..., None],
        nnx.Conv(1, 12, (3, 3), rngs=rngs),
        halved,
        nnx.Conv(12, 24, (3, 3), rngs=rngs),
        halved,
        lambda maps: maps.reshape(*maps.shape[:-3], -1),
        nnx.Linear(6 * 6 * 24, 128, rngs=rngs),
        nnx.relu,
        nnx.Linear(128, VECTOR, rngs=rngs),
    )


def measure(options: Options) -> dict[str, Any]:
    """Trains, and captions drawings that are new."""
    require_size("steps", options.steps)
    seen = shapes(16384, seed=(options.seed, 0))
    new = shapes(512, seed=(options.seed, 1))
    rngs, condition = nnx.Rngs(options.seed), CONDITIONS[options.condition]
    cell = gru(EMBED + (VECTOR if condition is EveryStep else 0), 64)
    sizes: Any = {"vocabulary_size": len(SHAPE_WORDS), "vector_size": VECTOR}
    model = Captioner(cell, **sizes, encoder=encoder(rngs), condition=condition, rngs=rngs)

    def loss(model: Captioner, batch: Any, key: jax.Array | None) -> tuple[jax.Array, Any]:
        (images, captions), (_, lengths) = batch.values, batch.lengths
        return jnp.sum(model.nll(images, captions, lengths, key=key)), jnp.sum(lengths)

    batches, key = Batches(seen, batch_size=64, seed=options.seed), jax.random.key(options.seed)
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, options.steps))
    model = fit_module(model, loss, batches, optimizer, steps=options.steps, key=key, symbol="word")
    step = functions(model)
    start = step.start(step.params, pad(new).values.image)
    written = np.asarray(generate.greedy(step.step, *start, length=LONGEST, end=0)[1]).T
    said, wanted = [words_of(row) for row in written], [words_of(each.caption) for each in new]
    draw(new, said, wanted, options.out / "caption.png")
    exact = float(np.mean([a == b for a, b in zip(said, wanted, strict=True)]))
    usual = max(wanted, key=wanted.count)
    return {"exact": exact, "usual": wanted.count(usual) / len(wanted), "usual_caption": usual}


def draw(new: list[Any], said: list[str], wanted: list[str], path: Path) -> None:
    """Twelve drawings and what is said of them, in red where it is wrong."""
    figure = Figure(figsize=(10, 8), layout="constrained")
    for n, axes in enumerate(figure.subplots(3, 4).flat):
        axes.imshow(new[n].image, cmap="gray_r", vmin=0, vmax=1)
        text = said[n].replace(" above", "\nabove").replace(" left", "\nleft")
        axes.set_title(text, fontsize=10, color="black" if said[n] == wanted[n] else "red")
        axes.set_axis_off()
    script.save(figure, path)


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints how many captions are right."""
    print(f"captions right in every word  {result['exact']:7.2%}")
    print(f"always {result['usual_caption']!r}  {result['usual']:7.2%}")
    print(options.out / "caption.png")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="caption.py")


if __name__ == "__main__":
    sys.exit(main())
