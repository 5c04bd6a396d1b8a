"""Drawings of one or two shapes, with captions that say all that there is to say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxrnn.cells.checks import require, require_size

SIDE = 24  # of a drawing, pixels
# fmt: off
SHAPE_WORDS = (
    "<end>", "a", "small", "large", "circle", "square", "triangle", "above", "left", "of",
)
# fmt: on
_SIZES = {"small": (2.3, 2.8), "large": (4.2, 5.0)}  # radius, pixels
_KINDS = ("circle", "square", "triangle")


class Drawing(NamedTuple):
    """An image and what is on it."""

    image: np.ndarray  # [24, 24] float32, 0 paper to 1 ink, and noise
    caption: np.ndarray  # [N] int32, places in SHAPE_WORDS, 0 at the end


def shapes(count: int, *, noise: float = 0.05, seed: int | Sequence[int]) -> list[Drawing]:
    """Draws circles, squares and triangles, small or large, alone or in pairs.

        "a small triangle",   "a large circle above a small square",   "a ... left of a ..."

    A third of the drawings hold one shape. Of two, the upper one is named first, or the one on the
    left, so that a drawing has one caption; there are 78 in all. Where exactly a shape is, and how
    large within its kind, is random.

    Args:
      count: how many drawings.
      noise: standard deviation of what is added to each pixel.
      seed: of the random numbers.

    Returns:
      Drawings of 24 by 24 pixels.

    Raises:
      ValueError: if the number is not positive or the noise negative.

    >>> drawing = shapes(1, seed=3)[0]
    >>> drawing.image.shape, words_of(drawing.caption)
    ((24, 24), 'a small circle left of a small circle')
    """
    require_size("count", count)
    require(noise >= 0, "noise", "not be negative", noise)
    rng = np.random.default_rng(seed)
    return [_drawing(rng, noise) for _ in range(count)]


def words_of(caption: np.ndarray) -> str:
    """The words of symbols, up to the first end.

    Raises:
      ValueError: if a symbol is not in the vocabulary.

    >>> words_of(np.array([1, 3, 4, 0, 5]))
    'a large circle'
    """
    symbols = np.asarray(caption).tolist()
    symbols = symbols[: symbols.index(0)] if 0 in symbols else symbols
    known = all(0 < symbol < len(SHAPE_WORDS) for symbol in symbols)
    require(known, "caption", f"lie in [0, {len(SHAPE_WORDS)})", symbols)
    return " ".join(SHAPE_WORDS[symbol] for symbol in symbols)


def _drawing(rng: np.random.Generator, noise: float) -> Drawing:
    relation = str(rng.choice(["", "above", "left of"]))
    image, words = np.zeros((SIDE, SIDE)), ""
    for centre in _centres(rng, relation):
        size, kind = rng.choice(list(_SIZES)), rng.choice(_KINDS)
        image = np.maximum(image, _ink(kind, centre, rng.uniform(*_SIZES[size])))
        words += f" {relation} a {size} {kind}" if words else f"a {size} {kind}"
    image = image + noise * rng.normal(size=image.shape)
    symbols = [SHAPE_WORDS.index(word) for word in words.split()]
    return Drawing(image.astype(np.float32), np.array([*symbols, 0], np.int32))


def _centres(rng: np.random.Generator, relation: str) -> list[np.ndarray]:
    """Where the shapes are, (x, y) each; two of them never touch."""
    if not relation:
        return [rng.uniform(6, SIDE - 7, 2)]
    # Eleven pixels apart along one axis, and less along the other.
    first, second = rng.uniform(5.5, 6.5), rng.uniform(17, 18)
    aside = rng.uniform(6, SIDE - 7)
    other = np.clip(aside + rng.uniform(-7, 7), 6, SIDE - 7)
    centres = np.array([[aside, first], [other, second]])
    return list(centres if relation == "above" else centres[:, ::-1])


def _ink(kind: str, centre: np.ndarray, radius: float) -> np.ndarray:
    """A shape on white paper, `[24, 24]`: 1 inside, 0 outside, between at the edge."""
    x, y = (np.arange(SIDE) - at for at in centre)
    x, y = x[None, :], y[:, None]
    if kind == "circle":
        inside = radius - np.hypot(x, y)
    elif kind == "square":
        inside = 0.9 * radius - np.maximum(abs(x), abs(y))
    else:
        edges = np.maximum(y, np.sqrt(3) / 2 * abs(x) - y / 2)
        inside = 0.6 * radius - edges
    return np.clip(inside + 0.5, 0, 1)
