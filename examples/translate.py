"""What does attention do for an encoder and a decoder, at lengths that they have not learned?

    python examples/translate.py [--task copy] [--steps 600] [--json]

Words of up to 20 letters are written backwards, or again, and then words up to twice as long.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from matplotlib.figure import Figure

from jaxrnn import generate, lstm
from jaxrnn.cells.checks import require_size
from jaxrnn.cli import script
from jaxrnn.data import Batches, pad
from jaxrnn.data.synthetic.transduction import Pair, copy, reverse
from jaxrnn.diagnostics.plot import plot_attention
from jaxrnn.models import BahdanauDecoder, Encoder, EncoderDecoder, PlainDecoder
from jaxrnn.models.encoder_decoder import functions
from jaxrnn.nn import LocationScore
from jaxrnn.train import fit_module

LETTERS, LONGEST, LENGTHS = "abcdefghij", 20, (5, 10, 20, 25, 30, 40)  # LONGEST in training


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """Encoders and decoders that write words backwards or again."""

    task: Literal["reverse", "copy"] = "reverse"
    """What to learn."""
    steps: int = 600
    """Updates of each network, of 64 words each."""
    out: Path = Path("runs/translate")
    """Folder of the picture."""


def measure(options: Options) -> dict[str, dict[str, dict[str, float]]]:
    """Trains both networks; returns the shares of words that they write without any error."""
    require_size("steps", options.steps)
    make = partial({"reverse": reverse, "copy": copy}[options.task], symbols=len(LETTERS))
    pairs = make(20_000, lengths=(1, LONGEST), seed=options.seed)
    tests = {n: make(200, lengths=(n, n), seed=[options.seed, n]) for n in LENGTHS}
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    found: dict[str, dict[str, float]] = {}
    for way, untrained in networks(options.seed):
        model = trained(untrained, pairs, options)
        found[way] = {f"{n}": exact(model, test) for n, test in tests.items()}
        right.plot([*tests], [*found[way].values()], "o-", label=way)
        if way == "with attention":
            pair = [jnp.asarray(field) for field in tests[30][0]]
            names = [[(*LETTERS, "end")[s - 1] for s in field.tolist()] for field in pair]
            plot_attention(model.attention(*pair), names[0], names[1], left)
    right.set(title=f"{options.task}, learned up to {LONGEST} letters", ylim=(-0.05, 1.05))
    right.set(xlabel="letters", ylabel="without any error")
    right.legend()
    script.save(figure, options.out / "translate.png")
    return {options.task: found}


def networks(seed: int) -> Iterator[tuple[str, EncoderDecoder]]:
    """Two networks that differ in nothing but their decoder."""
    looking = partial(BahdanauDecoder, score=LocationScore)  # it can move on from where it looked
    decoders = {"without attention": (PlainDecoder, 32), "with attention": (looking, 32 + 64)}
    for way, (kind, size) in decoders.items():
        how: dict[str, Any] = {"vocabulary_size": len(LETTERS) + 1, "rngs": nnx.Rngs(seed)}
        encoder = Encoder(lstm(32, 32), backward=lstm(32, 32), **how)
        yield way, EncoderDecoder(encoder, kind(lstm(size, 32), encoder, **how), rngs=how["rngs"])


def trained(model: EncoderDecoder, pairs: list[Pair], options: Options) -> EncoderDecoder:
    """The model after training."""
    loss = lambda model, batch, key: (
        jnp.sum(model.nll(*batch.values, *batch.lengths, key=key)),
        jnp.sum(batch.lengths.target),
    )
    batches, key = Batches(pairs, batch_size=64, seed=options.seed), jax.random.key(options.seed)
    rate = optax.cosine_decay_schedule(5e-3, options.steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    return fit_module(model, loss, batches, optimizer, steps=options.steps, key=key)


def exact(model: EncoderDecoder, pairs: list[Pair]) -> float:
    """The share of targets written without any error, always the most likely symbol."""
    (sources, targets), (lengths, _) = pad(pairs)
    parts = functions(model)
    start = parts.start(parts.params, sources, lengths)
    _, written = generate.greedy(parts.step, *start, length=targets.shape[1], end=0)
    return float(np.mean(np.all(targets == written.T, axis=1)))  # both are padded with the end


def show(options: Options, result: dict[str, dict[str, dict[str, float]]]) -> None:
    """Prints the shares."""
    for way, shares in result[options.task].items():
        texts = (f"{name}: {share:.1%}" for name, share in shares.items())
        print(f"{options.task}, {way}, without any error:", ", ".join(texts))
    print(options.out / "translate.png")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="translate.py")


if __name__ == "__main__":
    sys.exit(main())
