"""Drawings and their captions."""

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from jaxrnn.data.synthetic import SHAPE_WORDS, shapes, words_of


def parts(image):
    """The separate pieces of ink: their masks."""
    labelled: Any = ndimage.label(image > 0.5)
    marks, count = labelled
    return [marks == n for n in range(1, count + 1)]


def test_what_is_drawn_is_what_is_said():
    for drawing in shapes(300, noise=0.0, seed=1):
        words = words_of(drawing.caption).split()
        pieces = parts(drawing.image)
        assert len(pieces) == words.count("a")
        centres = [np.array(ndimage.center_of_mass(piece)) for piece in pieces]
        sizes = [word for word in words if word in ("small", "large")]
        if len(pieces) == 2:
            # Rows first: the first one named is that which is further up, or further left.
            axis = 0 if "above" in words else 1
            gap = abs(centres[0] - centres[1])
            assert gap[axis] > gap[1 - axis]
            order = np.argsort([centre[axis] for centre in centres])
            pieces = [pieces[n] for n in order]
        kinds = [word for word in words if word in ("circle", "square", "triangle")]
        for piece, kind, size in zip(pieces, kinds, sizes, strict=True):
            rows, columns = np.nonzero(piece)
            height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
            assert (max(height, width) >= 7) == (size == "large")
            corners = piece[rows.min(), columns.min()], piece[rows.max(), columns.min()]
            # A triangle fills its lower corners, a square all, a circle (if large) none.
            if size == "large":
                assert (
                    corners
                    == {
                        "circle": (False, False),
                        "square": (True, True),
                        "triangle": (False, True),
                    }[kind]
                )


def test_all_captions_occur_and_fit_the_vocabulary():
    drawings = shapes(3000, seed=2)
    captions = {words_of(drawing.caption) for drawing in drawings}
    assert len(captions) == 6 + 2 * 36
    assert {word for caption in captions for word in caption.split()} == set(SHAPE_WORDS[1:])
    assert max(len(drawing.caption) for drawing in drawings) == 9
    single = np.mean([len(drawing.caption) == 4 for drawing in drawings])
    assert single == pytest.approx(1 / 3, abs=0.04)
    for drawing in drawings[:20]:
        assert drawing.image.shape == (24, 24) and drawing.image.dtype == np.float32
        assert drawing.caption[-1] == 0 and drawing.caption.dtype == np.int32


def test_noise_is_added_to_the_same_ink():
    clean, noisy = shapes(1, noise=0.0, seed=5)[0], shapes(1, noise=0.2, seed=5)[0]
    np.testing.assert_array_equal(clean.caption, noisy.caption)
    assert np.std(noisy.image - clean.image) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shapes(0, seed=0), "`count` must be a positive integer; got 0"),
        (lambda: shapes(1, noise=-0.1, seed=0), r"`noise` must not be negative; got -0\.1"),
        (lambda: words_of(np.array([1, 10])), r"`caption` must lie in \[0, 10\); got \[1, 10\]"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
