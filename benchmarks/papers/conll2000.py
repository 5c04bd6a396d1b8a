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
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import optax
import tyro
from chunking import SIZES, Chunker, Codes, Example, Sentence, codes, loss, read
from flax import nnx
from settings import digest, keep_settings

from jaxrnn import bench, train
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli.script import run
from jaxrnn.data import Batches, pad

HIDDEN, DROPOUT, BATCH_SIZE, BUCKETS = 150, 0.4, 32, 5
LEARNING_RATE, CLIP = 3e-3, 1.0
HELD_OUT = 1000
WIDTHS = 20  # sentences to be tagged are padded to multiples of so many words
PUBLISHED = {"LSTM": 92.88, "BiLSTM": 93.64, "CRF": 93.69, "BiLSTM-CRF": 94.13}


@dataclasses.dataclass(frozen=True)
class Options:
    """A bidirectional LSTM with a CRF on the chunks of CoNLL-2000."""

    data: Path
    """Folder with train.txt and test.txt."""
    epochs: int = 20
    """Times that the training sentences are read."""
    seed: int = 0
    """Of the parameters, the order of the sentences and dropout."""
    out: Path = Path("runs/papers/conll2000")
    """Folder of the checkpoints."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def measure(options: Options) -> dict[str, Any]:
    """Trains, or goes on, and tests."""
    require_size("epochs", options.epochs)
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
    trained, seconds = _train(model, examples, options)
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


def _train(
    model: Chunker, examples: dict[str, list[Example]], options: Options
) -> tuple[Chunker, float]:
    """Trains for all epochs, and says in how many seconds; Ctrl-C saves and ends."""
    count = len(examples["train"])
    buckets = min(BUCKETS, count)
    source = Batches(examples["train"], batch_size=BATCH_SIZE, seed=options.seed, buckets=buckets)
    params, loss_fn, rebuild = train.functional(model, loss)
    epoch = -(-count // BATCH_SIZE)
    steps = options.epochs * epoch
    rate = optax.linear_schedule(LEARNING_RATE, 0.0, steps)
    optimizer = optax.chain(optax.clip_by_global_norm(CLIP), optax.adam(rate))
    state = train.init_state(params, optimizer, (), jax.random.key(options.seed))
    run = train.Run(options.out / "run")
    state = train.fit(
        train.tbptt_scan(loss_fn, optimizer),
        state,
        source,
        steps=steps,
        run=run,
        validate=_validation(loss_fn, examples["valid"]),
        check_every=epoch,
        updates_per_call=1,  # batches of one call are padded alike, and buckets would be in vain
        symbol="word",
    )
    if int(state.step) < steps:
        raise KeyboardInterrupt
    return rebuild(state.params), run.seconds


def _validation(loss_fn: train.LossFn, examples: list[Example]) -> Callable[[Any], float]:
    """Of parameters the mean nats per word."""
    nats_of = jax.jit(lambda params, batch: loss_fn(params, (), batch, None)[:2])
    batches = [batch for _, batch in _groups(examples)]

    def validate(params: Any) -> float:
        totals = [nats_of(params, batch) for batch in batches]
        total, words = np.sum(np.array(totals, float), axis=0)
        return total / words

    return validate


def _groups(examples: list[Example]) -> Any:
    """Padded batches of similar length, each with the places of its sentences."""
    lengths = [len(example.tags) for example in examples]
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), 100):
        places = order[start : start + 100]
        width = -(-lengths[places[-1]] // WIDTHS) * WIDTHS
        yield places, pad([examples[n] for n in places], lengths=Example(width, width))  # pyright: ignore[reportArgumentType]


def predicted(model: Chunker, code: Codes, examples: list[Example]) -> list[list[str]]:
    """The tags of each sentence, by name."""
    tags = jax.jit(model.tags)
    found: dict[int, list[str]] = {}
    for places, batch in _groups(examples):
        rows = np.asarray(tags(batch.values.features, batch.lengths.tags))
        for place, row in zip(places.tolist(), rows, strict=True):
            found[place] = [code.labels[tag] for tag in row[: len(examples[place].tags)]]
    return [found[n] for n in range(len(examples))]


def f1(model: Chunker, code: Codes, sentences: list[Sentence], examples: list[Example]) -> float:
    """F1 of the chunks in per cent."""
    # Here, because only the extra `scores` has it.
    from seqeval.metrics import f1_score

    true = [sentence["chunk"] for sentence in sentences]
    share: Any = f1_score(true, predicted(model, code, examples))
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
