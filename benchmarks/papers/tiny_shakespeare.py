"""Does a character LSTM learn Shakespeare as well as char-rnn does?

    python benchmarks/papers/tiny_shakespeare.py --data DIR [--epochs 50] [--json]

DIR holds `input.txt`, the tiny Shakespeare of Karpathy 2015 (1,115,394 characters). The recipe is
that of the defaults of char-rnn: two layers of 128 LSTM units that read characters one-hot, 50
streams, 50 steps, RMSProp. The only published figure is in the name of a checkpoint in its README,
`lm_lstm_epoch30.00_1.3950`: 1.3950 nats per character on validation after 30 epochs.

**The split is that of char-rnn**: the text is cut into 50 streams of equal length, and the last 5 %
of each stream, 23 of its 446 chunks of 50 characters, are validation. Figures for the last 10 % of
the text, as those of nanoGPT, are of another split, and higher.

A run that was stopped goes on where it was, and a finished one prints its table again.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from language import Learned, tokens_per_second, train, uniform_like
from rich.table import Table
from settings import digest, keep_settings

from jaxrnn import bench, lstm, stack, unroll
from jaxrnn.cells.checks import require
from jaxrnn.cli import screen, script
from jaxrnn.data import read_text
from jaxrnn.data.streams import Segment
from jaxrnn.losses import nll
from jaxrnn.train import Run, evaluator, init_state, tbptt_scan

FILE = "input.txt"
PUBLISHED = {30: 1.3950}  # nats after so many epochs
STREAMS, STEPS, HIDDEN, LAYERS = 50, 50, 128, 2
TRAIN_SHARE = 0.95  # of the chunks
BOUND, FORGET_BIAS = 0.08, 1.0
LEARNING_RATE, DECAY, CLIP = 2e-3, 0.95, 5.0
FALL, FALL_AFTER = 0.97, 10  # of the learning rate with every epoch from the tenth on


@dataclasses.dataclass(frozen=True)
class Options:
    """A character LSTM on the tiny Shakespeare, by the defaults of char-rnn."""

    data: Path
    """Folder with input.txt."""
    epochs: int = 50
    """Times that the training text is read."""
    seed: int = 0
    """Of the first parameters."""
    out: Path = Path("runs/papers/tiny_shakespeare")
    """Folder of the run; that of another seed has to be another."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


class CharRNN(NamedTuple):
    """LSTM layers that read characters one-hot, and a softmax over the next one."""

    vocabulary_size: int

    @property
    def cell(self) -> Any:
        """The layers."""
        sizes = [self.vocabulary_size] + [HIDDEN] * (LAYERS - 1)
        return stack(*(lstm(size, HIDDEN, forget_bias=0.0) for size in sizes))

    def init(self, key: jax.Array) -> Any:
        """All parameters uniform, and then 1 more on the forget gates."""
        readout = jnp.zeros((HIDDEN, self.vocabulary_size)), jnp.zeros(self.vocabulary_size)
        layers, readout = uniform_like((self.cell.init(key), readout), BOUND, key)
        forget = slice(HIDDEN, 2 * HIDDEN)
        layers = [layer._replace(b=layer.b.at[forget].add(FORGET_BIAS)) for layer in layers]
        return tuple(layers), readout

    def loss(
        self, params: Any, carry: Any, segment: Segment, key: jax.Array | None
    ) -> tuple[jax.Array, jax.Array, Any]:
        """Summed nats, characters and the carry after a segment, as `tbptt_scan` wants them."""
        del key
        layers, (weights, bias) = params
        xs = jax.nn.one_hot(segment.inputs, self.vocabulary_size)
        carry, hs = unroll(self.cell, layers, carry, xs)
        nats = nll(hs @ weights + bias, jnp.asarray(segment.targets))
        return jnp.sum(nats), jnp.asarray(nats.size), carry


def chunks(codes: np.ndarray) -> tuple[Segment, Segment]:
    """Cuts a text into streams and chunks as char-rnn does: those to learn and those to validate.

    What does not fill a chunk of every stream is left out; the character after the last is the
    first.
    """
    count = len(codes) // (STREAMS * STEPS)
    rule = f"hold 20 chunks of {STREAMS} x {STEPS} characters at least"
    require(count >= 20, "data", rule, f"{len(codes)} characters")
    codes = codes[: count * STREAMS * STEPS].astype(np.int32)

    def cut(array: np.ndarray) -> np.ndarray:
        return array.reshape(STREAMS, count, STEPS).transpose(1, 2, 0)

    inputs, targets = cut(codes), cut(np.roll(codes, -1))
    # No resets: in char-rnn the state goes on from the end of an epoch to the start of the next.
    whole = Segment(inputs, targets, np.ones(inputs.shape, bool), np.zeros(inputs.shape, bool))
    border = int(count * TRAIN_SHARE)
    learn, validate = [leaf[:border] for leaf in whole], [leaf[border:] for leaf in whole]
    return Segment(*learn), Segment(*validate)


def learning_rate(updates: int) -> Callable[[Any], Any]:
    """The schedule, for so many updates in an epoch."""

    def schedule(count: Any) -> Any:
        return LEARNING_RATE * FALL ** jnp.maximum(count // updates - FALL_AFTER + 1, 0)

    return schedule


def optimizer(updates: int) -> optax.GradientTransformation:
    """RMSProp behind clipping of each element, for so many updates in an epoch."""
    return optax.chain(
        # char-rnn clips the gradient of a sum over time; ours is a mean over the steps as well.
        optax.scale(STEPS),
        optax.clip(CLIP),
        optax.rmsprop(learning_rate(updates), decay=DECAY, eps=1e-8, eps_in_sqrt=False),
    )


def measure(options: Options) -> dict[str, Any] | None:
    """Trains, or goes on; None if Ctrl-C stopped it."""
    text = read_text(options.data / FILE, "data")
    characters, codes = np.unique(np.array(list(text)), return_inverse=True)
    epoch, validation = chunks(codes)
    machine = bench.machine()
    keep_settings(options.out, {"seed": options.seed, "data": digest(epoch.inputs)})
    network = CharRNN(len(characters))
    carry, chain = network.cell.initial_carry((STREAMS,)), optimizer(len(epoch.inputs))
    key = jax.random.key(options.seed)
    state = init_state(network.init(key), chain, carry, key)
    evaluate = evaluator(network.loss)
    learned = train(
        tbptt_scan(network.loss, chain),
        state,
        epoch,
        lambda params: evaluate(params, carry, validation),
        epochs=options.epochs,
        run=Run(options.out),
        symbol="char",
    )
    return None if learned is None else _result(options, machine, learned, epoch)


def _result(
    options: Options, machine: dict[str, Any], learned: Learned, epoch: Segment
) -> dict[str, Any]:
    curve = learned.curve[1:]
    return {
        "machine": machine,
        "options": {"epochs": options.epochs, "seed": options.seed},
        "validation": [round(nats, 4) for nats in curve],
        "best_epoch": 1 + int(np.argmin(curve)),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(learned.params)),
        "seconds": round(learned.seconds, 1),
        "chars_per_second": round(tokens_per_second(learned, epoch)),
    }


def table(result: dict[str, Any]) -> Table:
    """Validation after some epochs, and at its best."""
    table = Table("validation, nats per character", "published", "here")
    curve, best = result["validation"], result["best_epoch"]
    shown = sorted({1, 10, 20, *PUBLISHED, 40, 50, len(curve)})
    for epoch in (epoch for epoch in shown if epoch <= len(curve)):
        published = f"{PUBLISHED[epoch]:.4f}" if epoch in PUBLISHED else ""
        table.add_row(f"after epoch {epoch}", published, f"{curve[epoch - 1]:.4f}")
    table.add_row(f"best, after epoch {best}", "", f"{curve[best - 1]:.4f}")
    return table


def show(options: Options, result: dict[str, Any]) -> None:
    """Prints the table."""
    notes = (
        f"char-rnn, Karpathy 2015: the figure is in the name of a checkpoint in its README; its "
        f"split, the last 5 % of each of {STREAMS} streams",
        f"seed {options.seed}, {result['parameters']:,} parameters, {result['seconds']:.0f} s",
        bench.describe(result["machine"]),
    )
    screen.report([table(result)], notes)


def main() -> int:
    """Trains and prints; returns the exit status."""
    return script.run(Options, measure, show, program="tiny_shakespeare.py")


if __name__ == "__main__":
    sys.exit(main())
