"""Dynamic evaluation against a loop that measures, then learns."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxrnn.train import dynamic_evaluator, evaluator, pull_to_start
from test_tbptt import loss_fn, make_segments, start


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def in_a_loop(params, carry, segments, rate, pull):
    """θ ← θ - rate ∇L + pull (θ_0 - θ) after each segment, whose loss is counted before."""

    @jax.jit
    def gradient_and_loss(params, carry, segment):
        def loss(params):
            nats, tokens, after = loss_fn(params, carry, segment, None)
            return nats / jnp.maximum(tokens, 1), (nats, tokens, after)

        return jax.grad(loss, has_aux=True)(params)

    origin, total, count = params, 0.0, 0
    for s in range(len(segments.xs)):
        segment = jax.tree.map(lambda leaf, s=s: leaf[s], segments)
        gradient, (nats, tokens, carry) = gradient_and_loss(params, carry, segment)
        total, count = total + float(nats), count + int(tokens)
        move = lambda now, g, first: now - rate * g + pull * (first - now)
        params = jax.tree.map(move, params, gradient, origin)
    return params, total / count


@pytest.mark.parametrize(("rate", "pull"), [(0.1, 0.0), (0.3, 0.2)])
def test_a_loop_in_python(rate, pull):
    params, carry, _ = start(optax.sgd(1.0))
    segments = make_segments(5)
    # Segments of different weights, one of them without any real token.
    mask = np.array(segments.mask)
    mask[1], mask[3, 2:] = False, False
    segments = segments._replace(mask=jnp.asarray(mask))
    optimizer = optax.chain(optax.sgd(rate), pull_to_start(pull))
    after, loss = dynamic_evaluator(loss_fn, optimizer)(params, carry, segments)
    expected_params, expected = in_a_loop(params, carry, segments, rate, pull)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    chex.assert_trees_all_close(after, expected_params, rtol=1e-10, atol=1e-12)


def test_without_learning_it_is_evaluation_and_nothing_given_is_changed():
    params, carry, _ = start(optax.sgd(1.0))
    segments = make_segments(3)
    kept = jax.tree.map(np.array, (params, carry))
    after, loss = dynamic_evaluator(loss_fn, optax.sgd(0.0))(params, carry, segments)
    np.testing.assert_allclose(loss, evaluator(loss_fn)(params, carry, segments), rtol=1e-12)
    chex.assert_trees_all_equal(after, params)
    dynamic_evaluator(loss_fn, optax.sgd(1.0))(params, carry, segments)
    chex.assert_trees_all_equal((params, carry), kept)


def test_the_loss_of_a_segment_is_counted_before_it_is_learned():
    params, carry, _ = start(optax.sgd(1.0))
    segments = make_segments(1)
    evaluate = dynamic_evaluator(loss_fn, optax.sgd(1e3))
    _, loss = evaluate(params, carry, segments)
    np.testing.assert_allclose(loss, evaluator(loss_fn)(params, carry, segments), rtol=1e-12)


def test_a_text_that_repeats_itself_is_learned():
    params, carry, _ = start(optax.sgd(1.0))
    segments = jax.tree.map(lambda leaf: jnp.repeat(leaf, 30, axis=0), make_segments(1))
    _, loss = dynamic_evaluator(loss_fn, optax.sgd(0.3))(params, carry, segments)
    assert loss < 0.8 * evaluator(loss_fn)(params, carry, segments)


def test_nothing_is_drawn():
    """The loss is called with the key None, so that dropout is off."""
    keys = []

    def noting(params, carry, segment, key):
        keys.append(key)
        return loss_fn(params, carry, segment, key)

    params, carry, _ = start(optax.sgd(1.0))
    dynamic_evaluator(noting, optax.sgd(0.1))(params, carry, make_segments(2))
    assert keys and all(key is None for key in keys)


def test_the_pull_alone_goes_back():
    optimizer: Any = pull_to_start(0.25)
    state = optimizer.init(jnp.array([1.0, -1.0]))
    params: Any = jnp.array([5.0, -1.0])
    for expected in (4.0, 3.25, 2.6875):
        step, state = optimizer.update(jnp.zeros(2), state, params)
        params = optax.apply_updates(params, step)
        np.testing.assert_allclose(params, [expected, -1.0])


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"`rate` must lie in \[0, 1\]; got 1.5"):
        pull_to_start(1.5)
    optimizer = pull_to_start(0.5)
    with pytest.raises(ValueError, match="`params` must be given to the optimiser's update"):
        optimizer.update(jnp.zeros(2), optimizer.init(jnp.zeros(2)))
