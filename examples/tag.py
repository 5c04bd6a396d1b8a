"""Does a tagger that scores whole sentences beat one that decides for each word by itself?

    python examples/tag.py [--steps 400] [--seed 0] [--json]

On a generated grammar the same network ends in a softmax, which is made for single words, or in a
CRF, made for whole sentences; the tags most probable by the grammar itself are the best possible.
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
from jaxrnn.data.synthetic import TaggedSentences, chunk_grammar, tagged_sentences
from jaxrnn.diagnostics.plot import plot_transitions
from jaxrnn.models import Tagger
from jaxrnn.nn import CRF, Chain, viterbi

GRAMMAR, TAGGERS = chunk_grammar(kinds=3), {"softmax": None, "CRF": CRF}


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """A softmax and a CRF on the same network."""

    steps: int = 400
    """Updates of each tagger."""
    out: Path = Path("runs/tag")
    """Folder of the picture."""


def measure(options: Options) -> dict[str, Any]:
    """Trains both taggers; returns what share of the words and of the sentences is right."""
    require_size("steps", options.steps)
    draw = lambda key, size: tagged_sentences(key, GRAMMAR, batch_size=size, max_length=20)
    keys = jax.random.split(jax.random.key(options.seed), options.steps + 1)
    batches, test = jax.vmap(lambda key: draw(key, 32))(keys[1:]), draw(keys[0], 1000)
    models = {name: trained(crf, batches, options) for name, crf in TAGGERS.items()}
    found = {name: jax.jit(model.tags)(test.words, test.lengths) for name, model in models.items()}
    of_words = jnp.asarray(GRAMMAR.emission).T[test.words]
    found["word alone"] = jnp.argmax(of_words, axis=-1)
    found["grammar"] = viterbi(Chain(*GRAMMAR[1:3], np.zeros(7)), of_words, test.lengths).tags
    found = {name: np.asarray(tags) for name, tags in found.items()}
    picture(options.out / "tag.png", test, found, models["CRF"].crf)
    return {name: shares(tags, test) for name, tags in found.items()}


def trained(crf: Any, batches: TaggedSentences, options: Options) -> Tagger:
    """A tagger that has learned from the batches."""
    size = {"tags": len(GRAMMAR.labels), "vocabulary_size": GRAMMAR.emission.shape[1]}
    cell, rngs = gru(16, 32), nnx.Rngs(options.seed)
    model = Tagger(cell, backward=cell, crf=crf, rngs=rngs, **size)
    loss = lambda model, batch, key: (jnp.sum(model.nll(*batch)), jnp.sum(batch.lengths))
    rest: Any = {"steps": options.steps, "key": jax.random.key(options.seed)}
    return train.fit_module(model, loss, batches, optax.adam(5e-3), **rest)


def shares(tags: np.ndarray, test: TaggedSentences) -> dict[str, float]:
    """Words and whole sentences with the right tags; sentences whose tags the grammar allows."""
    padding = np.arange(tags.shape[1]) >= np.asarray(test.lengths)[:, None]
    right = tags == np.asarray(test.tags)
    allowed = np.isfinite(GRAMMAR.between)[tags[:, :-1], tags[:, 1:]] | padding[:, 1:]
    allowed = allowed.all(1) & np.isfinite(GRAMMAR.start)[tags[:, 0]]
    shares = {"words": right[~padding], "sentences": (right | padding).all(1), "allowed": allowed}
    return {name: float(share.mean()) for name, share in shares.items()}


def picture(path: Path, test: TaggedSentences, found: dict[str, np.ndarray], crf: Any) -> None:
    """A sentence that the softmax gets wrong and the CRF right, and the scores of neighbours."""
    rows = np.stack([test.tags, *(found[name] for name in TAGGERS)])
    wrong = np.sum(rows != rows[0], axis=2)
    n = int(np.argmax(wrong[1] - 2 * wrong[2]))
    tags = rows[:, n, : int(test.lengths[n])]
    figure = Figure((12, 7), layout="constrained")
    axes = figure.subplot_mosaic("ss;lt", height_ratios=(1, 2))
    axes["s"].imshow(tags != tags[0], cmap="Reds", vmin=0, vmax=2, aspect="auto")
    axes["s"].set(title="wrong: red", xticks=[], yticks=range(3), yticklabels=["true", *TAGGERS])
    for (row, word), tag in np.ndenumerate(tags):
        axes["s"].text(word, row, GRAMMAR.labels[tag], ha="center", va="center")
    plot_transitions(crf.between[...], GRAMMAR.labels, axes["l"]).set(title="CRF")
    plot_transitions(np.exp(GRAMMAR.between), GRAMMAR.labels, axes["t"]).set(title="grammar")
    script.save(figure, path)


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints both taggers between the word alone and the grammar itself."""
    print(f"{'right':12}{'words':>12}{'sentences':>12}{'allowed':>12}")
    for name in ("word alone", *TAGGERS, "grammar"):
        print(f"{name:12}" + "".join(f"{share:12.1%}" for share in result[name].values()))
    print(options.out / "tag.png")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="tag.py")


if __name__ == "__main__":
    sys.exit(main())
