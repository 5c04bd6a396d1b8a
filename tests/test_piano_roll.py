"""The piano-roll model: its nats by hand, padding, and composing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrnn import gru, lstm
from jaxrnn.generate.frames import sample_frames
from jaxrnn.models import PianoRoll

LENGTHS = jnp.array([5, 2, 0])


def model(cell=None):
    return PianoRoll(gru(6, 4) if cell is None else cell, rngs=nnx.Rngs(0))


def rolls():
    """Pieces with NaN in the padding."""
    down = np.random.default_rng(0).random((3, 5, 6)) < 0.3
    return jnp.asarray(np.where(np.arange(5)[:, None] < LENGTHS[:, None, None], down, np.nan))


def test_the_nats_are_those_of_coins_given_the_past(x64):
    xs = rolls()[0]
    network = model()
    logits = []
    carry = network.rnn.cell.initial_carry((), xs.dtype)
    for before in [jnp.zeros(6), *xs[:-1]]:
        carry, y = network.rnn.cell.step(nnx.as_pure(network.rnn.params), carry, before)
        logits.append(network.readout(y))
    p = 1 / (1 + np.exp(-np.array(logits)))
    expected = -np.log(np.where(xs == 1, p, 1 - p)).sum(-1)
    np.testing.assert_allclose(network.nll(xs), expected, rtol=1e-10)


def test_a_ragged_batch_is_the_pieces_one_by_one_and_its_padding_is_nothing():
    network, xs = model(lstm(6, 4)), rolls()
    together = network.nll(xs, LENGTHS)
    for nats, piece, length in zip(together, xs, LENGTHS, strict=True):
        np.testing.assert_allclose(nats[:length], network.nll(piece[:length]), rtol=1e-5)
        assert not nats[length:].any()
    graph, params = nnx.split(network)
    slope = jax.grad(lambda p, xs: jnp.sum(nnx.merge(graph, p).nll(xs, LENGTHS)))
    found, other = slope(params, xs), slope(params, jnp.nan_to_num(xs, nan=7.0))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(other), strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_array_equal(a, b)


def test_frames_are_drawn_with_the_odds_of_the_step():
    odds = jnp.array([-1.0, 0.5, 3.0])
    step = lambda params, carry, frame: (carry + frame, params + 0 * frame)
    carry, frames = sample_frames(
        step, odds, jnp.zeros(3), jnp.ones(3), key=jax.random.key(0), length=4000
    )
    np.testing.assert_allclose(frames.mean(0), jax.nn.sigmoid(odds), atol=0.03)
    np.testing.assert_array_equal(carry, 1 + frames[:-1].sum(0))  # each was read, but the last


def test_composing_goes_on_from_a_beginning():
    network = model()
    network.readout.kernel[...] *= 50  # nearly certain, so the past decides
    piece = network.compose(6, jax.random.key(1))
    assert piece.shape == (6, 6) and set(np.unique(piece)) <= {0, 1}
    one = jnp.ones((3, 6))
    after = lambda beginning: network.compose(1, jax.random.key(2), beginning=beginning)[0]
    logits = network(jnp.concatenate([one, one[:1]]))[-1]
    draw = jax.random.bernoulli(jax.random.split(jax.random.key(2), 1)[0], jax.nn.sigmoid(logits))
    np.testing.assert_array_equal(after(one), draw)


def test_bad_arguments_are_named():
    with pytest.raises(
        ValueError, match=r"`rolls` must have the shape \[\*B, T, 6\]; got \(2, 5\)"
    ):
        model().nll(jnp.zeros((2, 5)))
    with pytest.raises(ValueError, match="`length` must be a positive integer; got 0"):
        model().compose(0, jax.random.key(0))
    with pytest.raises(ValueError, match=r"`beginning` must have the shape \[T, 6\]; got \(6,\)"):
        model().compose(1, jax.random.key(0), beginning=jnp.zeros(6))


def test_at_a_low_temperature_only_what_is_probable_is_composed():
    odds = jnp.array([2.0, -2.0, 0.5])
    step = lambda params, carry, frames: (carry, jnp.broadcast_to(odds, frames.shape))
    how = {"key": jax.random.key(0), "length": 200}
    cold = sample_frames(step, (), (), jnp.zeros(3), temperature=0.01, **how)[1]
    assert (np.asarray(cold) == [1, 0, 1]).all()
    warm = np.mean(sample_frames(step, (), (), jnp.zeros(3), temperature=2.0, **how)[1], axis=0)
    np.testing.assert_allclose(warm, jax.nn.sigmoid(odds / 2), atol=0.1)
    with pytest.raises(ValueError, match=r"`temperature` must be positive; got 0"):
        sample_frames(step, (), (), jnp.zeros(3), temperature=0, **how)
