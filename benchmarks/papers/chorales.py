"""The JSB chorales: pieces of chords, and what a model pays for them in nats."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn import length_mask
from jaxrnn.cells.checks import require
from jaxrnn.data.formats import read_piano_rolls
from jaxrnn.models import piano_roll

FILE = "JSB_Chorales.mat"
KEYS = 88


class Pieces(NamedTuple):
    """Pieces side by side, padded with silence; each frame but the first is to be predicted."""

    frames: Any  # [T + 1, N, 88] uint8, 1 where a key is down
    seq_lengths: Any  # [N] predicted frames of each piece

    @property
    def inputs(self) -> Any:
        """What is read, `[T, N, 88]`."""
        return self.frames[:-1]

    @property
    def targets(self) -> Any:
        """The frame after each input, `[T, N, 88]`."""
        return self.frames[1:]


def read(folder: Path) -> dict[str, Pieces]:
    """Reads the parts `train`, `valid` and `test` of the file of Boulanger-Lewandowski et al. 2012.

    Raises:
      ValueError: if the folder does not hold the file, or the file something else.
    """
    path = folder / FILE
    require(path.is_file(), "data", f"hold the file {FILE}", folder)
    return {part: padded(rolls) for part, rolls in read_piano_rolls(path, "data").items()}


def padded(rolls: list[np.ndarray]) -> Pieces:
    """Puts pieces `[frames, 88]` side by side.

    Raises:
      ValueError: if a piece has another form, or no frame to predict.
    """
    fits = [roll.ndim == 2 and roll.shape[1] == KEYS and len(roll) > 1 for roll in rolls]
    require(len(rolls) > 0 and all(fits), "rolls", f"be [frames, {KEYS}]", [r.shape for r in rolls])
    seq_lengths = np.array([len(roll) - 1 for roll in rolls], np.int32)
    frames = np.zeros((seq_lengths.max() + 1, len(rolls), KEYS), np.uint8)
    for n, roll in enumerate(rolls):
        frames[: len(roll), n] = roll
    return Pieces(frames, seq_lengths)


def frame_nats(logits: jax.Array, targets: jax.Array, seq_lengths: jax.Array) -> jax.Array:
    """Nats of each frame under 88 keys that are independent given the past.

        nats_t = Σ_k log(1 + exp(logits_tk)) - targets_tk logits_tk

    Args:
      logits: log-odds that a key is down, `[T, B, 88]`; anything in the padding.
      targets: 1 where it is, `[T, B, 88]`.
      seq_lengths: frames that count in each piece, `[B]`.

    Returns:
      `[T, B]`, zero in the padding.
    """
    return piano_roll.frame_nats(logits, targets, length_mask(seq_lengths, len(logits)))


def static_nats(train: Pieces, test: Pieces) -> float:
    """Mean nats per frame of a model without memory: how often each key is down in `train`.

    Half a frame is added in which the key is down, and half in which it is not, because a key that
    never sounds in `train` may do so in `test`.
    """
    down, frames = train.frames.sum((0, 1)), (train.seq_lengths + 1).sum()
    log_odds = np.log((down + 0.5) / (frames - down + 0.5))
    logits = jnp.broadcast_to(log_odds, test.targets.shape)
    return float(frame_nats(logits, test.targets, test.seq_lengths).sum() / test.seq_lengths.sum())
