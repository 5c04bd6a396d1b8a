"""Does a sentence praise or complain? Its words do not say, unless they are read in order.

    python examples/sentiment.py [--steps 600] [--data FILE] [--json]

A network reads words in both directions and learns which to attend to, which the picture shows;
another model only counts them. Sentences are made by rules, or are those of `--data`: on each line
a label, a tab and a text.
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

from jaxrnn import gru, input_dropout, train
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli import script
from jaxrnn.data import Batches, pad
from jaxrnn.data.formats import LabelledText, read_labelled
from jaxrnn.data.synthetic import opinions
from jaxrnn.data.tokenizers import WordTokenizer
from jaxrnn.diagnostics.plot import plot_words
from jaxrnn.models import Classifier
from jaxrnn.nn import AttentionPooling


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """A classifier of sentences."""

    steps: int = 600
    """Updates, of 64 sentences each."""
    data: Path | None = None
    """File of labelled lines; every tenth is not learned from. None: sentences made by rules."""
    out: Path = Path("runs/sentiment")
    """Folder of the picture."""


def measure(options: Options) -> dict[str, float]:
    """Trains; returns the shares of new sentences that are understood."""
    require_size("steps", options.steps)
    known, new = texts(options)
    code = WordTokenizer.from_text("\n".join(each.text for each in known), size=20_000)
    kinds = sorted({each.label for each in known})
    require(len(kinds) > 1, "data", "have two labels or more", kinds)
    examples = [(code.encode(text), kinds.index(label)) for text, label in known]
    model = trained(examples, code.vocabulary_size, len(kinds), options)
    words, lengths = pad([code.encode(each.text) for each in new])
    parts = [slice(at, at + 250) for at in range(0, len(new), 250)]  # long texts fill the memory
    found = [kinds[n] for part in parts for n in model.classes(words[part], lengths[part]).tolist()]
    _, outputs = model.reader(words[:12], lengths[:12])
    picture(options.out / "sentiment.png", new, found, model.pooling.weights(outputs, lengths[:12]))
    right = lambda answers: float(np.mean(np.array(answers) == [label for _, label in new]))
    return {"accuracy": right(found), "by_counts": right(counted(known, new))}


def counted(known: list[LabelledText], new: list[LabelledText]) -> np.ndarray:
    """The labels of new sentences by a model that counts words, whatever their order."""
    from sklearn import feature_extraction, linear_model, pipeline

    counter = feature_extraction.text.CountVectorizer(token_pattern=r"\S+")
    model = pipeline.make_pipeline(counter, linear_model.LogisticRegression())
    return model.fit(*zip(*known, strict=True)).predict([text for text, _ in new])


def texts(options: Options) -> tuple[list[LabelledText], list[LabelledText]]:
    """Sentences to learn from, and others."""
    if options.data is None:
        return opinions(4000, seed=(options.seed, 0)), opinions(1000, seed=(options.seed, 1))
    lines = read_labelled(options.data, "data")
    return [line for n, line in enumerate(lines) if n % 10], lines[::10]


def trained(examples: list[Any], symbols: int, classes: int, options: Options) -> Classifier:
    """A network that has learned which sentences are of which class."""
    rngs, cell = nnx.Rngs(options.seed), input_dropout(gru(32, 32), 0.2)
    how: dict[str, Any] = {"vocabulary_size": symbols, "classes": classes, "rngs": rngs}
    pooling = AttentionPooling(64, rngs=rngs)

    def loss(model: Classifier, batch: Any, key: jax.Array | None) -> tuple[jax.Array, Any]:
        (words, labels), (lengths, _) = batch.values, batch.lengths
        return jnp.sum(model.nll(words, labels, lengths, key=key)), len(labels)

    source = Batches(examples, batch_size=64, seed=options.seed)
    optimizer = optax.adam(optax.cosine_decay_schedule(5e-3, options.steps))
    rest: Any = {"steps": options.steps, "key": jax.random.key(options.seed), "symbol": "sentence"}
    model = Classifier(cell, backward=cell, pooling=pooling, **how)
    return train.fit_module(model, loss, source, optimizer, **rest)


def picture(path: Path, new: list[LabelledText], found: list[str], weights: jax.Array) -> None:
    """Sentences with the words that the network attends to, and what it takes them for."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    rows = [each.text.split()[:18] for each in new[:12]]
    plot_words(rows, list(weights[:12]), found[:12], figure.subplots())
    script.save(figure, path)


def show(options: Options, result: dict[str, float]) -> None:
    """Prints the share beside that of counting words."""
    print("right: read in order {accuracy:.1%}, words counted {by_counts:.1%}".format(**result))
    print(options.out / "sentiment.png")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="sentiment.py")


if __name__ == "__main__":
    sys.exit(main())
