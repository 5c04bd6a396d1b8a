"""How well does a bidirectional LSTM with a CRF find the chunks of a sentence?

    python benchmarks/papers/conll2000.py --data DIR [--epochs 20] [--json]

DIR holds `train.txt` and `test.txt` of the shared task of CoNLL-2000. The figure is the F1 of the
chunks as `seqeval` computes it, of the test sentences, by the parameters after the last update;
the last thousand training sentences are held out to watch. Words are read with their last three
letters, their shape and the part of speech of the file; nothing is trained beforehand elsewhere.

The published figures are those of Huang, Xu, Yu 2015, arXiv:1508.01991, table 3, without vectors
from elsewhere.

What is finished is kept in `--out`, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import epochs
import jax
import numpy as np
import optax
from chunking import SIZES, Chunker, Codes, Example, Sentence, codes, loss, read
from flax import nnx
from settings import digest, keep_settings

from jaxrnn import bench
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli.script import run

HIDDEN, DROPOUT, BATCH_SIZE, BUCKETS = 150, 0.4, 32, 5
LEARNING_RATE, CLIP = 3e-3, 1.0
HELD_OUT = 1000
SCORER = "seqeval.metrics"
PUBLISHED = {"LSTM": 92.88, "BiLSTM": 93.64, "CRF": 93.69, "BiLSTM-CRF": 94.13}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(epochs.Options):
    """A bidirectional LSTM with a CRF on the chunks of CoNLL-2000."""

    epochs: int = 20
    """Times that the training sentences are read."""
    out: Path = Path("runs/papers/conll2000")
    """Folder of the checkpoints."""


def measure(options: Options) -> dict[str, Any]:
    """Trains, or goes on, and tests."""
    require_size("epochs", options.epochs)
    epochs.scorer(SCORER)
    machine, parts = bench.machine(), read(options.data)
    count = len(parts["train"])
    held = min(HELD_OUT, count // 8)
    require(held > 0, "data", "hold at least 8 training sentences", count)
    parts = {"valid": parts["train"][-held:], **parts, "train": parts["train"][:-held]}
    code = codes([*parts["train"], *parts["valid"]])
    examples = {part: [code.example(s) for s in sentences] for part, sentences in parts.items()}
    sizes = [len(code.known[name]) + 1 for name in SIZES]
    settings = {
        **_settings(options),
        "data": digest(*(x for e in examples.values() for one in e for x in one)),
    }
    keep_settings(options.out, settings)
    rngs = nnx.Rngs(options.seed)
    model = Chunker(sizes, code.labels, code.rare, HIDDEN, DROPOUT, rngs=rngs)
    recipe = epochs.Recipe(BATCH_SIZE, _falling, CLIP, buckets=BUCKETS, symbol="word")
    validate = epochs.mean_over(examples["valid"])
    trained, seconds = epochs.fit(model, loss, examples["train"], recipe, options, validate)
    found = {part: f1(trained, code, parts[part], examples[part]) for part in ("valid", "test")}
    size = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    return {"machine": machine, **settings, "parameters": size, **found, "seconds": seconds}


def _settings(options: Options) -> dict[str, Any]:
    return {
        "seed": options.seed,
        "epochs": options.epochs,
        "hidden": HIDDEN,
        "dropout": DROPOUT,
        "batch_size": BATCH_SIZE,
        "learning_rate": LEARNING_RATE,
        "clip": CLIP,
    }


def _falling(steps: int) -> optax.Schedule:
    return optax.linear_schedule(LEARNING_RATE, 0.0, steps)


def predicted(model: Chunker, code: Codes, examples: list[Example]) -> list[list[str]]:
    """The tags of each sentence, by name."""
    tags = jax.jit(model.tags)

    def of(batch: Any) -> list[list[str]]:
        lengths = batch.lengths.tags
        rows = np.asarray(tags(batch.values.features, lengths))
        return [[code.labels[tag] for tag in row[:n]] for row, n in zip(rows, lengths, strict=True)]

    return epochs.in_order((places, of(batch)) for places, batch in epochs.groups(examples))


def f1(model: Chunker, code: Codes, sentences: list[Sentence], examples: list[Example]) -> float:
    """F1 of the chunks in per cent."""
    true = [sentence["chunk"] for sentence in sentences]
    share = epochs.scorer(SCORER).f1_score(true, predicted(model, code, examples))
    return round(100 * float(share), 2)


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the figure beside the published ones."""
    del options
    print(f"chunks of CoNLL-2000, F1: test {result['test']:.2f}, held out {result['valid']:.2f}")
    spent = f"{result['epochs']} epochs, {result['seconds']:.0f} s"
    print(f"after {spent}, {result['parameters']:,} parameters")
    published = ", ".join(f"{name} {figure}" for name, figure in PUBLISHED.items())
    print(f"published: {published} (Huang, Xu, Yu 2015, arXiv:1508.01991)")
    print(bench.describe(result["machine"]))


def main() -> int:
    """Trains and prints; returns the exit status."""
    return run(Options, measure, show, program="conll2000.py")


if __name__ == "__main__":
    sys.exit(main())
