"""Pieces of music by a few rules of harmony: polyphony that needs no recording."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxrnn.cells.checks import require, require_size

KEYS, LOWEST = 88, 21  # of a piano, and MIDI's number of the first of them, A0
SCALE = (0, 2, 4, 5, 7, 9, 11)  # semitones of a major scale above its tonic
# What may follow the chord on each step of the scale but the last, most often the first.
NEXT = ((3, 4, 5, 1), (4,), (5, 3), (4, 0, 1), (0, 5), (1, 3))
USUAL = 0.75  # how often the first of several ways is taken
CHORD = 4  # frames of a chord; a passing note takes the last two
BASS, TENOR, ALTO = 36, 48, 60  # MIDI's numbers of the tonics of C major above which they sing


def chorales(
    count: int, *, chords: tuple[int, int] = (8, 16), seed: int | Sequence[int]
) -> list[np.ndarray]:
    """Chorales for four voices in random major keys.

    Chords are triads that follow each other as in a textbook of harmony, begin on the tonic and end
    with V, I. The bass sings the root, the tenor the fifth, the alto the third, and the soprano a
    chord tone near to the one before, mostly the nearest; where it goes on by two steps of the
    scale it passes through the one between. Three voices are certain once the chord is known; the
    next chord and some of the soprano are not.

    Args:
      count: how many pieces.
      chords: the least and the most chords of a piece; every number between is as likely.
      seed: of the random numbers.

    Returns:
      Piano rolls, uint8 `[T, 88]`, 1 where a key is down, four frames for each chord.

    Raises:
      ValueError: if a size is not positive, or a piece would have fewer than three chords.

    >>> piece = chorales(1, chords=(8, 8), seed=0)[0]
    >>> piece.shape, piece.sum(axis=1).max().item()
    ((32, 88), 4)
    """
    require_size("count", count)
    least, most = chords
    require(3 <= least <= most, "chords", "be a least and a most number, 3 or more", chords)
    rng = np.random.default_rng(seed)
    return [_piece(rng, int(rng.integers(least, most + 1))) for _ in range(count)]


def _piece(rng: np.random.Generator, size: int) -> np.ndarray:
    """A piece of `size` chords."""
    tonic = int(rng.integers(-5, 7))
    roots = _progression(rng, size)
    soprano = _soprano(rng, roots)
    roll = np.zeros((size * CHORD, KEYS), np.uint8)
    for n, root in enumerate(roots):
        frames = slice(n * CHORD, (n + 1) * CHORD)
        for octave, step in ((BASS, root), (TENOR, root + 4), (ALTO, root + 2)):
            roll[frames, _key(octave + tonic, step)] = 1
        here, after = soprano[n], soprano[min(n + 1, size - 1)]
        second = (here + after) // 2 if abs(after - here) == 2 else here
        roll[n * CHORD : n * CHORD + 2, _key(ALTO + tonic, here)] = 1
        roll[n * CHORD + 2 : (n + 1) * CHORD, _key(ALTO + tonic, second)] = 1
    return roll


def _progression(rng: np.random.Generator, size: int) -> list[int]:
    """The roots of chords, as steps of the scale."""
    roots = [0]
    while len(roots) < size - 2:
        roots.append(_one(rng, NEXT[roots[-1]]))
    return [*roots, 4, 0]


def _soprano(rng: np.random.Generator, roots: list[int]) -> list[int]:
    """Steps of the scale, between 5 and 13: each a tone of its chord and near the one before."""
    line = [7]
    for root in roots[1:]:
        tones = [step for step in range(5, 14) if (step - root) % 7 in (0, 2, 4)]
        tones.sort(key=lambda step: (abs(step - line[-1]), step))
        line.append(_one(rng, tones[:2]))
    return line


def _one(rng: np.random.Generator, ways: Sequence[int]) -> int:
    """Mostly the first, else one of the others."""
    usual = rng.random() < USUAL or len(ways) == 1
    return ways[0] if usual else int(rng.choice(ways[1:]))


def _key(tonic: int, step: int) -> int:
    """The place on the piano of a step of the scale above a tonic."""
    return tonic + 12 * (step // 7) + SCALE[step % 7] - LOWEST
