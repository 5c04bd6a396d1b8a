"""Confusions and transitions as coloured cells."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from jaxrnn.diagnostics.plot import plot_confusion, plot_transitions


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def test_every_confusion_is_counted_in_its_cell():
    ax = plot_confusion([0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0], ["a", "b", "c"])
    cells = {
        (int(text.get_position()[1]), int(text.get_position()[0])): text.get_text()
        for text in ax.texts
    }
    assert cells == {(0, 0): "1", (0, 1): "1", (1, 1): "1", (2, 2): "2", (2, 0): "1"}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("found", "true")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["a", "b", "c"]


def test_transitions_go_into_the_axes_that_are_given():
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    ax = Figure().subplots()
    assert plot_transitions(values, ["O", "B"], ax) is ax
    np.testing.assert_array_equal(ax.images[0].get_array(), values)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot_confusion([0, 1], [0], ["a", "b"]), r"`found` must have the shape \(2,\)"),
        (
            lambda: plot_transitions(np.zeros((2, 2)), ["a"]),
            r"`values` must have the shape \(1, 1\)",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
