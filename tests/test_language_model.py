"""The language model: its loss is that of its logits, whatever its output layer; what is shared."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from cases import assert_close, numbers
from jaxrnn import gru, lstm, stack, unroll
from jaxrnn.cells import input_dropout
from jaxrnn.data.streams import Segment, streams
from jaxrnn.losses import nll as nll_of_logits
from jaxrnn.models.language_model import Keys, LanguageModel, functions
from jaxrnn.nn import AdaptiveSoftmax, SampledSoftmax, Softmax
from jaxrnn.train import evaluator, init_state, tbptt_scan

T, B, H, V = 6, 3, 5, 17
READOUTS: dict[str, Any] = {
    "softmax": Softmax,
    "sampled": partial(SampledSoftmax, samples=8),
    "adaptive": partial(AdaptiveSoftmax, cutoffs=(4, 9), shrink=2, block_size=4),
}
each_readout = pytest.mark.parametrize("name", READOUTS)
RNG = np.random.default_rng(0)
TOKENS: Any = RNG.integers(0, V, (T, B))
TARGETS: Any = RNG.integers(0, V, (T, B))
MASK: Any = RNG.random((T, B)) < 0.7
RESETS: Any = RNG.random((T, B)) < 0.3
SEGMENT = Segment(TOKENS, TARGETS, MASK, RESETS)


def make(name="softmax", cell=gru(H, H), **options):
    """A model with random values in every parameter: a zero bias would hide a missing one."""
    options = {"readout": READOUTS[name], "vocabulary_size": V, "rngs": nnx.Rngs(0), **options}
    model = LanguageModel(cell, **options)
    nnx.update(model, numbers(nnx.state(model), 1))
    return model


@each_readout
def test_the_loss_is_that_of_the_logits(name):
    model = make(name)
    start = numbers(model.rnn.cell.initial_carry((B,)), 2)
    carry, logits = model(TOKENS, initial_carry=start, resets=RESETS)
    after, nats = model.nll(TOKENS, TARGETS, MASK, initial_carry=start, resets=RESETS)
    assert logits.shape == (T, B, V)
    assert_close((after, nats), (carry, nll_of_logits(logits, TARGETS, MASK)), 1e-5, 1e-6)
    pure = functions(model)
    of_segment, last = pure.nll(pure.params, start, SEGMENT, None)
    assert_close((last, of_segment), (after, nats), 1e-6, 1e-6)
    total, symbols, last = pure.loss(pure.params, start, SEGMENT, None)
    assert_close((total, last), (nats.sum(), after), 1e-6, 1e-6)
    assert int(symbols) == MASK.sum()


@each_readout
def test_steps_equal_the_sequence(name):
    model = make(name)
    pure = functions(model)
    carry = pure.initial_carry(B)
    _, logits = model(TOKENS)
    for t in range(T):
        carry, at_t = pure.step(pure.params, carry, TOKENS[t])
        np.testing.assert_allclose(at_t, logits[t], rtol=1e-5, atol=1e-6)


@each_readout
def test_every_parameter_gets_a_gradient(name):
    pure = functions(make(name))
    segment = SEGMENT._replace(targets=np.arange(T * B).reshape(T, B) % V, mask=MASK | True)
    loss = lambda params: pure.loss(params, pure.initial_carry(B), segment, jax.random.key(0))[0]
    gradient = jax.jit(jax.grad(loss))(pure.params)
    assert all(np.isfinite(leaf).all() and leaf.any() for leaf in jax.tree.leaves(gradient))


def test_no_batch_axis():
    model = make()
    carry, nats = model.nll(TOKENS[:, 0], TARGETS[:, 0])
    np.testing.assert_allclose(nats, model.nll(TOKENS, TARGETS)[1][:, 0], rtol=1e-5)
    assert carry.shape == (H,)


@each_readout
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_what_is_masked_changes_nothing(name, dropout):
    pure = functions(make(name, embed_dropout=dropout))
    other = SEGMENT._replace(targets=np.where(MASK, TARGETS, -7))

    @jax.jit
    def value_and_grad(segment):
        loss = lambda params: pure.loss(params, pure.initial_carry(B), segment, jax.random.key(1))
        return jax.value_and_grad(lambda params: loss(params)[0])(pure.params)

    assert_close(value_and_grad(other), value_and_grad(SEGMENT), 0, 0)


# Tied vectors


@pytest.mark.parametrize("name", ["softmax", "sampled"])
def test_tied_vectors_are_one_parameter(name):
    tied, free = make(name, tied=True), make(name)
    assert tied.readout.vectors is tied.embed.embedding
    count = lambda model: sum(leaf.size for leaf in jax.tree.leaves(functions(model).params))
    assert count(free) - count(tied) == V * H
    pure = functions(tied)
    merged = nnx.merge(*nnx.split(tied))
    assert merged.readout.vectors is merged.embed.embedding
    moved = jax.tree.map(lambda leaf: leaf + 1, pure.params)
    _, logits = pure.step(moved, pure.initial_carry(B), TOKENS[0])
    nnx.update(tied, moved)
    np.testing.assert_allclose(tied(TOKENS[:1])[1][0], logits, rtol=1e-5)


@pytest.mark.parametrize("key", [None, jax.random.key(5)], ids=["exact", "with a key"])
@pytest.mark.parametrize("name", ["softmax", "sampled"])
def test_a_tied_gradient_is_the_sum_of_both(name, key, x64):
    tied, free = functions(make(name, tied=True)), functions(make(name))
    vectors = tied.params["embed"]["embedding"]
    for path in (("embed", "embedding"), ("readout", "vectors")):
        free.params[path[0]][path[1]] = nnx.Param(vectors[...])
    free.params["rnn"], free.params["readout"]["bias"] = (
        tied.params["rnn"],
        tied.params["readout"]["bias"],
    )

    def value_and_grad(pure):
        loss = lambda params: pure.loss(params, pure.initial_carry(B), SEGMENT, key)[0]
        return jax.jit(jax.value_and_grad(loss))(pure.params)

    (one, together), (two, apart) = value_and_grad(tied), value_and_grad(free)
    assert_close(one, two, rtol=1e-6)
    sums = apart["embed"]["embedding"][...] + apart["readout"]["vectors"][...]
    assert_close(together["embed"]["embedding"][...], sums, rtol=1e-5, atol=1e-7)
    assert_close(together["rnn"], apart["rnn"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("tied", [False, True])
def test_the_first_loss_is_about_that_of_a_uniform_guess(tied):
    size = 500
    model = LanguageModel(lstm(32, 32), vocabulary_size=size, rngs=nnx.Rngs(0), tied=tied)
    tokens: Any = RNG.integers(0, size, (21, 8))
    _, nats = model.nll(tokens[:-1], tokens[1:])
    np.testing.assert_allclose(nats.mean(), np.log(size), rtol=0.02)


# Dropped words


def test_a_symbol_is_dropped_everywhere_in_a_segment_or_nowhere():
    # The cell hands its input on, so that what comes out is what the embedding gave.
    rate = 0.4
    model = make(embed_dropout=rate)
    given = lambda key: by_parts(model, TOKENS, Keys(embed=key))
    vectors = np.asarray(model.embed.embedding[...])
    places = {v: np.nonzero(v == TOKENS) for v in np.unique(TOKENS)}
    kept = []
    for seed in range(200):
        embedded = np.asarray(given(jax.random.key(seed)))
        here = [embedded[place].any() for place in places.values()]
        for (v, place), keep in zip(places.items(), here, strict=True):
            rows = embedded[place]
            wanted = np.broadcast_to(keep * vectors[v] / (1 - rate), rows.shape)
            np.testing.assert_allclose(rows, wanted, rtol=1e-6)
        kept.append(here)
    np.testing.assert_allclose(np.mean(kept, axis=0), 1 - rate, atol=0.12)
    np.testing.assert_allclose(np.mean(kept), 1 - rate, atol=0.03)


def by_parts(model, tokens, keys):
    """What goes into the cell: the model with a cell that gives back its inputs."""
    model = nnx.merge(*nnx.split(model))
    seen = []

    def record(xs, **_):
        seen.append(xs)
        return None, xs

    model.rnn = nnx.static(record)
    model._read(tokens, None, None, keys)
    return seen[0]


def test_nothing_is_dropped_without_a_key_or_without_a_rate():
    plain, dropping = make(), make(embed_dropout=0.9)
    np.testing.assert_array_equal(dropping(TOKENS)[1], plain(TOKENS)[1])
    key = jax.random.key(0)
    np.testing.assert_array_equal(plain(TOKENS, key=key)[1], plain(TOKENS)[1])
    assert not np.allclose(dropping(TOKENS, key=key)[1], plain(TOKENS)[1])
    np.testing.assert_array_equal(
        dropping(TOKENS, key=key)[1], dropping(TOKENS, key=jax.random.clone(key))[1]
    )


def test_each_part_draws_from_a_key_of_its_own():
    cell = stack(input_dropout(gru(H, H), 0.5), gru(H, H))
    model = make("sampled", cell=cell, embed_dropout=0.5)
    key = jax.random.key(3)
    keys = Keys.split(key)
    assert len({tuple(jax.random.key_data(k).tolist()) for k in keys if k is not None}) == 3
    assert keys.embed is not None
    keep = jax.random.bernoulli(keys.embed, 0.5, (V, 1))
    xs = jnp.where(keep[TOKENS], model.embed(TOKENS) / 0.5, 0)
    params = nnx.as_pure(model.rnn.params)
    _, hs = unroll(cell, params, cell.initial_carry((B,)), xs, key=keys.cell)
    np.testing.assert_allclose(model(TOKENS, key=key)[1], model.readout(hs), rtol=1e-5, atol=1e-6)
    _, nats = model.nll(TOKENS, TARGETS, key=key)
    expected = model.readout.nll(hs, TARGETS, key=keys.readout)
    np.testing.assert_allclose(nats, expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(expected, model.readout.nll(hs, TARGETS))
    assert Keys.split(None) == (None, None, None)


# Learning


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("softmax", {}),
        ("sampled", {}),
        ("adaptive", {}),
        ("softmax", {"tied": True, "embed_dropout": 0.1}),
        ("sampled", {"tied": True}),
    ],
)
def test_a_few_updates_learn_a_text(name, options):
    # A cycle through all symbols: the next one is certain once it is known.
    order = np.random.default_rng(1).permutation(V)
    segments = streams(np.tile(order, 20), batch_size=4, segment_length=8)
    built = {"vocabulary_size": V, "rngs": nnx.Rngs(0), "readout": READOUTS[name], **options}
    pure = functions(LanguageModel(gru(12, 12), **built))
    optimizer = optax.adam(0.03)
    evaluate = evaluator(pure.loss)
    before = evaluate(pure.params, pure.initial_carry(4), segments)
    assert before > 0.9 * np.log(V)
    state = init_state(pure.params, optimizer, pure.initial_carry(4), jax.random.key(0))
    update = tbptt_scan(pure.loss, optimizer)
    for _ in range(12):
        state, _ = update(state, segments)
    assert evaluate(state.params, pure.initial_carry(4), segments) < 0.5


# Arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"cell": gru(4, H), "tied": True},
            "`cell` must give vectors of the size that it takes, for tied vectors; got 4 in, 5 out",
        ),
        (
            {"name": "adaptive", "tied": True},
            r"`readout` must have `vectors` \(17, 5\), to be tied; got AdaptiveSoftmax",
        ),
        ({"embed_dropout": 1.0}, r"`embed_dropout` must be a probability in \[0, 1\); got 1.0"),
        ({"vocabulary_size": 0}, "`vocabulary_size` must be a positive integer; got 0"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(ValueError, match=message) as error:
        make(**options)
    assert "\n" not in str(error.value)


def test_wrong_targets_are_named():
    with pytest.raises(ValueError, match=r"`targets` must have the shape \(6, 3\); got \(3, 6\)"):
        make().nll(TOKENS, TARGETS.T)
