"""How many handwritten digits does a recurrent network read rightly, row by row?

    python benchmarks/papers/mnist_rows.py --data DIR [--epochs 8] [--json]

DIR holds the four files of MNIST, gzipped or not. A picture is a sequence of its 28 rows, read by
an LSTM in both directions; the figure is the share of right answers on the 10,000 test digits, by
the parameters after the last update. The last 5,000 training digits are held out to watch.

There is no one paper of this task; LSTMs of this size are known to reach 98.5 to 99 per cent.

What is finished is kept in `--out`, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import epochs
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from settings import digest, keep_settings

from jaxrnn import bench, input_dropout, lstm, output_dropout, train
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli.script import run
from jaxrnn.data import Digits, Padded
from jaxrnn.data.formats import read_mnist
from jaxrnn.models import Classifier
from jaxrnn.nn import max_pooling

HIDDEN, BATCH_SIZE = 128, 128
DROPOUTS = (0.1, 0.3)  # of pixels, and of what the LSTM puts out
LEARNING_RATE, CLIP = 3e-3, 1.0
HELD_OUT = 5000
GROUP = 1000  # digits that are tested together


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(epochs.Options):
    """A bidirectional LSTM on the rows of MNIST's digits."""

    epochs: int = 8
    """Times that the training digits are read."""
    out: Path = Path("runs/papers/mnist_rows")
    """Folder of the checkpoints."""


def measure(options: Options) -> dict[str, Any]:
    """Trains, or goes on, and tests."""
    require_size("epochs", options.epochs)
    machine, (digits, test) = bench.machine(), _read(options.data)
    held = min(HELD_OUT, len(digits.labels) // 8)
    require(held > 0, "data", "hold at least 8 training digits", len(digits.labels))
    training, valid = Digits(*(x[:-held] for x in digits)), Digits(*(x[-held:] for x in digits))
    settings = {**_settings(options), "data": digest(*digits, *test)}
    keep_settings(options.out, settings)
    model = _model(digits.rows.shape[-1], options.seed)
    examples = list(zip(training.rows, training.labels, strict=True))
    recipe = epochs.Recipe(BATCH_SIZE, _falling, CLIP, symbol="digit")
    trained, seconds = epochs.fit(model, _loss, examples, recipe, options, _on(valid))
    found = {"valid": accuracy(trained, valid), "test": accuracy(trained, test)}
    size = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    return {"machine": machine, **settings, "parameters": size, **found, "seconds": seconds}


def _read(folder: Path) -> tuple[Digits, Digits]:
    try:
        return read_mnist(folder)
    except ValueError as error:
        raise ValueError(str(error).replace("`folder`", "`data`")) from None


def _settings(options: Options) -> dict[str, Any]:
    return {
        "seed": options.seed,
        "epochs": options.epochs,
        "hidden": HIDDEN,
        "dropouts": list(DROPOUTS),
        "batch_size": BATCH_SIZE,
        "learning_rate": LEARNING_RATE,
        "clip": CLIP,
    }


def _model(columns: int, seed: int) -> Classifier:
    pixels, outputs = DROPOUTS
    cell = lambda: output_dropout(input_dropout(lstm(columns, HIDDEN), pixels), outputs)
    options: dict[str, Any] = {"classes": 10, "pooling": max_pooling}
    return Classifier(cell(), backward=cell(), rngs=nnx.Rngs(seed), **options)


def _loss(model: Classifier, batch: Any, key: jax.Array | None) -> tuple[jax.Array, Any]:
    images, labels = batch.values
    return jnp.sum(model.nll(images, labels, key=key)), len(labels)


def _falling(steps: int) -> optax.Schedule:
    return optax.cosine_decay_schedule(LEARNING_RATE, steps)


def _on(digits: Digits) -> Callable[[train.LossFn], Callable[[Any], Any]]:
    """Makes of the loss what measures it on all digits at once."""
    one = Padded((digits.rows[None], digits.labels[None]), None)

    def of(loss_fn: train.LossFn) -> Callable[[Any], Any]:
        evaluate = train.evaluator(loss_fn)
        return lambda params: evaluate(params, (), one)

    return of


def accuracy(model: Classifier, digits: Digits) -> float:
    """Share of digits that are read rightly, in per cent."""
    classes = jax.jit(model.classes)
    parts = range(0, len(digits.labels), GROUP)
    found = np.concatenate([classes(digits.rows[start : start + GROUP]) for start in parts])
    return round(100 * float(np.mean(found == digits.labels)), 2)


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the figure."""
    del options
    shares = f"test {result['test']:.2f} %, held out {result['valid']:.2f} %"
    print(f"MNIST by rows, digits read rightly: {shares}")
    spent = f"{result['epochs']} epochs, {result['seconds']:.0f} s"
    print(f"after {spent}, {result['parameters']:,} parameters")
    print(bench.describe(result["machine"]))


def main() -> int:
    """Trains and prints; returns the exit status."""
    return run(Options, measure, show, program="mnist_rows.py")


if __name__ == "__main__":
    sys.exit(main())
