"""Digits: their parts, and the larger fields that they lie in."""

import numpy as np
import pytest

from jaxrnn.data import Digits, digits, scattered


def test_the_digits_are_divided_in_the_same_way_every_time():
    (train, test), (again, _) = digits(), digits()
    assert (train.images == again.images).all()
    assert len(train.labels) + len(test.labels) == 1797
    assert train.images.min() == 0 and train.images.max() == 1
    np.testing.assert_array_equal(train.pixels[7].reshape(8, 8), train.rows[7])
    pictures = {image.tobytes() for image in train.images}
    assert not any(image.tobytes() in pictures for image in test.images)
    assert np.bincount(test.labels).min() > 20
    # The labels belong to the images: what is nearest in the training part is of the same class.
    distances = ((test.pixels - train.pixels[None, :, :, 0].transpose(0, 2, 1)) ** 2).sum(1)
    assert np.mean(train.labels[distances.argmin(1)] == test.labels) > 0.95


def test_digits_lie_anywhere_in_a_larger_field_and_nothing_else_does():
    images = np.random.default_rng(0).uniform(0.5, 1, (300, 3, 2)).astype(np.float32)
    given = Digits(images, np.arange(300))
    fields = scattered(given, size=5, seed=1)
    np.testing.assert_array_equal(fields.labels, given.labels)
    places = set()
    for field, image in zip(fields.images, images, strict=True):
        row, column = (int(np.flatnonzero(field.any(axis))[0]) for axis in (1, 0))
        np.testing.assert_array_equal(field[row : row + 3, column : column + 2], image)
        assert np.count_nonzero(field) == 6
        places.add((row, column))
    assert places == {(row, column) for row in range(3) for column in range(4)}
    np.testing.assert_array_equal(fields.images, scattered(given, size=5, seed=1).images)
    with pytest.raises(ValueError, match="`size` must be at least 3; got 2"):
        scattered(given, size=2, seed=0)
