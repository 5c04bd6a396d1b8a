"""What does attention, and what does a reversed source, do for an encoder and a decoder?

    python examples/translate.py [--task reverse] [--json]

Words of up to 20 letters are learned to be written backwards (`reverse`) or again (`copy`), with
attention and without, and then asked for at lengths up to twice that. Sums of two numbers of up to
three digits (`addition`) are learned without attention, from their characters as they stand and in
reverse order (Sutskever et al. 2014).
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import optax
from flax import nnx
from matplotlib.figure import Figure

from jaxrnn import generate, gru, lstm, train
from jaxrnn.cells.checks import require_size
from jaxrnn.cli import script
from jaxrnn.data import Batches, pad
from jaxrnn.data.synthetic.transduction import DIGITS, Pair, addition, copy, reverse
from jaxrnn.diagnostics.plot import plot_attention
from jaxrnn.models import Encoder, EncoderDecoder, LuongDecoder, PlainDecoder
from jaxrnn.models.encoder_decoder import functions
from jaxrnn.nn import LocationScore

LETTERS, LONGEST, LENGTHS = "abcdefghij", 20, (5, 10, 20, 25, 30, 40)  # LONGEST in training


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """Encoders and decoders that write words backwards or again, and sums."""

    task: Literal["all", "reverse", "copy", "addition"] = "all"
    """What to learn."""
    steps: int | None = None
    """Updates of each network; 600 for words and 10,000 for sums unless given."""
    out: Path = Path("runs/translate")
    """Folder of the picture."""


def measure(options: Options) -> dict[str, dict[str, dict[str, float]]]:
    """Trains the networks; returns the shares of targets that they write without any error."""
    require_size("steps", 1 if options.steps is None else options.steps)
    tasks = ("reverse", "copy", "addition") if options.task == "all" else (options.task,)
    figure = Figure(figsize=(11, 5 * len(tasks)), layout="constrained")
    result: dict[str, Any] = {task: {} for task in tasks}
    grid = figure.subplots(len(tasks), 2, squeeze=False)
    for task, (left, right) in zip(tasks, grid, strict=True):
        for way, model, pairs, tests in networks(task, options.seed):
            fit(model, pairs, task, options)
            shares = result[task][way] = {name: exact(model, test) for name, test in tests.items()}
            right.plot([*shares], [*shares.values()], "o-", label=way)
            if way == "with attention":
                pair = tests["30"][0]
                source, target = ([LETTERS[s - 1] if s else "end" for s in each] for each in pair)
                plot_attention(model.attention(*pair), source, target, left)
        left.set_visible(task != "addition")
        right.set(title=task, xlabel="letters", ylabel="without any error", ylim=(-0.05, 1.05))
        right.legend()
    options.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out / "translate.png", dpi=120)
    return result


def networks(task: str, seed: int) -> Iterator[tuple[str, EncoderDecoder, list[Pair], Any]]:
    """Two networks for a task, each with its name, the pairs to learn and those to be tested on."""
    symbols = len(DIGITS if task == "addition" else LETTERS)
    for second in (False, True):
        rngs = nnx.Rngs(seed)
        how: dict[str, Any] = {"vocabulary_size": symbols + 1, "rngs": rngs}
        if task == "addition":
            pairs = addition(101_000, digits=3, seed=seed, reverse_source=second)
            training, tests = pairs[1000:], {"unseen sums": pairs[:1000]}
            way = "source reversed" if second else "source as it stands"
            encoder = Encoder(lstm(16, 128), **how)
            decoder = PlainDecoder(lstm(16, 128), encoder, **how)
        else:
            make = partial({"reverse": reverse, "copy": copy}[task], symbols=symbols)
            training = make(20_000, lengths=(1, LONGEST), seed=seed)
            tests = {f"{n}": make(200, lengths=(n, n), seed=[seed, n]) for n in LENGTHS}
            way = "with attention" if second else "without attention"
            encoder = Encoder(gru(32, 32), backward=gru(32, 32), **how)
            kind = partial(LuongDecoder, score=LocationScore) if second else PlainDecoder
            decoder = kind(gru(32, 32), encoder, **how)
        yield way, EncoderDecoder(encoder, decoder, rngs=rngs), training, tests


def fit(model: EncoderDecoder, pairs: list[Pair], task: str, options: Options) -> None:
    """Trains the model."""
    parts = functions(model)
    steps, rate, size = (10_000, 4e-3, 128) if task == "addition" else (600, 5e-3, 64)
    steps = options.steps or steps
    adam = optax.adam(optax.cosine_decay_schedule(rate, steps))
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), adam)
    state = train.init_state(parts.params, optimizer, (), jax.random.key(options.seed))
    source = Batches(pairs, batch_size=size, seed=options.seed)
    state = train.fit(train.tbptt_scan(parts.loss, optimizer), state, source, steps=steps)
    nnx.update(model, state.params)


def exact(model: EncoderDecoder, pairs: list[Pair]) -> float:
    """The share of targets written without any error, always the most likely symbol."""
    (sources, targets), (lengths, _) = pad(pairs)
    parts = functions(model)
    start = parts.start(parts.params, sources, lengths)
    _, written = generate.greedy(parts.step, *start, length=targets.shape[1], end=0)
    return float(np.mean(np.all(targets == written.T, axis=1)))  # both are padded with the end


def show(options: Options, result: dict[str, dict[str, dict[str, float]]]) -> None:
    """Prints the shares."""
    for task, ways in result.items():
        for way, shares in ways.items():
            texts = (f"{name}: {share:.1%}" for name, share in shares.items())
            print(f"{task}, {way}, without any error:", ", ".join(texts))
    print(options.out / "translate.png")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="translate.py")


if __name__ == "__main__":
    sys.exit(main())
