"""DRAW: windows and loss against NumPy, written from the paper, and what a bound promises."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrnn import gru, lstm
from jaxrnn.models import Draw
from jaxrnn.models.draw import _divergence
from jaxrnn.models.window import read_window, window_of, write_window

SHAPE, SIZE = (6, 5), 3


def model(**options) -> Any:
    given = {"shape": SHAPE, "codes": 2, "steps": 3, "read_size": 2, "write_size": SIZE}
    given |= {"rngs": nnx.Rngs(0)} | options
    hidden = 4
    made = Draw(
        given.pop("encoder", lstm(2 * given["read_size"] ** 2 + hidden, 5)),
        given.pop("decoder", gru(given["codes"] or 2, hidden)),
        **given,
    )
    return random_leaves(made)


def random_leaves(module):
    """The module with other values than zero in every parameter."""
    keys = iter(jax.random.split(jax.random.key(5), 100))
    state = jax.tree.map(
        lambda leaf: leaf + 0.3 * jax.random.normal(next(keys), leaf.shape),
        nnx.state(module, nnx.Param),
    )
    nnx.update(module, state)
    return module


def images(count=2):
    return jnp.asarray(np.random.default_rng(1).random((count, *SHAPE)))


def numbers(count=1):
    return np.random.default_rng(2).normal(0, 0.5, (count, 5))


def filters(numbers, shape, size):
    """Equations 19 to 26, where everything is counted from 1."""
    (rows, columns), found = shape, []
    for pixels, place in ((rows, numbers[0]), (columns, numbers[1])):
        centre = (pixels + 1) / 2 * (place + 1)
        stride = (max(rows, columns) - 1) / (size - 1) * np.exp(numbers[3])
        bank = np.zeros((size, pixels))
        for i, a in np.ndindex(size, pixels):
            mean = centre + (i + 1 - size / 2 - 0.5) * stride
            bank[i, a] = np.exp(-((a + 1 - mean) ** 2) / (2 * np.exp(numbers[2])))
        found.append(bank / bank.sum(axis=1, keepdims=True))
    return *found, np.exp(numbers[4])


def test_windows_are_those_of_the_paper(x64):
    several, xs = numbers(4), np.asarray(images(4))
    windows = window_of(jnp.asarray(several), SHAPE, SIZE)
    read = read_window(jnp.asarray(xs), windows, SIZE)
    patches = np.random.default_rng(3).normal(size=(4, SIZE, SIZE))
    written = write_window(jnp.asarray(patches), windows, SHAPE)
    for n in range(4):
        rows, columns, intensity = filters(several[n], SHAPE, SIZE)
        np.testing.assert_allclose(read[n], intensity * rows @ xs[n] @ columns.T, atol=1e-12)
        expected = rows.T @ patches[n] @ columns / intensity
        np.testing.assert_allclose(written[n], expected, atol=1e-12)


def test_a_window_far_outside_of_the_image_sees_its_border():
    window = window_of(jnp.array([9.0, 0, -2, 0, 0]), SHAPE, SIZE)
    look = lambda window: read_window(images(1)[0], window, SIZE)
    border = images(1)[0, -1] @ jnp.asarray(filters([0, 0, -2, 0, 0], SHAPE, SIZE)[1]).T
    np.testing.assert_allclose(look(window), jnp.broadcast_to(border, (SIZE, SIZE)), rtol=1e-5)
    slopes = jax.grad(lambda window: jnp.sum(look(window)))(window)
    assert all(np.isfinite(slope) for slope in slopes)


def test_a_window_of_one_number_is_one_filter():
    window = window_of(jnp.array([0.0, 0, -9, 0, 0]), (5, 5), 1)
    read = read_window(jnp.arange(25.0).reshape(5, 5), window, 1)
    np.testing.assert_allclose(read, [[12.0]])


def dense(layer, x):
    return x @ np.asarray(layer.kernel[...]) + np.asarray(layer.bias[...])


def by_hand(network, image, noise):
    """The loss of one image, equation by equation; cells are tested elsewhere."""
    encoder, decoder = nnx.as_pure(network.params)
    read, written = network.encoder.initial_carry(()), network.decoder.initial_carry(())
    canvas, shown, divergence = np.zeros(SHAPE), np.zeros(4), 0.0
    for eps in noise:
        missing = image - 1 / (1 + np.exp(-canvas))
        rows, columns, intensity = filters(dense(network.where_to_read, shown), SHAPE, 2)
        seen = [intensity * rows @ each @ columns.T for each in (image, missing)]
        given = np.concatenate([*map(np.ravel, seen), shown])
        read, told = network.encoder.step(encoder, read, jnp.asarray(given))
        mean, deviation = (
            dense(network.mean, np.asarray(told)),
            np.exp(dense(network.log_deviation, np.asarray(told))),
        )
        divergence += np.sum((mean**2 + deviation**2 - np.log(deviation**2) - 1) / 2)
        code = jnp.asarray(mean + deviation * eps)
        written, output = network.decoder.step(decoder, written, code)
        shown = np.asarray(output)
        rows, columns, intensity = filters(dense(network.where_to_write, shown), SHAPE, SIZE)
        patch = dense(network.what_to_write, shown).reshape(SIZE, SIZE)
        canvas = canvas + rows.T @ patch @ columns / intensity
    ink = 1 / (1 + np.exp(-canvas))
    return -np.sum(image * np.log(ink) + (1 - image) * np.log(1 - ink)) + divergence


def test_the_loss_is_that_of_the_paper_and_so_is_its_gradient(x64):
    network, xs, key = model(), images(), jax.random.key(7)
    noise = np.asarray(jax.random.normal(key, (3, 2, 2)))
    expected = [by_hand(network, np.asarray(xs[n]), noise[:, n]) for n in range(2)]
    np.testing.assert_allclose(network.loss(xs, key), expected, rtol=1e-10)
    graph, params = nnx.split(network)
    loss = lambda params: jnp.sum(nnx.merge(graph, params).loss(xs, key))
    slopes = jax.grad(loss)(params)
    # Along the gradient and along a random direction; every leaf takes part in both.
    keys = iter(jax.random.split(jax.random.key(8), 100))
    random = jax.tree.map(lambda leaf: jax.random.normal(next(keys), leaf.shape), params)
    for direction in (slopes, random):
        ahead = jax.tree.map(lambda p, d: p + 1e-6 * d, params, direction)
        behind = jax.tree.map(lambda p, d: p - 1e-6 * d, params, direction)
        by_difference = (loss(ahead) - loss(behind)) / 2e-6
        products = jax.tree.map(lambda s, d: jnp.sum(s * d), slopes, direction)
        exact = sum(jax.tree.leaves(products))
        np.testing.assert_allclose(by_difference, exact, rtol=1e-6)
    assert all(np.any(slope) for slope in jax.tree.leaves(slopes))


def test_the_divergence_is_the_integral():
    grid = np.linspace(-12, 12, 20001)
    normal = lambda m, s: np.exp(-((grid - m) ** 2) / (2 * s**2)) / (s * np.sqrt(2 * np.pi))
    for mean, deviation in ((0.0, 1.0), (0.7, 0.4), (-1.0, 1.8)):
        q, p = normal(mean, deviation), normal(0, 1)
        integral = np.sum(q * (np.log(q + 1e-300) - np.log(p))) * (grid[1] - grid[0])
        found = _divergence(jnp.array([mean]), jnp.array([np.log(deviation)]))
        np.testing.assert_allclose(found, integral, atol=1e-5)


def test_the_loss_is_an_upper_bound_of_the_nats_and_tight_where_the_code_is_the_posterior(x64):
    network, xs = model(codes=1, steps=1), (images(1) > 0.5).astype(float)
    # p(x) by integration over the one code.
    grid = jnp.linspace(-9, 9, 4001)
    weights = jnp.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * (grid[1] - grid[0])

    def canvas(code):
        carry = (None, network.decoder.initial_carry(()), jnp.zeros(4), jnp.zeros(SHAPE))
        return network._step(None, carry, code[None])[1].canvases

    logits = jax.vmap(canvas)(grid)
    logs = jnp.sum(xs[0] * logits - jax.nn.softplus(logits), axis=(1, 2))
    exact = -float(jax.nn.logsumexp(logs, b=weights))
    loss = lambda network: float(
        jnp.mean(network.loss(jnp.broadcast_to(xs, (4000, *SHAPE)), jax.random.key(1)))
    )
    assert loss(network) > exact
    # The posterior's mean and deviation, which the encoder says here whatever it reads.
    posterior = weights * jnp.exp(logs - jnp.max(logs))
    posterior = posterior / jnp.sum(posterior)
    mean = float(jnp.sum(posterior * grid))
    deviation = float(jnp.sqrt(jnp.sum(posterior * (grid - mean) ** 2)))
    before = loss(network)
    for layer, value in ((network.mean, mean), (network.log_deviation, np.log(deviation))):
        layer.kernel[...] = jnp.zeros_like(layer.kernel[...])
        layer.bias[...] = jnp.array([value])
    assert exact < loss(network) + 1e-3 and loss(network) < before
    assert loss(network) - exact < 0.05  # but for how far the posterior is from a normal one


def test_what_is_imagined_needs_no_image_and_follows_the_decoder():
    network = model()
    one, again = (network.imagine(jax.random.key(3), (4,)) for _ in range(2))
    np.testing.assert_array_equal(one.canvases, again.canvases)
    assert one.canvases.shape == (3, 4, *SHAPE) and np.ptp(one.canvases, axis=1).min() > 0
    assert not one.nats.any() and one.windows.row.shape == (3, 4)
    # With an encoder that says N(0, 1) of everything, painting is imagining.
    for layer in (network.mean, network.log_deviation):
        layer.kernel[...], layer.bias[...] = jnp.zeros((5, 2)), jnp.zeros(2)
    painted = network.paint(images(4), jax.random.key(3))
    np.testing.assert_allclose(painted.canvases, one.canvases, atol=1e-6)
    np.testing.assert_allclose(painted.nats, 0, atol=1e-6)


def test_before_it_has_learned_its_windows_cover_the_image_with_filters_as_wide_as_told():
    fresh = Draw(
        *(lstm(2 * 3 * 3 + 8, 8), lstm(4, 8)),
        **{"shape": (8, 8), "codes": 4, "steps": 2, "read_size": 3, "write_size": 3},
        **{"deviation": 0.5, "rngs": nnx.Rngs(0)},
    )
    windows = fresh.paint(jnp.zeros((3, 8, 8)), jax.random.key(0)).windows
    assert windows._fields == ("row", "column", "stride", "deviation", "intensity")
    for found, expected in zip(windows, (3.5, 3.5, 3.5, 0.5, 1.0), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0.15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "`steps` must be a positive integer; got 0"),
        ({"codes": 0}, "`codes` must be a positive integer; got 0"),
        ({"write_size": 0}, "`write_size` must be a positive integer; got 0"),
        ({"shape": (0, 5)}, r"`shape\[0\]` must be a positive integer; got 0"),
        ({"deviation": 0}, "`deviation` must be positive; got 0"),
        ({"encoder": gru(9, 5)}, r"`encoder` must read 12 numbers; got \(9,\)"),
        ({"encoder": "lstm"}, "`encoder` must be a jaxrnn Cell; got str"),
        ({"decoder": gru(3, 4)}, r"`decoder` must read 2 numbers; got \(3,\)"),
    ],
)
def test_bad_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        model(**change)


def test_bad_shapes_are_named():
    with pytest.raises(
        ValueError, match=r"`images` must have the shape \[\*B, 6, 5\]; got \(2, 5,"
    ):
        model().loss(jnp.zeros((2, 5, 6)), jax.random.key(0))
    with pytest.raises(ValueError, match=r"`numbers` must be \[\*B, 5\]; got \(4,\)"):
        window_of(jnp.zeros(4), SHAPE, SIZE)
