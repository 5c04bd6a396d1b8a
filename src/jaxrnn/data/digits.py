"""Handwritten digits that come with scikit-learn, as sequences of rows or of pixels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

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
