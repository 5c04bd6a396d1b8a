"""Can a network write down what it hears, when nobody tells it where each sound is? CTC on tones.

    python examples/speech.py [--steps 600] [--noise 0.5] [--json]

Utterances are rows of tones in noise, with their labels but no alignment. A bidirectional LSTM
learns with the CTC loss; greedy and beam decoding are scored by the label error rate on utterances
that are new to it. The picture is of one: its spectrogram, and what each frame is taken for.
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

from jaxrnn import lstm
from jaxrnn.cells.checks import require_size
from jaxrnn.cli import script
from jaxrnn.data import Batches, error_rate, pad
from jaxrnn.data.synthetic import tones
from jaxrnn.models import Transcriber
from jaxrnn.train import fit_module

PITCHES, HIDDEN = 8, 48


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """Trains a transcriber of tone sequences with CTC."""

    steps: int = 600
    """Updates, of 32 utterances each."""
    noise: float = 0.5
    """Standard deviation of the noise; a tone's loudness is between 0.5 and 1."""
    width: int = 8
    """Prefixes that the beam search keeps."""
    out: Path = Path("runs/speech")
    """Folder of the picture."""


def measure(options: Options) -> dict[str, Any]:
    """Trains, and decodes utterances that are new."""
    require_size("steps", options.steps)
    heard = tones(4096, pitches=PITCHES, noise=options.noise, seed=(options.seed, 0))
    new = tones(256, pitches=PITCHES, noise=options.noise, seed=(options.seed, 1))
    forward, backward = (lstm(heard[0].frames.shape[-1], HIDDEN) for _ in range(2))
    rngs = nnx.Rngs(options.seed)
    model = Transcriber(forward, backward=backward, labels=PITCHES, rngs=rngs)

    def loss(model: Transcriber, batch: Any, key: jax.Array | None) -> tuple[jax.Array, Any]:
        nats = model.nll(*batch.values, *batch.lengths, key=key)
        return jnp.sum(nats), jnp.sum(batch.lengths.labels)

    batches = Batches(heard, batch_size=32, seed=options.seed, buckets=4)
    rate = optax.cosine_decay_schedule(5e-3, options.steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    rest: Any = {"key": jax.random.key(options.seed), "updates_per_call": 20, "symbol": "label"}
    model = fit_module(model, loss, batches, optimizer, steps=options.steps, **rest)
    return score(model, new, options)


def score(model: Transcriber, new: list[Any], options: Options) -> dict[str, Any]:
    """Label error rates, and the picture of the first utterance."""
    heard = [each.frames for each in pad(new)]  # values and lengths
    greedy, beams = model.transcribe(*heard), model.beam_search(*heard, width=options.width)
    found, wanted = cut(greedy.labels, greedy.lengths), [each.labels for each in new]
    draw(model, new[0], options.out / "speech.png")
    return {
        "greedy": error_rate(found, wanted),
        "beam": error_rate(cut(beams.labels[:, 0], beams.lengths[:, 0]), wanted),
        "guess": error_rate(wanted[1:] + wanted[:1], wanted),
        "wanted": wanted[0].tolist(),
        "heard": found[0].tolist(),
    }


def cut(labels: jax.Array, lengths: jax.Array) -> list[np.ndarray]:
    """Labels without their padding."""
    return [row[:n] for row, n in zip(np.asarray(labels), np.asarray(lengths), strict=True)]


def draw(model: Transcriber, utterance: Any, path: Path) -> None:
    """The spectrogram, and the probability of each label at each frame."""
    probabilities = np.asarray(jax.nn.softmax(model(utterance.frames[None])[0]))
    figure = Figure(figsize=(8, 5), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    above.imshow(utterance.frames.T, origin="lower", aspect="auto", cmap="magma")
    above.set(ylabel="frequency band", title=f"said: {' '.join(map(str, utterance.labels))}")
    below.plot(probabilities[:, 0], color="0.7", linestyle=":", label="blank")
    for label in range(1, PITCHES + 1):
        below.plot(probabilities[:, label], label=str(label), color=f"C{label + (label > 6)}")
    below.set(xlabel="frame", ylabel="probability", ylim=(0, 1.05))
    below.legend(ncols=5, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.2))
    script.save(figure, path)


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the error rates."""
    print(f"label error rate, greedy {result['greedy']:.2%}, beam of {options.width}", end=" ")
    print(f"{result['beam']:.2%}; of the labels of another utterance {result['guess']:.2%}")
    print(f"said {result['wanted']}, heard {result['heard']}; {options.out / 'speech.png'}")


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="speech.py")


if __name__ == "__main__":
    sys.exit(main())
