"""Handwritten digits that come with scikit-learn, as sequences of rows or of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxrnn.cells.checks import require

# Of the one split that there is, so that figures of different models can be compared.
_SEED = 0
_TEST_SHARE = 0.2


class Digits(NamedTuple):
    """Pictures of digits, R rows of C pixels, and which digit each shows."""

    images: Any  # [N, R, C] float32, from 0 for paper to 1 for ink
    labels: Any  # [N] int32, 0 to 9

    @property
    def rows(self) -> Any:
        """Each picture as a sequence of its rows, from the top down: R steps, `[N, R, C]`."""
        return self.images

    @property
    def pixels(self) -> Any:
        """Each picture as a sequence of its pixels, row by row: R C steps, `[N, R C, 1]`."""
        count, rows, columns = self.images.shape
        return self.images.reshape(count, rows * columns, 1)


def digits() -> tuple[Digits, Digits]:
    """Returns 1,438 digits to train on and 359 to test on, always the same ones.

    Needs scikit-learn, which the extra `jaxrnn[examples]` installs; nothing is downloaded.

    Source: Alpaydin, Kaynak 1998, "Optical recognition of handwritten digits", UCI repository,
    doi:10.24432/C50P49; scikit-learn carries the part that was the test set there, divided here
    anew at random, so that a writer may be in both parts.

    Returns:
      Training and test digits, NumPy arrays, images of 8 rows of 8 pixels.

    Raises:
      ModuleNotFoundError: if scikit-learn is not installed.

    >>> train, test = digits()
    >>> train.images.shape, test.pixels.shape, train.labels[:5].tolist()
    ((1438, 8, 8), (359, 64, 1), [6, 6, 6, 2, 5])
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as missing:
        if missing.name != "sklearn":
            raise
        message = "the digits come with scikit-learn: pip install 'jaxrnn[examples]'"
        raise ModuleNotFoundError(message, name="sklearn") from None
    loaded: Any = load_digits()
    images = (loaded.images / 16).astype(np.float32)
    labels = loaded.target.astype(np.int32)
    order = np.random.default_rng(_SEED).permutation(len(labels))
    cut = round(len(labels) * (1 - _TEST_SHARE))
    train, test = (Digits(images[part], labels[part]) for part in (order[:cut], order[cut:]))
    return train, test


def scattered(digits: Digits, *, size: int, seed: int | Sequence[int]) -> Digits:
    """Puts each picture at a place of its own into a larger one that is empty elsewhere.

    What a network that looks by glimpses must find before it can read it.

    Source: the translated digits of Mnih et al. 2014, arXiv:1406.6247.

    Args:
      digits: pictures.
      size: S, rows and columns of the larger ones.
      seed: of the places.

    Returns:
      Images `[N, S, S]`, with the same labels.

    Raises:
      ValueError: if the pictures do not fit.

    >>> train, _ = digits()
    >>> fields = scattered(train, size=16, seed=0)
    >>> fields.images.shape, bool((fields.images.sum((1, 2)) == train.images.sum((1, 2))).all())
    ((1438, 16, 16), True)
    """
    count, rows, columns = digits.images.shape
    require(size >= max(rows, columns), "size", f"be at least {max(rows, columns)}", size)
    fields = np.zeros((count, size, size), digits.images.dtype)
    corners = np.random.default_rng(seed).integers(
        0, size + 1 - np.array([rows, columns]), (count, 2)
    )
    for field, image, (row, column) in zip(fields, digits.images, corners, strict=True):
        field[row : row + rows, column : column + columns] = image
    return Digits(fields, digits.labels)
