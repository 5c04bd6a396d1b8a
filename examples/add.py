"""Does an encoder and decoder learn to add more easily if the source is reversed?

    python examples/add.py [--digits 3] [--steps 10000] [--json]

Two numbers in characters, "27+561", become their sum, "588", and all that the decoder knows is the
encoder's last state (Sutskever, Vinyals, Le 2014). Both networks have the same budget, and get new
sums to do.
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

from jaxrnn import generate, lstm
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli import script
from jaxrnn.data import Batches, pad
from jaxrnn.data.synthetic.transduction import DIGITS, Pair, addition, read
from jaxrnn.models import Encoder, EncoderDecoder, PlainDecoder
from jaxrnn.models.encoder_decoder import functions
from jaxrnn.train import fit_module

WAYS = {"source as it stands": False, "source reversed": True}


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """Encoders and decoders that add."""

    digits: int = 3
    """The most digits of a number, 2 to 6."""
    steps: int = 10_000
    """Updates of each network, of 128 sums each."""
    out: Path = Path("runs/add")
    """Folder of the picture."""


def measure(options: Options) -> dict[str, Any]:
    """Trains both networks; returns the shares of sums that they write without any error."""
    require_size("steps", options.steps)
    require(2 <= options.digits <= 6, "digits", "be 2 to 6", options.digits)
    count = min(101_000, 10 ** (2 * options.digits))  # of which a thousand are kept for the test
    right, said = {}, {}
    for way, reverse_source in WAYS.items():
        how: Any = {"digits": options.digits, "reverse_source": reverse_source}
        pairs = addition(count, seed=options.seed, **how)
        model = trained(pairs[1000:], options)
        found = written(model, pairs[:1000])
        wanted = [read(pair.target, DIGITS) for pair in pairs[:1000]]
        right[way] = float(np.mean([a == b for a, b in zip(found, wanted, strict=True)]))
        sources = [read(pair.source, DIGITS)[:: -1 if reverse_source else 1] for pair in pairs[:8]]
        said[way] = [*zip(sources, found, wanted, strict=False)]
    picture(options.out / "add.png", right, said)
    return {"right": right, "said": said}


def trained(pairs: list[Pair], options: Options) -> EncoderDecoder:
    """A network that has learned these sums."""
    rngs = nnx.Rngs(options.seed)
    how: dict[str, Any] = {"vocabulary_size": len(DIGITS) + 1, "rngs": rngs}
    encoder = Encoder(lstm(16, 128), **how)
    model = EncoderDecoder(encoder, PlainDecoder(lstm(16, 128), encoder, **how), rngs=rngs)

    def loss(model: EncoderDecoder, batch: Any, key: jax.Array | None) -> tuple[jax.Array, Any]:
        nats = model.nll(*batch.values, *batch.lengths, key=key)
        return jnp.sum(nats), jnp.sum(batch.lengths.target)

    batches, key = Batches(pairs, batch_size=128, seed=options.seed), jax.random.key(options.seed)
    rate = optax.cosine_decay_schedule(4e-3, options.steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    return fit_module(model, loss, batches, optimizer, steps=options.steps, key=key)


def written(model: EncoderDecoder, pairs: list[Pair]) -> list[str]:
    """What the model writes, always the most likely character."""
    (sources, targets), (lengths, _) = pad(pairs)
    parts = functions(model)
    start = parts.start(parts.params, sources, lengths)
    _, symbols = generate.greedy(parts.step, *start, length=targets.shape[1], end=0)
    return [read(row, DIGITS) for row in np.asarray(symbols).T]


def picture(path: Path, right: dict[str, float], said: dict[str, list[Any]]) -> None:
    """Some sums, in red where they are wrong, and the share of all that are right."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for axes, (way, sums) in zip(figure.subplots(1, 2), said.items(), strict=True):
        axes.set_title(f"{way}: {right[way]:.1%} right")
        axes.set_axis_off()
        for row, (source, found, wanted) in enumerate(sums):
            color = "black" if found == wanted else "#c00000"
            text = f"{source} = {found}"
            axes.text(0.3, 1 - (row + 1) / 9, text, color=color, family="monospace", fontsize=12)
    script.save(figure, path)


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the shares."""
    for way, share in result["right"].items():
        print(f"{way}: {share:.1%} of the sums of the test without any error")
    print(options.out / "add.png")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="add.py")


if __name__ == "__main__":
    sys.exit(main())
