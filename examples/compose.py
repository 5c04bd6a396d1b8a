"""Can a network learn harmony? A model of polyphonic music reads chorales, and composes one.

    python examples/compose.py [--steps 1200] [--data MUSIC] [--json]

At each frame the network says of each of the 88 keys of a piano whether it will be down. Pieces
are made by rules, or come from `--data`, MIDI files or piano rolls. It is measured on others,
beside a model that knows only how often each key is down. It composes a MIDI file and draws it.
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

from jaxrnn import input_dropout, lstm
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli import script
from jaxrnn.data import Batches, pad
from jaxrnn.data.formats import read_midi, read_piano_rolls, write_midi
from jaxrnn.data.synthetic import chorales
from jaxrnn.diagnostics.plot import plot_piano_roll
from jaxrnn.models import PianoRoll
from jaxrnn.models.piano_roll import frame_nats
from jaxrnn.train import fit_module


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """Trains a model of polyphonic music and lets it compose."""

    steps: int = 1200
    """Updates, of 32 pieces each."""
    length: int = 64
    """Frames to compose."""
    temperature: float = 0.5
    """Below 1 it composes what is probable more often."""
    data: Path | None = None
    """Folder of MIDI files, or a .mat file of piano rolls. None: chorales made by rules."""
    out: Path = Path("runs/compose")
    """Folder of the MIDI file and the picture."""


def measure(options: Options) -> dict[str, Any]:
    """Trains, measures and composes."""
    require_size("steps", options.steps)
    require_size("length", options.length)
    require(options.temperature > 0, "temperature", "be positive", options.temperature)
    heard, new = pieces(options)
    # It learns to go on where a note is missing, as it will be in what it composes itself.
    cell, rngs = input_dropout(lstm(88, 128), 0.2), nnx.Rngs(options.seed)

    def loss(model: PianoRoll, batch: Any, key: jax.Array | None) -> tuple[jax.Array, Any]:
        return jnp.sum(model.nll(batch.values, batch.lengths, key=key)), jnp.sum(batch.lengths)

    batches = Batches(heard, batch_size=32, seed=options.seed)
    rate = optax.cosine_decay_schedule(5e-3, options.steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    learn, compose = jax.random.split(jax.random.key(options.seed))
    rest: Any = {"steps": options.steps, "key": learn, "symbol": "frame"}
    model = fit_module(PianoRoll(cell, rngs=rngs), loss, batches, optimizer, **rest)
    values, lengths = pad(new)
    nats = float(jnp.sum(model.nll(values, lengths)) / jnp.sum(lengths))
    how: Any = {"beginning": jnp.asarray(new[0][:4]), "temperature": options.temperature}
    composed = np.asarray(model.compose(options.length, compose, **how)).astype(np.uint8)
    write_midi(options.out / "compose.mid", composed)
    draw(new[0], composed, options.out / "compose.png")
    return {"nats_per_frame": nats, "static": static(heard, new)}


def pieces(options: Options) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Piano rolls to learn from, and others: a file's part for tests, or every tenth file."""
    if options.data is None:
        return chorales(2000, seed=(options.seed, 0)), chorales(200, seed=(options.seed, 1))
    if options.data.suffix == ".mat":
        parts = read_piano_rolls(options.data, "data")
        return parts["train"], parts["test"]
    rolls = [read_midi(path) for path in sorted(options.data.glob("*.mid"))]
    require(len(rolls) > 1, "data", "hold at least two MIDI files, *.mid", options.data)
    return [roll for n, roll in enumerate(rolls) if n % 10], rolls[::10]


def static(heard: list[np.ndarray], new: list[np.ndarray]) -> float:
    """Nats per frame of a model that knows only how often each key is down."""
    often, frames = np.concatenate(heard).mean(axis=0).clip(1e-4, 1 - 1e-4), np.concatenate(new)
    odds = jnp.broadcast_to(np.log(often / (1 - often)), frames.shape)
    return float(jnp.mean(frame_nats(odds, jnp.asarray(frames))))


def draw(played: np.ndarray, composed: np.ndarray, path: Path) -> None:
    """A piece that was given, and the one composed."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    above, below = figure.subplots(2)
    plot_piano_roll(played, above).set_title("a piece that it has not heard")
    plot_piano_roll(composed, below).set_title("composed, after the first four frames of it")
    script.save(figure, path)


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints what a frame costs."""
    print(f"nats per frame {result['nats_per_frame']:.2f}, static model {result['static']:.2f}")
    print(options.out / "compose.mid", options.out / "compose.png")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="compose.py")


if __name__ == "__main__":
    sys.exit(main())
