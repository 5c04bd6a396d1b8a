"""Can a network learn to draw digits stroke by stroke, each time where it chooses to?

    python examples/draw.py [--glimpses 6] [--steps 3000] [--json]

DRAW looks at one of scikit-learn's digits through a window, writes through another onto a canvas,
and looks again at what is still missing. Afterwards it draws digits that nobody has written. The
picture shows how they come to be, and the window that each step writes through.
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
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxrnn import lstm
from jaxrnn.cells.checks import require_size
from jaxrnn.cli import script
from jaxrnn.data import Batches, digits
from jaxrnn.models import Draw, Painting
from jaxrnn.train import fit_module

SIZE, UNITS, CODES = 4, 128, 8  # numbers along a window; of both layers; that tell of each stroke


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """Digits drawn stroke by stroke."""

    glimpses: int = 6
    """Strokes of a drawing, and how often the network looks at what it draws."""
    steps: int = 3000
    """Updates."""
    out: Path = Path("runs/draw")
    """Folder of the picture."""


def measure(options: Options) -> dict[str, Any]:
    """Trains and draws; returns nats for a test digit, beside those of a model without memory."""
    require_size("steps", options.steps)
    require_size("glimpses", options.glimpses)
    training, test = ((part.images > 0.5).astype(np.float32) for part in digits())
    model = trained(training, options)
    loss = nnx.jit(lambda model, key: jnp.mean(model.loss(jnp.asarray(test), key)))
    tests, imagine = jax.random.split(jax.random.key(options.seed + 1))
    nats = np.mean([loss(model, key) for key in jax.random.split(tests, 20)])
    picture(options.out / "draw.png", model.imagine(imagine, (6,)))
    ink = np.clip(training.mean(axis=0), 1e-3, 1 - 1e-3)  # how often each pixel is
    pixels = -np.sum(test * np.log(ink) + (1 - test) * np.log(1 - ink), axis=(1, 2))
    return {"nats": float(nats), "independent_pixels": float(pixels.mean())}


def trained(images: np.ndarray, options: Options) -> Draw:
    """A network that has learned to draw what it is shown."""
    sizes = {"steps": options.glimpses, "read_size": SIZE, "write_size": SIZE, "codes": CODES}
    cells = lstm(2 * SIZE**2 + UNITS, UNITS), lstm(CODES, UNITS)
    rngs = nnx.Rngs(options.seed)
    model = Draw(*cells, shape=images[0].shape, **sizes, deviation=0.5, rngs=rngs)

    def loss(model: Draw, batch: Any, key: jax.Array | None) -> tuple[jax.Array, int]:
        key = jax.random.key(0) if key is None else key
        return jnp.sum(model.loss(batch.values, key)), len(batch.values)

    source = Batches(list(images), batch_size=64, seed=options.seed)
    rate = optax.cosine_decay_schedule(5e-3, options.steps)
    optimizer = optax.chain(optax.clip_by_global_norm(100.0), optax.adam(rate))
    rest: Any = {"steps": options.steps, "key": jax.random.key(options.seed), "symbol": "digit"}
    return fit_module(model, loss, source, optimizer, **rest)


def picture(path: Path, painting: Painting) -> None:
    """Each digit from stroke to stroke, with the window through which each was written."""
    ink = np.asarray(jax.nn.sigmoid(painting.canvases))
    figure = Figure(figsize=(1.5 * len(ink), 1.5 * ink.shape[1]), layout="constrained")
    figure.suptitle("digits that nobody has written, stroke by stroke, and where each is written")
    for (row, step), axes in np.ndenumerate(figure.subplots(*ink.shape[1::-1], squeeze=False)):
        axes.imshow(ink[step, row], cmap="gray_r", vmin=0, vmax=1)
        frame(axes, *(float(leaf[step, row]) for leaf in painting.windows))
        axes.set_axis_off()
    script.save(figure, path)


def frame(axes: Axes, row: float, column: float, stride: float, width: float, _: float) -> None:
    """The outermost filters of a window; its line is as thick as they are wide."""
    side = stride * (SIZE - 1)
    style: dict[str, Any] = {"edgecolor": "#d06000", "linewidth": 2 * width}
    corner = column - side / 2, row - side / 2
    axes.add_patch(Rectangle(corner, side, side, fill=False, **style))


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints nats beside those of a model that knows only how often each pixel is ink."""
    print(f"{options.glimpses} strokes: at most {result['nats']:.2f} nats for a test digit")
    print(f"pixels that know nothing of each other: {result['independent_pixels']:.2f}")
    print(options.out / "draw.png")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="draw.py")


if __name__ == "__main__":
    sys.exit(main())
