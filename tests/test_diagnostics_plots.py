"""What the pictures show: the numbers they were given, where they belong."""

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest

from jaxrnn import diagnostics, elman, gru, lstm, stack

matplotlib.use("agg")
import matplotlib.pyplot as plt

from jaxrnn.diagnostics import plot


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    figure.savefig("/dev/null", format="png")  # a label that does not parse fails here
    plt.close(figure)


def test_axes_are_new_where_none_are_given():
    ax = plot.plot_gradient_norms({"a": [1.0, 2.0]})
    assert ax is plt.gca() and len(plt.get_fignums()) == 1
    plt.close()


def test_gradient_norms_are_medians_and_zeros_are_left_out(ax):
    norms = {"one": [1.0, 0.0, 1e-30], "batch": jnp.array([[1.0, 2.0, 9.0]] * 3)}
    assert plot.plot_gradient_norms(norms, ax) is ax
    one, batch = (line.get_ydata() for line in ax.lines)
    np.testing.assert_array_equal(one, [1.0, np.nan, 1e-30])
    np.testing.assert_array_equal(batch, [2.0] * 3)
    assert ax.get_yscale() == "log"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "batch"]


def test_a_spectrum_is_in_powers_of_ten(ax):
    found = diagnostics.Spectrum(np.log([100.0, 1e-3]), np.array([np.log(10), -np.inf]))
    plot.plot_spectrum(found, ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [2, -3])
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [1, np.nan])
    assert ax.lines[0].get_xdata().tolist() == [1, 2]


def test_exponents_are_running_means(ax):
    plot.plot_exponents(jnp.array([[1.0, -1.0], [3.0, -2.0]]), ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1, 2])
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [-1, -1.5])


def test_a_trajectory_has_a_line_for_each_sequence(ax):
    points = np.random.default_rng(0).normal(size=(5, 3, 2))
    plot.plot_trajectory(points, ax)
    assert len(ax.lines) == 3
    for line, path in zip(ax.lines, points.swapaxes(0, 1), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), path)
    (dots,) = ax.collections
    np.testing.assert_array_equal(dots.get_offsets(), points.reshape(-1, 2))
    assert dots.get_array().tolist() == sorted([0, 1, 2, 3, 4] * 3)
    with pytest.raises(ValueError, match="`points` must have the shape"):
        plot.plot_trajectory(points[..., :1], ax)


def test_saturation_has_a_dot_for_each_unit(ax):
    shares = diagnostics.Saturation(jnp.array([0.1, 0.5]), jnp.array([0.2, 0.0]))
    plot.plot_saturation({"f": shares}, ax)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), [[0.1, 0.2], [0.5, 0]], rtol=1e-6)


def test_a_descent_lies_over_the_map_of_its_loss(ax):
    bowl = lambda point: point[..., 0] ** 2 + 3 * point[..., 1] ** 2
    path = jnp.array([[1.0, 0.5], [0.5, 0.1]])
    limits = {"xlim": (-1.0, 2.0), "ylim": (-1.0, 1.0)}
    plot.plot_descent(bowl, {"path": path}, ax, **limits, resolution=7)
    assert ax.get_xlim() == (-1, 2) and ax.get_ylim() == (-1, 1)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), path)
    heights = ax.collections[0].get_array()
    assert heights[0, 0] == 4 and heights[6, 6] == 7 and heights[3, 2] == pytest.approx(7e-4)


def test_the_drawing_has_a_box_for_each_layer_and_step_and_names_what_is_carried(ax):
    plot.draw_unrolled(stack(lstm(2, 3), stack(gru(3, 4), elman(4, 4))), 3, ax)
    texts = [text.get_text() for text in ax.texts]
    assert [texts.count(name) for name in ("LSTM", "GRU", "Elman")] == [3, 3, 3]
    assert len(ax.patches) == 9
    for time in range(4):
        assert texts.count(f"h$_{{{time}}}$, c$_{{{time}}}$") == 1  # one LSTM
        assert texts.count(f"h$_{{{time}}}$") == 2  # two layers whose carry is one array
        assert texts.count(f"x$_{{{time}}}$") == texts.count(f"y$_{{{time}}}$") == (time > 0)


def test_names_of_a_drawing_can_be_given(ax):
    cell = stack(lstm(2, 3), gru(3, 4))
    plot.draw_unrolled(cell, 1, ax, names=["reads", "writes"])
    assert {"reads", "writes"} < {text.get_text() for text in ax.texts}
    with pytest.raises(ValueError, match="`names` must be 2, one for each layer"):
        plot.draw_unrolled(cell, 1, ax, names=["one"])
    with pytest.raises(ValueError, match="`steps` must be a positive integer"):
        plot.draw_unrolled(cell, 0, ax)


def test_a_drawing_computes_nothing(ax):
    large = elman(10**6, 10**6)  # its weights would take 8 TB
    plot.draw_unrolled(large, 2, ax)
    assert len(ax.patches) == 2
