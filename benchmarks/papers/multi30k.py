"""What does attention do for translation? German to English, on the captions of Multi30k.

    python benchmarks/papers/multi30k.py --data DIR [--model attention] [--epochs 10] [--json]

DIR holds the parts train, val and test_2016_flickr of the data set in lower case and cut into
words, `*.lc.norm.tok.de` and `*.lc.norm.tok.en`. The figures are of the test sentences, by the
parameters after the last update: the perplexity of their words, given the true words before them
and given those that the network itself holds likeliest, and the BLEU of translations, which
`sacrebleu` computes from the words as they are.

The published figures are those of the notebooks of bentrevett/pytorch-seq2seq. They are given the
network's own words, by networks that have read their own words half of the time in training, and
these here always read the true ones; and they cut sentences into words by another program.

What is finished is kept in `--out`, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import epochs
import jax
import optax
from flax import nnx
from settings import digest, keep_settings
from translation import Codes, Translate, codes, loss, loss_by_own_words, read, translator

from jaxrnn import bench, train
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli.script import run
from jaxrnn.data.synthetic.transduction import Pair
from jaxrnn.models import EncoderDecoder
from jaxrnn.train.module import ModuleLoss

SCORER = "sacrebleu.metrics.bleu"
LENGTH = 50  # words of a translation at most
RECIPE = epochs.Recipe(
    batch_size=128,
    schedule=lambda steps: optax.linear_schedule(2e-3, 0.0, steps),
    clip=1.0,
    buckets=5,
    symbol="word",
)
PUBLISHED = {"plain": "52.00", "context": "34.66", "attention": "24.03, BLEU 28.11"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(epochs.Options):
    """Encoders and decoders on the captions of Multi30k."""

    model: Literal["plain", "context", "attention"] = "attention"
    """Which network."""
    hidden_size: int = 512
    """Units of each layer."""
    dropout: float = 0.5
    """Of what goes into each layer and of what comes out of the last."""
    beam: int = 5
    """Hypotheses of the second translation; the first is greedy."""
    epochs: int = 10
    """Times that the training sentences are read."""
    out: Path = Path("runs/papers/multi30k")
    """Folder of the checkpoints, in a folder for each network."""


def measure(options: Options) -> dict[str, Any]:
    """Trains, or goes on, and tests."""
    for name in ("epochs", "hidden_size", "beam"):
        require_size(name, getattr(options, name))
    require(0 <= options.dropout < 1, "dropout", "lie in [0, 1)", options.dropout)
    epochs.scorer(SCORER)
    options = dataclasses.replace(options, out=options.out / options.model)
    machine, texts = bench.machine(), read(options.data)
    code = codes(texts["train"])
    examples = {part: [code.pair(pair) for pair in pairs] for part, pairs in texts.items()}
    named = ("model", "hidden_size", "dropout", "epochs", "seed")
    settings = {
        **{name: getattr(options, name) for name in named},
        "vocabularies": [each.vocabulary_size for each in code],
        "data": digest(*(field for each in examples.values() for one in each for field in one)),
    }
    keep_settings(options.out, settings)
    model = translator(options.model, code, options.hidden_size, options.dropout, options.seed)
    validate = epochs.mean_over(examples["valid"])
    model, seconds = epochs.fit(model, loss, examples["train"], RECIPE, options, validate)
    found: dict[str, Any] = {"seconds": seconds}
    for name, by in (("perplexity", loss), ("perplexity_by_own_words", loss_by_own_words)):
        found[name] = perplexity(model, examples["test"], by)
    size = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    references = [pair.target for pair in texts["test"]]
    for name, width in (("greedy", 1), ("beam", options.beam)):
        found[f"bleu_{name}"] = bleu(translate(model, code, examples["test"], width), references)
    return {"machine": machine, **settings, "parameters": size, "beam": options.beam, **found}


def perplexity(model: EncoderDecoder, pairs: Sequence[Pair], by: ModuleLoss) -> float:
    """Of the words of the targets and their ends."""
    params, loss_fn, _ = train.functional(model, by)
    return round(math.exp(epochs.mean_over(pairs)(loss_fn)(params)), 2)


def translate(model: EncoderDecoder, code: Codes, pairs: Sequence[Pair], width: int) -> list[str]:
    """The translations of the sources, in their order."""
    write = Translate(model, code, length=LENGTH)
    return epochs.in_order((places, write(batch, width)) for places, batch in epochs.groups(pairs))


def bleu(found: Sequence[str], references: Sequence[str]) -> float:
    """BLEU in per cent, of words that white space separates."""
    metric = epochs.scorer(SCORER).BLEU(tokenize="none", force=True)
    return round(metric.corpus_score(list(found), [list(references)]).score, 2)


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the figures beside the published ones."""
    print(f"Multi30k, German to English, {options.model}: perplexity {result['perplexity']}")
    print(f"given the words of its own: {result['perplexity_by_own_words']}")
    print(f"BLEU: greedy {result['bleu_greedy']}, beam of {options.beam} {result['bleu_beam']}")
    spent = f"{result['epochs']} epochs, {result['seconds']:.0f} s"
    print(f"after {spent}, {result['parameters']:,} parameters")
    published = ", ".join(f"{name} {figure}" for name, figure in PUBLISHED.items())
    print(f"published, given its own words: {published} (bentrevett/pytorch-seq2seq)")
    print(bench.describe(result["machine"]))


def main() -> int:
    """Trains and prints; returns the exit status."""
    return run(Options, measure, show, program="multi30k.py")


if __name__ == "__main__":
    sys.exit(main())
