"""The captioner, in each of the three ways in which it learns of the vector."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrnn import generate, gru, lstm, stack
from jaxrnn.models import Captioner, EveryStep, FirstInput, InitialState
from jaxrnn.models.captioner import functions

CONDITIONS = [InitialState, FirstInput, EveryStep]
CAPTIONS = np.array([[4, 2, 3, 0], [1, 0, 9, 9], [0, 9, 9, 9]])
LENGTHS = np.array([4, 2, 1])
VECTORS = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)


def made(condition, cell=lstm, **options) -> Any:
    size = 4 + (5 if condition is EveryStep else 0)
    sizes = {"vocabulary_size": 6, "vector_size": 5, "condition": condition}
    return Captioner(cell(size, 7), **{**sizes, **options}, rngs=nnx.Rngs(0))


def by_hand(model, condition, vector, caption):
    """Nats of each symbol of one caption, by steps of the cell."""
    cell, params = model.rnn.cell, nnx.as_pure(model.rnn.params)
    carry, beside = cell.initial_carry(), np.zeros(0)
    if condition is InitialState:
        layer = model.condition.layer
        numbers = np.tanh(vector @ layer.kernel[...] + layer.bias[...])
        carry = type(carry)(numbers[:7], numbers[7:])
    elif condition is FirstInput:
        layer = model.condition.layer
        carry, _ = cell.step(params, carry, vector @ layer.kernel[...] + layer.bias[...])
    else:
        beside = vector
    nats, before = [], 0
    for symbol in caption:
        x = np.concatenate([model.embed.embedding[...][before], beside])
        carry, h = cell.step(params, carry, jnp.asarray(x))
        logits = h @ model.readout.vectors[...].T + model.readout.bias[...]
        nats.append(-jax.nn.log_softmax(logits)[symbol])
        before = symbol
    return np.array(nats)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_loss_is_that_of_the_steps_by_hand(condition):
    model = made(condition)
    nats = model.nll(VECTORS, CAPTIONS, LENGTHS)
    assert nats.shape == (3, 4)
    for b, n in enumerate(LENGTHS):
        wanted = by_hand(model, condition, VECTORS[b], CAPTIONS[b, :n])
        np.testing.assert_allclose(nats[b, :n], wanted, rtol=1e-5, atol=1e-6)
        assert np.all(np.asarray(nats[b, n:]) == 0)
        one = model.nll(VECTORS[b], CAPTIONS[b, :n])
        np.testing.assert_allclose(nats[b, :n], one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_padding_does_not_matter_and_every_parameter_learns(condition):
    encoder = nnx.Linear(8, 5, rngs=nnx.Rngs(1))
    images = np.random.default_rng(2).normal(size=(3, 8)).astype(np.float32)

    @nnx.jit
    @nnx.value_and_grad
    def loss(model, captions):
        return jnp.sum(model.nll(images, captions, LENGTHS))

    model = made(condition, encoder=encoder)
    first, grads = loss(model, CAPTIONS)
    second, others = loss(model, np.where(CAPTIONS == 9, 3, CAPTIONS))
    assert float(first) == float(second) and np.isfinite(float(first))
    for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(others), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.any(np.asarray(a) != 0)
    assert np.any(np.asarray(grads.encoder.kernel[...]) != 0)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_is_generated_scores_what_the_loss_says(condition):
    model = made(condition)
    step = functions(model)
    start = step.start(step.params, VECTORS)
    _, written = generate.greedy(step.step, *start, length=4)
    beams = generate.beam_search(step.step, *start, width=36, length=2)
    narrow = generate.beam_search(step.step, *start, width=1, length=4)
    np.testing.assert_array_equal(narrow.symbols[..., 0], written)
    nats = model.nll(VECTORS, written.T)
    np.testing.assert_allclose(-nats.sum(1), narrow.log_probabilities[:, 0], rtol=1e-5)
    # A beam that drops nothing finds the best of all captions of two symbols.
    pairs = np.stack(np.meshgrid(np.arange(6), np.arange(6), indexing="ij"), -1).reshape(36, 2)
    repeated = np.broadcast_to(VECTORS[:, None], (3, 36, 5))
    every = -model.nll(repeated, np.broadcast_to(pairs, (3, 36, 2))).sum(-1)
    best = -np.sort(-np.asarray(every), axis=1)
    np.testing.assert_allclose(beams.log_probabilities, best, rtol=1e-4)
    score = generate.score(step.step, *start[:2], jnp.concatenate([start[2], written]))
    np.testing.assert_allclose(score, -nats.T, rtol=1e-4, atol=1e-5)


def test_other_vectors_give_other_captions_and_a_stack_will_do():
    two = lambda size, hidden: stack(gru(size, hidden), lstm(hidden, 3))
    for condition in CONDITIONS:
        model = made(condition, cell=two)
        nats = model.nll(np.stack([VECTORS[0], VECTORS[1]]), np.array([[1, 0], [1, 0]]))
        assert nats.shape == (2, 2) and not np.allclose(nats[0], nats[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: made(InitialState, vector_size=0), "`vector_size` must be a positive integer"),
        (lambda: made(InitialState, end=6), r"`end` must lie in \[0, V=6\); got 6"),
        (
            lambda: made(partial(EveryStep)),
            "`cell` must take 5 numbers and those of the embedding; got 4",
        ),
        (
            lambda: made(FirstInput).nll(np.zeros((3, 4)), CAPTIONS),
            r"`images` must give vectors \[\*B, 5\]; got \(3, 4\)",
        ),
        (
            lambda: made(FirstInput, encoder=lambda x: x[..., :2]).nll(VECTORS, CAPTIONS),
            r"`encoder` must give vectors \[\*B, 5\]; got \(3, 2\)",
        ),
        (
            lambda: made(FirstInput).nll(VECTORS[:2], CAPTIONS),
            r"`captions` must be of the batch \(2,\); got \(3, 4\)",
        ),
        (
            lambda: made(FirstInput).nll(VECTORS, CAPTIONS * 1.0),
            "`captions` must hold integers",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
