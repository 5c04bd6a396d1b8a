"""Does the feed-forward neural language model reach the published perplexity on the Penn Treebank?

    python benchmarks/papers/feed_forward.py --data DIR [--epochs 5] [--json]

DIR is that of `kneser_ney.py`. The network is that of Bengio et al. 2003 without its direct
connections, alone and in a linear mixture with the 5-gram whose weights are fitted on the
validation text. What is published came from stochastic gradient descent over many epochs; here it
is Adam with decoupled weight decay, and a learning rate that falls linearly to zero.

Windows reach over the ends of sentences, which are words like others; words and ends are scored. A
run that was stopped goes on where it was, and the same command on a finished folder measures again.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
import optax
import tyro
from flax import nnx
from kneser_ney import END, read_words
from rich.console import Console
from rich.table import Table

from jaxrnn import bench
from jaxrnn.baselines import FeedForwardLanguageModel, NGram, functions, mix, mixture_weights
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli.options import fail, read_options
from jaxrnn.data import Segment, streams
from jaxrnn.models.language_model import LanguageModelFunctions
from jaxrnn.train import Run, fit, init_state, tbptt_scan

ORDER = 5
# Test perplexity in table 4.1 of Mikolov 2012, "Statistical language models based on neural
# networks" (thesis): the network, KN5, and both together.
PUBLISHED = {"feed-forward": 140.2, "5-gram": 141.2, "both": 116.7}


@dataclasses.dataclass(frozen=True)
class Options:
    """Perplexity of the feed-forward neural language model on the Penn Treebank."""

    data: Path
    """Folder with ptb.train.txt, ptb.valid.txt and ptb.test.txt."""
    context: int = 5
    """K, how many words the network sees."""
    embed_size: int = 60
    """Size of a word's vector."""
    hidden_size: int = 100
    """H, units of the tanh layer."""
    epochs: int = 5
    """How often the training text is read."""
    learning_rate: float = 4e-3
    """Of Adam, at the start."""
    weight_decay: float = 0.01
    """What each weight loses of itself in an update, times the learning rate."""
    batch_size: int = 128
    """Streams that are read side by side, four words of each in an update."""
    seed: int = 0
    """Of the first weights."""
    out: Path = Path("runs/papers/feed_forward")
    """Folder of the run."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


class Corpus(NamedTuple):
    """The three texts as symbols."""

    texts: dict[str, np.ndarray]
    size: int  # V
    end: int  # the symbol that ends a sentence

    def opened(self, part: str) -> np.ndarray:
        """A text behind the end of a sentence, so that its first word is a target too."""
        return np.concatenate([[self.end], self.texts[part]])


def read_corpus(folder: Path) -> Corpus:
    """Reads the texts.

    Raises:
      ValueError: if one is missing, or has words that the training text lacks.
    """
    words = {part: read_words(folder, part) for part in ("train", "valid", "test")}
    codes = {word: code for code, word in enumerate(sorted(set(words["train"])))}
    for part, text in words.items():
        rule = f"hold no words in ptb.{part}.txt that ptb.train.txt lacks"
        unknown = sorted(set(text) - codes.keys())
        require(not unknown, "data", rule, unknown[:3])
    texts = {part: np.array([codes[word] for word in text]) for part, text in words.items()}
    return Corpus(texts, len(codes), codes[END])


def nats_of_words(lm: LanguageModelFunctions) -> Callable[[Any, np.ndarray], np.ndarray]:
    """Returns `nats(params, text)`, for every symbol of a text but the first."""

    @jax.jit
    def read(params: Any, carry: Any, segments: Segment) -> jax.Array:
        def body(carry: Any, segment: Any) -> tuple[Any, jax.Array]:
            nats, carry = lm.nll(params, carry, segment, None)
            return carry, nats

        return jax.lax.scan(body, carry, segments)[1]

    def nats(params: Any, text: np.ndarray) -> np.ndarray:
        count = len(text) - 1
        segments = streams(text, batch_size=1, segment_length=min(256, count))
        found = read(params, lm.initial_carry(1), segments)
        return np.asarray(found, float).ravel()[:count]

    return nats


def train(options: Options, corpus: Corpus) -> tuple[dict[str, np.ndarray], Run]:
    """Trains the network, or goes on training it.

    Returns:
      The log-probabilities of the words of the validation and the test text, and the run.

    Raises:
      ValueError: if an option is wrong, or the folder holds a run of others.
      KeyboardInterrupt: if Ctrl-C stopped the run, after saving it.
    """
    require_size("epochs", options.epochs)
    lm = functions(
        FeedForwardLanguageModel(
            vocabulary_size=corpus.size,
            context=options.context,
            embed_size=options.embed_size,
            hidden_size=options.hidden_size,
            rngs=nnx.Rngs(options.seed),
        )
    )
    segments = streams(corpus.opened("train"), batch_size=options.batch_size, segment_length=4)
    epoch = len(segments.inputs)
    steps = options.epochs * epoch
    rate = optax.linear_schedule(options.learning_rate, 0.0, steps)
    optimizer = optax.adamw(rate, weight_decay=options.weight_decay)
    carry, key = lm.initial_carry(options.batch_size), jax.random.key(options.seed)
    state, nats = init_state(lm.params, optimizer, carry, key), nats_of_words(lm)
    run = open_run(options)
    state = fit(
        tbptt_scan(lm.loss, optimizer),
        state,
        segments,
        steps=steps,
        run=run,
        validate=lambda params: nats(params, corpus.opened("valid")).mean(),
        check_every=epoch,
        symbol="word",
    )
    if int(state.step) < steps:
        print(f"\nstopped and saved after {int(state.step)} of {steps} updates in {options.out}")
        print("the same command goes on from there")
        raise KeyboardInterrupt
    parts = ("valid", "test")
    return {part: -nats(state.params, corpus.opened(part)) for part in parts}, run


def open_run(options: Options) -> Run:
    """Opens the run folder, made or found to be one of these options.

    Raises:
      ValueError: if it is one of others.
    """
    path = options.out / "options.json"
    given = {name: value for name, value in vars(options).items() if name not in ("out", "json")}
    given["data"] = str(options.data)
    if path.is_file():
        before = json.loads(path.read_text("utf-8"))
        other = [name for name in given if before.get(name) != given[name]]
        rule = f"hold no run with another {' and '.join(other)}"
        require(not other, "out", rule, options.out)
    run = Run(options.out)
    path.write_text(json.dumps(given), "utf-8")
    return run


def compare(network: dict[str, np.ndarray], corpus: Corpus) -> tuple[list[Any], np.ndarray]:
    """Perplexities of the network, the 5-gram and their mixture, and the weights of that."""
    text, size = corpus.texts["train"], corpus.size
    grams = NGram(text, order=ORDER, vocabulary_size=size, boundary=corpus.end)
    logs = {
        part: np.stack([own, grams.log_probabilities(corpus.texts[part])])
        for part, own in network.items()
    }
    weights = mixture_weights(logs["valid"])
    rows = []
    for number, (name, published) in enumerate(PUBLISHED.items()):
        found = {
            part: log[number] if number < len(log) else mix(log, weights)
            for part, log in logs.items()
        }
        found = {part: round(float(np.exp(-each.mean())), 2) for part, each in found.items()}
        rows.append({"model": name, "published": published, **found})
    return rows, weights


def main() -> int:
    """Trains, prints the table and returns the exit status."""
    try:
        options = read_options(Options, sys.argv[1:], program="feed_forward.py")
        corpus, machine = read_corpus(options.data), bench.machine()
        network, run = train(options, corpus)
    except (ValueError, OSError, FloatingPointError) as error:
        return fail(error)
    except KeyboardInterrupt:
        return 130
    rows, weights = compare(network, corpus)
    table = Table("model", "published", "test perplexity", "validation perplexity")
    for row in rows:
        figures = (row["published"], row["test"], row["valid"])
        table.add_row(row["model"], *(f"{figure:.1f}" for figure in figures))
    Console().print(table)
    seconds, share = round(run.seconds, 1), round(float(weights[0]), 3)
    print(f"trained for {seconds:.0f} s; weight of the network in the mixture {share}")
    if options.json:
        given = {**vars(options), "data": str(options.data), "out": str(options.out)}
        times = {"seconds": seconds, "network_weight": share}
        print(json.dumps({"machine": machine, "options": given, "rows": rows, **times}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
