"""Tone sequences: what speech is to a recogniser, at a size that needs no recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxrnn.cells.checks import require, require_size

WINDOW = 64  # samples of a frame
HOP = 32  # samples from one frame to the next
BANDS = WINDOW // 2 + 1
PITCHES = 14  # as many are a whole number of bands apart


class Utterance(NamedTuple):
    """What is heard, and what was said; nobody says when."""

    frames: np.ndarray  # [T, 33] float32, a log-spectrum for each frame
    labels: np.ndarray  # [N] int32, tones from 1 on


def tones(
    count: int,
    *,
    pitches: int = 8,
    lengths: tuple[int, int] = (3, 8),
    noise: float = 0.5,
    seed: int | Sequence[int],
) -> list[Utterance]:
    """Rows of tones of varying duration and loudness, with pauses between them, in noise.

        wave_s = a_k sin(2π s f_{label_k} / 64 + φ_k) within tone k,  else 0;  + noise · N(0, 1)
        frame_t = log(1 + |Σ_s hann_s wave_{32 t + s} exp(-2πi s f / 64)|²)   for f = 0 .. 32
        f_label = 2 (label + 1)

    A tone is of 3 to 8 hops, its loudness a_k between 0.5 and 1; a pause of 0 to 4 hops, and at
    least 3 between two equal tones, which would else be one. The task is that of CTC: the labels
    are many fewer than the frames, and not aligned to them.

    Args:
      count: how many utterances.
      pitches: K, how many tones there are, at most 14.
      lengths: the least and the most tones of an utterance; every number between is as likely.
      noise: standard deviation of the noise.
      seed: of the random numbers.

    Returns:
      Utterances; labels are 1 to K, so that 0 is free for the blank.

    Raises:
      ValueError: if a size is out of its range or the noise negative.

    >>> utterance = tones(1, lengths=(4, 4), seed=0)[0]
    >>> utterance.frames.shape, utterance.labels.tolist()
    ((32, 33), [7, 6, 5, 3])
    """
    require_size("count", count)
    require_size("pitches", pitches)
    require(pitches <= PITCHES, "pitches", f"be at most {PITCHES}", pitches)
    least, most = lengths
    require(0 <= least <= most, "lengths", "be a least and a most number of tones", lengths)
    require(noise >= 0, "noise", "not be negative", noise)
    rng = np.random.default_rng(seed)
    sizes = rng.integers(least, most + 1, count).tolist()
    said = (rng.integers(1, pitches + 1, size, np.int32) for size in sizes)
    return [Utterance(_spectrum(_wave(rng, labels, noise)), labels) for labels in said]


def _wave(rng: np.random.Generator, labels: np.ndarray, noise: float) -> np.ndarray:
    """The sound of tones, `[S]` samples, a whole number of hops and a frame at least."""
    parts = [_silence(rng, 2)]
    for before, label in zip([0, *labels], labels, strict=False):
        parts.append(_silence(rng, 3 if label == before else 0))
        samples = np.arange(HOP * rng.integers(3, 9))
        turns = samples * 2 * (label + 1) / WINDOW + rng.random()
        parts.append(rng.uniform(0.5, 1) * np.sin(2 * np.pi * turns))
    wave = np.concatenate([*parts, _silence(rng, 2)])
    return wave + noise * rng.normal(size=wave.shape)


def _silence(rng: np.random.Generator, least: int) -> np.ndarray:
    return np.zeros(HOP * rng.integers(least, 5))


def _spectrum(wave: np.ndarray) -> np.ndarray:
    """The log-spectrum of each frame of samples `[S]`: `[T, 33]`."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP]
    spectrum = np.fft.rfft(frames * np.hanning(WINDOW), axis=-1)
    return np.log1p(np.abs(spectrum) ** 2).astype(np.float32)
