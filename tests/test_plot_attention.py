"""Pictures of attention: every weight in its place, with the words that it belongs to."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from jaxrnn.diagnostics.plot import plot_attention, plot_words


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def test_weights_are_cells_under_their_symbols():
    weights = np.array([[0.2, 0.8, 0.0], [0.0, 0.1, 0.9]])
    ax = plot_attention(weights, ["a", "b", "c"], ["x", "y"])
    np.testing.assert_array_equal(ax.images[0].get_array(), weights)
    assert ax.images[0].get_clim() == (0, 1)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["a", "b", "c"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["x", "y"]


def test_words_are_shaded_by_their_weights_and_padding_is_left_out():
    ax = Figure().subplots()
    rows, weights = [["not", "bad"], ["dull"]], np.array([[0.7, 0.3, 0.0], [1.0, 0.0, 0.0]])
    assert plot_words(rows, list(weights), ["praise", "complaint"], ax) is ax
    boxes = {text: text.get_bbox_patch() for text in ax.texts}
    shades = {
        text.get_text(): (text.get_position(), to_rgba(box.get_facecolor())[-1])
        for text, box in boxes.items()
        if box is not None
    }
    assert shades == {"not": ((0, 0), 0.7), "bad": ((1, 0), 0.3), "dull": ((0, 1), 1.0)}
    others = {text.get_text() for text in ax.texts} - shades.keys()
    assert others == {"praise", "complaint"} and ax.yaxis_inverted()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: plot_attention(np.zeros((2, 2)), ["a"], ["x", "y"]),
            r"`weights` must have the shape \(2, 1\); got \(2, 2\)",
        ),
        (lambda: plot_words([["a"]], [], ["x"]), "`weights` must have 1 rows; got 0"),
        (lambda: plot_words([["a"]], [[1]], []), "`labels` must have 1 rows; got 0"),
        (
            lambda: plot_words([["a", "b"]], [[1]], ["x"]),
            "`weights` must have 2 numbers in row 0; got 1",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
