"""Networks trained side by side are those trained alone; together they predict the mean."""

import io

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from rich.console import Console

from jaxrnn import gru, lstm, output_dropout
from jaxrnn.data.streams import streams
from jaxrnn.generate import beam_search, sample
from jaxrnn.models.ensemble import ensemble
from jaxrnn.models.language_model import LanguageModel, functions
from jaxrnn.train import (
    Run,
    ensemble_update,
    evaluator,
    fit,
    init_ensemble,
    init_state,
    scale_on_stall,
    tbptt_scan,
    tbptt_step,
)
from metrics import comparable

K, B, V = 3, 2, 6
CELL = lstm(4, 5)


def make(key, cell=CELL):
    return functions(LanguageModel(cell, vocabulary_size=V, rngs=nnx.Rngs(key)))


def init(key):
    return make(key).params


def members_of(params):
    return [jax.tree.map(lambda leaf, k=k: leaf[k], params) for k in range(K)]


def text(length=200, seed=0):
    """A chain in which each symbol has two likely successors."""
    rng, symbols = np.random.default_rng(seed), [0]
    for _ in range(length - 1):
        symbols.append((2 * symbols[-1] + rng.choice(3, p=[0.6, 0.3, 0.1])) % V)
    return np.array(symbols)


SEGMENTS = streams(text(), batch_size=B, segment_length=8)
OPTIMIZER = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2))


@pytest.fixture(scope="module")
def params():
    keys = jax.random.split(jax.random.key(3), K)
    return jax.tree.map(lambda *leaves: 2 * jnp.stack(leaves), *map(init, keys))


def test_members_are_those_trained_alone(x64):
    """With dropout, so that each has random masks of its own as well."""
    model = make(0, output_dropout(CELL, 0.3))
    carry, key = model.initial_carry(B), jax.random.key(7)
    first = lambda key: jax.tree.map(lambda leaf: leaf.astype(float), init(key))
    update = tbptt_scan(model.loss, OPTIMIZER)
    state = init_ensemble(first, OPTIMIZER, carry, key, members=K)
    together, metrics = ensemble_update(update)(state, SEGMENTS)
    assert metrics.loss.shape == (len(SEGMENTS.inputs), K)
    assert int(together.step) == len(SEGMENTS.inputs)
    for k, params in enumerate(members_of(together.params)):
        init_key, run_key = jax.random.split(jax.random.fold_in(key, k))
        alone = init_state(first(init_key), OPTIMIZER, carry, run_key)
        alone, alone_metrics = update(alone, SEGMENTS)
        chex.assert_trees_all_close(params, alone.params, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(metrics.loss[:, k], alone_metrics.loss, rtol=1e-10)
        np.testing.assert_allclose(metrics.grad_norm[:, k], alone_metrics.grad_norm, rtol=1e-8)
    assert len(np.unique(metrics.loss[0])) == K  # members differ


def test_one_segment_at_a_time(params):
    model = make(0)
    state = init_ensemble(init, OPTIMIZER, model.initial_carry(B), jax.random.key(0), members=K)
    update = ensemble_update(tbptt_step(model.loss, OPTIMIZER))
    state, metrics = update(state, jax.tree.map(lambda leaf: leaf[0], SEGMENTS))
    assert metrics.loss.shape == (K,) and state.step.shape == ()


def test_the_state_is_donated():
    model = make(0)
    state = init_ensemble(init, OPTIMIZER, model.initial_carry(B), jax.random.key(0), members=2)
    ensemble_update(tbptt_scan(model.loss, OPTIMIZER))(state, SEGMENTS)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


def test_probabilities_are_averaged(params, x64):
    model, segment = make(0), jax.tree.map(lambda leaf: leaf[0], SEGMENTS)
    mixture = ensemble(model, params)
    nats, _ = mixture.nll(params, mixture.initial_carry(B), segment, None)
    mean = np.zeros(segment.inputs.shape)
    for member in members_of(params):
        carry = model.initial_carry(B)
        for t, symbols in enumerate(segment.inputs):
            carry, logits = model.step(member, carry, jnp.asarray(symbols))
            e = np.exp(np.asarray(logits, np.float64))
            p = e / e.sum(axis=-1, keepdims=True)
            mean[t] += p[np.arange(B), segment.targets[t]] / K
    np.testing.assert_allclose(nats, np.where(segment.mask, -np.log(mean), 0), rtol=1e-5)
    total, tokens, _ = mixture.loss(params, mixture.initial_carry(B), segment, None)
    np.testing.assert_allclose(total, np.sum(nats), rtol=1e-6)
    assert tokens == segment.mask.sum()


@pytest.mark.parametrize("shape", [(), (B,), (B, 3)])
def test_steps_are_the_sequence(params, shape):
    """For any batch shape; the logits are log-probabilities of which the loss is made."""
    mixture, tokens = ensemble(make(0), params), jnp.array([3, 1, 4, 1])
    segment = jax.tree.map(lambda leaf: leaf[0][:, :1], SEGMENTS)
    segment = segment._replace(inputs=tokens[:, None], targets=tokens[:, None] + 1)
    segment = segment._replace(mask=tokens[:, None] > 0, resets=tokens[:, None] < 0)
    nats, _ = mixture.nll(params, mixture.initial_carry(1), segment, None)
    carry = jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf[0], (*shape, *leaf.shape[1:])), mixture.initial_carry(1)
    )
    for t, token in enumerate(tokens):
        carry, logits = mixture.step(params, carry, jnp.full(shape, token))
        assert logits.shape == (*shape, V)
        np.testing.assert_allclose(jnp.sum(jnp.exp(logits), axis=-1), 1, rtol=1e-5)
        expected = np.broadcast_to(-nats[t, 0], shape)
        np.testing.assert_allclose(logits[..., token + 1], expected, rtol=1e-4)


def test_padding_reaches_nothing(params):
    """Positions that are not real cost exactly nothing, though log K - log Σ 1 rounds."""
    segment = jax.tree.map(lambda leaf: leaf[0], SEGMENTS)
    segment = segment._replace(mask=np.zeros_like(segment.mask), targets=segment.targets - 99)
    mixture = ensemble(make(0), params)
    loss = lambda params: mixture.loss(params, mixture.initial_carry(B), segment, None)[0]
    value, gradient = jax.jit(jax.value_and_grad(loss))(params)
    assert value == 0 and not any(leaf.any() for leaf in jax.tree.leaves(gradient))


def test_dropout_is_drawn_for_each_member(params, key):
    mixture = ensemble(make(0, output_dropout(CELL, 0.5)), params)
    same = jax.tree.map(lambda leaf: jnp.stack([leaf[0]] * K), params)
    segment = jax.tree.map(lambda leaf: leaf[0], SEGMENTS)
    carry, k = mixture.initial_carry(B), key()
    nats = mixture.nll(same, carry, segment, k)[0]
    model = make(0, output_dropout(CELL, 0.5))
    alone = jax.jit(
        lambda key: model.nll(members_of(same)[0], model.initial_carry(B), segment, key)
    )
    each = np.stack([alone(member)[0] for member in jax.random.split(k, K)])
    assert np.abs(each - each[0]).max() > 1e-2
    np.testing.assert_allclose(nats, -np.log(np.mean(np.exp(-each), axis=0)), atol=1e-5)


def test_it_writes_and_keeps_rows_apart(params):
    mixture = ensemble(make(0), params)
    prompt = jnp.array([[1, 2]])
    options = {"length": 5, "key": jax.random.key(0), "temperature": 0.0}
    carry, both = sample(mixture.step, params, mixture.initial_carry(2), prompt, **options)
    assert all(leaf.shape[:2] == (2, K) for leaf in jax.tree.leaves(carry))
    for row in range(2):
        start = mixture.initial_carry(1)
        _, alone = sample(mixture.step, params, start, prompt[:, row : row + 1], **options)
        np.testing.assert_array_equal(both[:, row], alone[:, 0])


def test_the_beam_search_reorders_members_with_their_hypothesis(params):
    """What it says of its best sequence is what reading that sequence says."""
    mixture, prompt = ensemble(make(0), params), jnp.array([[1, 2]])
    start = mixture.initial_carry(2)
    beams = beam_search(mixture.step, params, start, prompt, width=3, length=4)
    best, carry = beams.symbols[:, :, 0], start
    log_p, before = np.zeros(2), prompt[0]
    for symbols in best:
        carry, logits = mixture.step(params, carry, before)
        log_p += np.asarray(logits)[np.arange(2), symbols]
        before = symbols
    np.testing.assert_allclose(beams.log_probabilities[:, 0], log_p, rtol=1e-5)
    assert (np.diff(beams.log_probabilities) < 0).all()


HELD_OUT = streams(text(length=600, seed=1), batch_size=1, segment_length=50)


def test_fit_trains_an_ensemble_better_than_its_members(tmp_path):
    """And a run that is taken up ends with the same bits."""
    cell = gru(4, 16)
    model = make(0, cell)
    optimizer = optax.chain(optax.adam(3e-2), scale_on_stall())
    update = ensemble_update(tbptt_scan(model.loss, optimizer))
    first = lambda key: make(key, cell).params
    carry, key = model.initial_carry(B), jax.random.key(2)
    start = lambda: init_ensemble(first, optimizer, carry, key, members=K)
    mixture = ensemble(model, start().params)
    evaluate, evaluate_one = evaluator(mixture.loss), evaluator(model.loss)
    validate = lambda params: evaluate(params, mixture.initial_carry(1), HELD_OUT)

    def go(name, steps):
        options = {"check_every": 20, "updates_per_call": 20, "validate": validate}
        options |= {"run": Run(tmp_path / name), "console": Console(file=io.StringIO())}
        return fit(update, start(), SEGMENTS, steps=steps, **options)

    whole = go("whole", 120)
    go("part", 60)
    part = go("part", 120)
    chex.assert_trees_all_equal((whole.params, whole.opt_state), (part.params, part.opt_state))
    lines = comparable(tmp_path / "whole")
    assert lines == comparable(tmp_path / "part")
    trained = [line for line in lines if "loss" in line]
    for line in trained:
        np.testing.assert_allclose(np.mean(line["member_losses"]), line["loss"], rtol=1e-5)
        assert len(line["member_losses"]) == K
    assert trained[-1]["loss"] < trained[0]["loss"] - 0.1
    mixed = [line["validation_loss"] for line in lines if "validation_loss" in line][-1]
    alone = lambda params: float(evaluate_one(params, model.initial_carry(1), HELD_OUT))
    each = [alone(params) for params in members_of(whole.params)]
    assert mixed < np.mean(each) - 0.01, (mixed, each)


def test_wrong_arguments(params):
    model = make(0)
    with pytest.raises(ValueError, match="`members` must be a positive integer; got 0"):
        init_ensemble(init, OPTIMIZER, model.initial_carry(B), jax.random.key(0), members=0)
    with pytest.raises(ValueError, match="`params` must be the model's with one leading axis K"):
        ensemble(model, model.params)
    ragged = jax.tree.map(lambda leaf: leaf[: 2 + leaf.ndim % 2], params)
    with pytest.raises(ValueError, match="`params` must be the model's with one leading axis K"):
        ensemble(model, ragged)
    alone = init_state(model.params, OPTIMIZER, model.initial_carry(B), jax.random.key(0))
    update = ensemble_update(tbptt_scan(model.loss, OPTIMIZER))
    with pytest.raises(ValueError, match=r"`state` must be from init_ensemble.*; got \(\)"):
        update(alone, SEGMENTS)
