"""The glimpse model: its sensor against NumPy, its gradient against the exact one."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrnn import gru, lstm
from jaxrnn.models import GlimpseClassifier, reinforce, retina


def model(cell=None, **options) -> Any:
    given = {"classes": 3, "size": 2, "glimpses": 3, "rngs": nnx.Rngs(0)} | options
    return GlimpseClassifier(gru(4, 5) if cell is None else cell, **given)


def images(count=4):
    return jnp.asarray(np.random.default_rng(0).random((count, 6, 5)))


def looked_at(image, location, size, scales):
    """The patches, pixel by pixel."""
    patches = np.zeros((scales, size, size))
    for scale in range(scales):
        step = 2**scale
        corner = np.round((location + 1) / 2 * image.shape - size * step / 2).astype(int)
        for i, j in np.ndindex(size * step, size * step):
            row, column = corner[0] + i, corner[1] + j
            if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
                patches[scale, i // step, j // step] += image[row, column] / step**2
    return patches


@pytest.mark.parametrize(("size", "scales"), [(1, 1), (3, 2), (2, 3), (7, 1)])
def test_the_retina_is_the_patches_pixel_by_pixel(size, scales, x64):
    rng = np.random.default_rng(1)
    xs, places = rng.random((8, 6, 5)), rng.uniform(-1, 1, (8, 2))
    places[:2] = [[-1, 1], [1, -1]]
    found = retina(jnp.asarray(xs), jnp.asarray(places), size=size, scales=scales)
    expected = [looked_at(*pair, size, scales) for pair in zip(xs, places, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_what_no_glimpse_shows_changes_nothing():
    one = model(glimpses=1)
    xs = images()
    others = xs.at[:, 0].set(9).at[:, -1].set(9)  # the patch at the centre is 2 x 2
    np.testing.assert_array_equal(one(xs), one(others))
    assert not np.allclose(one(xs), one(xs.at[:, 3].set(9)))


def test_a_batch_is_the_images_one_by_one(x64):
    both, xs = model(lstm(4, 5), scales=2), images()
    np.testing.assert_allclose(both(xs), [both(x) for x in xs], atol=1e-12)


def test_the_first_glimpse_is_at_the_centre_and_the_others_are_drawn():
    drawn = model().look(images(), key=jax.random.key(0)).locations
    again = model().look(images(), key=jax.random.key(0)).locations
    np.testing.assert_array_equal(drawn, again)
    assert not drawn[0].any() and np.ptp(drawn[1:], axis=1).min() > 0
    means = model().look(images())
    np.testing.assert_allclose(means.locations[1:], model()._mean(means.outputs[:-1]), atol=1e-6)


def by_bias_of_the_mean(glimpser, xs, labels, key, **options):
    graph, params = nnx.split(glimpser)

    def loss(params):
        return jnp.mean(nnx.merge(graph, params).loss(xs, labels, key, **options))

    return np.asarray(jax.grad(loss)(params)["mean"]["bias"][...])


@pytest.mark.parametrize("baseline", [0.0, 0.6])
def test_the_gradient_of_the_mean_is_that_of_the_expected_reward(baseline):
    glimpser, x = model(glimpses=2, deviation=0.5), 3 * images(1)
    glimpser.baseline.kernel[...] = jnp.zeros((5, 1))
    glimpser.baseline.bias[...] = jnp.array([baseline])
    # Every place of a grid that holds nearly all of the probability, with the reward there.
    mean = np.asarray(glimpser.look(x).locations[1, 0])
    steps = np.linspace(-3, 3, 241)
    places = jnp.asarray(np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2))
    carry, _ = glimpser._step(x[0], (gru(4, 5).initial_carry(()), jnp.zeros(2)), jnp.zeros(2))
    second = lambda place: glimpser._step(x[0], (carry[0], place), jnp.zeros(2))[1].outputs
    found = np.asarray(jnp.argmax(glimpser.readout(jax.vmap(second)(places)), -1))
    density = np.exp(-np.sum((places - mean) ** 2, -1) / (2 * 0.25))
    label = np.argsort(np.bincount(found, density, minlength=3))[1]
    share = np.sum(density * (found == label)) / density.sum()
    assert 0.02 < share < 0.98  # else there is nothing to learn
    weights = density / density.sum() * (found == label)
    exact = -np.sum(weights[:, None] * (places - mean) / 0.25, 0) * (1 - mean**2)
    labels = jnp.array([label])
    estimate = lambda key: by_bias_of_the_mean(glimpser, x, labels, key, samples=2000)
    several = np.stack([estimate(key) for key in jax.random.split(jax.random.key(3), 10)])
    error = several.std(0, ddof=1) / np.sqrt(len(several))
    assert np.all(np.abs(several.mean(0) - exact) < 4 * error + 2e-3)
    assert np.linalg.norm(exact) > 6 * error.max()  # a gradient of zero would fail


def test_the_baseline_learns_the_mean_reward_and_adds_no_gradient_to_the_rest():
    rewards, start = jnp.array([1.0, 0, 0, 1, 1]), jnp.full(5, 0.2)
    slope = jax.grad(lambda b: jnp.sum(reinforce(jnp.full(5, -2.0), rewards, b)))(start)
    np.testing.assert_allclose(slope, -2 * (rewards - start), atol=1e-6)
    graph, params = nnx.split(model())
    loss = lambda params: jnp.sum(
        nnx.merge(graph, params).loss(images(), jnp.zeros(4, int), jax.random.key(0))
    )
    nats = lambda params: jnp.sum(
        nnx.merge(graph, params).nll(images(), jnp.zeros(4, int), key=jax.random.key(0))
    )
    full, alone = jax.grad(loss)(params), jax.grad(nats)(params)
    # The same places are drawn, so what REINFORCE and the baseline add is all the difference.
    learned_by_rewards = set()
    for (path, with_rewards), without in zip(
        jax.tree.leaves_with_path(full), jax.tree.leaves(alone), strict=True
    ):
        if not np.array_equal(with_rewards, without):
            learned_by_rewards.add(path[0].key)
            assert not np.any(without)
    assert learned_by_rewards == {"mean", "baseline"}


def test_the_loss_of_several_paths_is_their_mean():
    glimpser, xs, labels = model(deviation=0.5), images(), jnp.array([0, 2, 1, 0])
    one = jax.jit(lambda key: glimpser.loss(xs, labels, key))
    losses = np.stack([one(key) for key in jax.random.split(jax.random.key(1), 400)])
    several = glimpser.loss(xs, labels, jax.random.key(2), samples=4000)
    error = losses.std(0, ddof=1) * np.sqrt(1 / 400 + 1 / 4000)
    assert several.shape == (4,) and error.min() > 0
    assert np.all(np.abs(losses.mean(0) - several) < 4 * error)
    assert np.all(4 * error < 0.2 * np.abs(several))  # the sum over paths would be far away


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"glimpses": 0}, "`glimpses` must be a positive integer; got 0"),
        ({"classes": 0}, "`classes` must be a positive integer; got 0"),
        ({"size": 0}, "`size` must be a positive integer; got 0"),
        ({"deviation": 0}, "`deviation` must be positive; got 0"),
        ({"cell": "gru"}, "`cell` must be a jaxrnn Cell; got str"),
    ],
)
def test_bad_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        model(**change)


def test_bad_shapes_are_named():
    with pytest.raises(ValueError, match=r"`images` must have the shape \[\*B, R, C\]; got \(6,\)"):
        model().look(jnp.zeros(6))
    with pytest.raises(ValueError, match=r"`locations` must have the shape \[\*B, 2\]"):
        retina(images(), jnp.zeros((4, 3)), size=2)
