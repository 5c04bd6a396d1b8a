"""Encoder and decoder: masks, ragged batches, steps against sequences, and writing."""

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxrnn import elman, generate, gru, lstm, stack, train
from jaxrnn.cells.dropout import input_dropout
from jaxrnn.data import pad
from jaxrnn.data.synthetic.transduction import Pair
from jaxrnn.models import (
    BahdanauDecoder,
    Encoder,
    EncoderDecoder,
    LuongDecoder,
    PlainDecoder,
)
from jaxrnn.models.encoder_decoder import functions
from jaxrnn.nn import DotScore, LocationScore

# All of it in float64, because the programs are kept from test to test.
pytestmark = pytest.mark.usefixtures("x64")

E, H, V = 3, 4, 6
SOURCES = jnp.array([[1, 2, 3, 4, 5], [5, 4, 3, 0, 0], [2, 0, 0, 0, 0]])
SOURCE_LENGTHS = jnp.array([5, 3, 1])
TARGETS = jnp.array([[3, 2, 5, 0], [1, 4, 0, 0], [0, 0, 0, 0]])
TARGET_LENGTHS = jnp.array([4, 3, 1])
BATCH = (SOURCES, TARGETS, SOURCE_LENGTHS, TARGET_LENGTHS)


def plain(rngs):
    encoder = Encoder(lstm(E, H), vocabulary_size=V, reverse=True, rngs=rngs)
    return encoder, PlainDecoder(lstm(2, H), encoder, vocabulary_size=V, rngs=rngs)


def deep(rngs):
    encoder = Encoder(stack(gru(E, H), gru(H, H)), vocabulary_size=V, rngs=rngs)
    layers = stack(gru(2, H), gru(H, H), dropout=0.5)
    return encoder, PlainDecoder(layers, encoder, vocabulary_size=V, rngs=rngs)


def context(rngs):
    encoder = Encoder(gru(E, 5), vocabulary_size=V, rngs=rngs)
    cell = gru(2 + 3, H)
    return encoder, PlainDecoder(cell, encoder, vocabulary_size=V, context_size=3, rngs=rngs)


def both_ways(rngs):
    return Encoder(lstm(E, 2), backward=gru(E, 2), vocabulary_size=V, rngs=rngs)


def luong(rngs):
    encoder = both_ways(rngs)
    return encoder, LuongDecoder(lstm(2, H), encoder, vocabulary_size=V, score=DotScore, rngs=rngs)


def feeding(rngs):
    encoder, cell = both_ways(rngs), stack(elman(2 + H, 3), gru(3, H))
    options = {"vocabulary_size": V, "input_feeding": True, "rngs": rngs}
    return encoder, LuongDecoder(cell, encoder, **options)


def bahdanau(rngs):
    encoder, cell = both_ways(rngs), input_dropout(lstm(2 + 4, H), 0.5)
    return encoder, BahdanauDecoder(cell, encoder, vocabulary_size=V, rngs=rngs)


def located(rngs):
    encoder, cell = both_ways(rngs), stack(gru(2 + 4, 3), gru(3, H))
    options = {"vocabulary_size": V, "score": LocationScore, "rngs": rngs}
    return encoder, BahdanauDecoder(cell, encoder, **options)


def located_luong(rngs):
    encoder = both_ways(rngs)
    score = partial(LocationScore, reach=1)
    return encoder, LuongDecoder(gru(2, H), encoder, vocabulary_size=V, score=score, rngs=rngs)


SHAPES = {
    shape.__name__: shape
    for shape in (plain, deep, context, luong, feeding, bahdanau, located, located_luong)
}
PLAIN = ("plain", "deep", "context")


@lru_cache
def made(name):
    """A model with every parameter random and not zero, in float64."""
    rngs = nnx.Rngs(1)
    model = EncoderDecoder(*SHAPES[name](rngs), rngs=rngs)
    graph, params = nnx.split(model)
    leaves, structure = jax.tree.flatten(params)
    rng = np.random.default_rng(7)
    leaves = [jnp.asarray(rng.normal(size=leaf.shape)) for leaf in leaves]
    model = nnx.merge(graph, jax.tree.unflatten(structure, leaves))
    model.encoder.reader.embed.dtype = model.decoder.embed.dtype = jnp.float64
    return model


@lru_cache
def parts_of(name):
    return functions(made(name))


@lru_cache
def loss_of(name):
    """`nll` and its gradient as one program."""
    graph, params = nnx.split(made(name))

    def total(params, batch, rows):
        nats = nnx.merge(graph, params).nll(*batch)
        return jnp.sum(nats * rows[:, None]), nats

    gradient = jax.jit(jax.value_and_grad(total, has_aux=True))

    def call(*batch, rows=None):
        (_, nats), grads = gradient(
            params, batch, jnp.ones(len(batch[0])) if rows is None else rows
        )
        return np.asarray(nats), grads

    return call


@pytest.fixture(params=SHAPES)
def name(request):
    return request.param


def test_a_ragged_batch_equals_the_pairs_one_by_one(name):
    loss = loss_of(name)
    nats, grads = loss(*BATCH, rows=jnp.array([0, 1, 0]))
    alone, wanted = loss(SOURCES[1:2, :3], TARGETS[1:2, :3])
    np.testing.assert_allclose(nats[1, :3], alone[0], atol=1e-12)
    assert np.all(nats[1, 3:] == 0) and np.all(nats[2, 1:] == 0)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-10), grads, wanted)
    assert all(np.any(np.asarray(leaf) != 0) for leaf in jax.tree.leaves(grads))


def test_padding_may_hold_anything(name):
    spoilt = [
        jnp.where(jnp.arange(array.shape[1]) < lengths[:, None], array, anything)
        for array, lengths, anything in (
            (SOURCES, SOURCE_LENGTHS, 10**6),
            (TARGETS, TARGET_LENGTHS, -7),
        )
    ]
    nats, grads = loss_of(name)(*BATCH)
    others, other_grads = loss_of(name)(*spoilt, *BATCH[2:])
    np.testing.assert_array_equal(nats, others)
    jax.tree.map(np.testing.assert_array_equal, grads, other_grads)


def test_an_empty_source_is_read(name):
    lengths = jnp.array([5, 0, 0])
    nats, grads = loss_of(name)(SOURCES, TARGETS, lengths, TARGET_LENGTHS)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((nats, grads)))
    assert np.all(nats[1, :3] > 0)


def test_nothing_of_the_source_is_without_influence(name):
    before = loss_of(name)(*BATCH)[0][:, 0]
    for s in range(5):
        after = loss_of(name)(SOURCES.at[:, s].set((SOURCES[:, s] + 1) % V), *BATCH[1:])[0][:, 0]
        assert (after != before).tolist() == (s < SOURCE_LENGTHS).tolist()


@pytest.mark.parametrize("name", ["luong", "feeding", "located"])
def test_nan_in_the_memory_reaches_nothing(name):
    model = made(name)
    source = model.encoder(SOURCES, SOURCE_LENGTHS)
    real = jnp.arange(5)[:, None] < SOURCE_LENGTHS[:, None, None]

    @jax.jit
    @jax.value_and_grad
    def total(memory):
        carry, view = model.decoder.open(source._replace(memory=memory))
        return jnp.sum(model.decoder.read(carry, TARGETS, view).vectors)

    clean, spoilt = total(source.memory), total(jnp.where(real, source.memory, jnp.nan))
    assert np.any(np.asarray(clean[1]) != 0)
    jax.tree.map(np.testing.assert_array_equal, clean, spoilt)


def test_an_empty_batch_of_symbols_has_no_loss():
    model = made("located")
    assert model.nll(SOURCES, TARGETS[:, :0]).shape == (3, 0)
    nats = model.nll(SOURCES[:, :0], TARGETS)
    wanted = loss_of("located")(SOURCES, TARGETS, jnp.zeros(3, int), jnp.full(3, 4))[0]
    np.testing.assert_allclose(nats, wanted, atol=1e-12)


def test_teacher_forcing_equals_step_by_step(name):
    parts = parts_of(name)
    start = parts.start(parts.params, SOURCES, SOURCE_LENGTHS)
    text = jnp.concatenate([start[2], TARGETS.T])
    mask = jnp.arange(len(text))[:, None] <= TARGET_LENGTHS
    nats = generate.score(parts.step, *start[:2], text, mask)
    np.testing.assert_allclose(-nats.T, loss_of(name)(*BATCH)[0], atol=1e-12)


@pytest.mark.parametrize("name", ["context", "luong", "located"])
def test_greedy_is_a_beam_of_width_one(name):
    parts = parts_of(name)
    start = parts.start(parts.params, SOURCES, SOURCE_LENGTHS)
    _, greedy = generate.greedy(parts.step, *start, length=6, end=0)
    beams = generate.beam_search(parts.step, *start, width=1, length=6, end=0)
    np.testing.assert_array_equal(greedy, beams.symbols[..., 0])


@pytest.mark.parametrize("name", ["context", "luong", "feeding", "located"])
def test_a_beam_over_one_source_equals_a_beam_over_copies(name):
    parts = parts_of(name)
    opened, carry, prompt = parts.start(parts.params, SOURCES, SOURCE_LENGTHS)
    how = {"width": 3, "length": 4, "end": 0}
    beams = generate.beam_search(parts.step, opened, carry, prompt, **how)

    def copied(params, carry, symbols):
        """The source lies in the carry, where the search copies it for each hypothesis."""
        flat = lambda leaf: leaf.reshape(-1, *leaf.shape[symbols.ndim :])
        source, inner = jax.tree.map(flat, carry)
        inner, logits = parts.step(opened._replace(view=source), inner, symbols.ravel())
        back = lambda leaf: leaf.reshape(*symbols.shape, *leaf.shape[1:])
        return (carry[0], jax.tree.map(back, inner)), back(logits)

    copies = generate.beam_search(copied, None, (opened.view, carry), prompt, **how)
    np.testing.assert_array_equal(beams.symbols, copies.symbols)
    np.testing.assert_allclose(beams.log_probabilities, copies.log_probabilities, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in SHAPES if name not in PLAIN])
def test_weights_sum_to_one_over_the_source(name):
    model = made(name)
    weights = np.asarray(model.attention(*BATCH))
    assert weights.shape == (3, 4, 5)
    for b, (n, m) in enumerate(zip(SOURCE_LENGTHS.tolist(), TARGET_LENGTHS.tolist(), strict=True)):
        np.testing.assert_allclose(weights[b, :m].sum(axis=-1), 1, rtol=1e-5)
        assert np.all(weights[b, :m, :n] > 0)
        assert np.all(weights[b, m:] == 0) and np.all(weights[b, :, n:] == 0)


@pytest.mark.parametrize("name", PLAIN)
def test_no_weights_without_attention(name):
    with pytest.raises(ValueError) as error:
        made(name).attention(*BATCH)
    rule = "`decoder` must have attention, to say where it looks; got PlainDecoder"
    assert str(error.value) == rule


def test_a_reversed_source_is_the_source_reversed():
    encoder = made("plain").encoder
    carry = encoder(SOURCES, SOURCE_LENGTHS).carry
    graph, params = nnx.split(encoder)
    forwards = nnx.merge(graph, params)
    forwards.reader.reverse = False
    alone = forwards(SOURCES[1, :3][::-1]).carry
    jax.tree.map(lambda one, all: np.testing.assert_allclose(one, all[1], atol=1e-12), alone, carry)


def test_the_state_is_handed_over_as_it_is_where_it_fits():
    assert made("plain").decoder.handover.layer is None
    assert made("deep").decoder.handover.layer is None
    assert made("context").decoder.handover.layer is not None  # 5 numbers to 4
    assert made("luong").decoder.handover.layer is not None
    source = made("plain").encoder(SOURCES, SOURCE_LENGTHS)
    carry, _ = made("plain").decoder.open(source)
    jax.tree.map(np.testing.assert_array_equal, carry, source.carry)


@pytest.mark.parametrize("name", ["deep", "bahdanau"])
def test_a_key_draws_dropout_and_none_turns_it_off(name):
    model = made(name)
    one, again, other, none = (
        model.nll(*BATCH, key=key)
        for key in (jax.random.key(1), jax.random.key(1), jax.random.key(2), None)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other) and not np.allclose(one, none)


@pytest.mark.parametrize("name", ["plain", "feeding"])
def test_scheduled_sampling_of_the_truth_is_teacher_forcing(name):
    parts = parts_of(name)
    pairs = [
        Pair(source[:n], target[:m])
        for source, target, n, m in zip(*map(np.asarray, BATCH), strict=True)
    ]
    batch = pad(pairs)
    drawn = jax.jit(parts.loss)
    truth = lambda value: drawn(parts.params, (), batch, jax.random.key(3), value)
    forced, count, carry = parts.loss(parts.params, (), batch, None)
    assert count == 8 and carry == ()
    np.testing.assert_allclose(forced, np.sum(loss_of(name)(*BATCH)[0]), rtol=1e-12)
    np.testing.assert_allclose(truth(1.0)[0], forced, rtol=1e-12)
    assert not np.isclose(truth(0.0)[0], forced)
    assert truth(0.0)[0] == truth(0.0)[0]


@pytest.mark.parametrize("name", ["context", "luong", "located"])
def test_it_learns_a_pair_by_heart(name):
    parts = parts_of(name)
    batch = pad(
        [Pair(np.array([1, 2, 3, 0]), np.array([4, 4, 0])), Pair(np.array([3]), np.array([0]))]
    )
    optimizer = optax.adam(0.03)
    params = jax.tree.map(jnp.copy, parts.params)  # the update donates them
    state = train.init_state(params, optimizer, (), jax.random.key(0))
    segments = jax.tree.map(lambda leaf: np.stack([leaf] * 150), batch)
    state, metrics = train.tbptt_scan(parts.loss, optimizer)(state, segments)
    assert float(metrics.loss[0]) > 1 and float(metrics.loss[-1]) < 0.1
    start = parts.start(state.params, batch.values.source, batch.lengths.source)
    _, written = generate.greedy(parts.step, *start, length=4, end=0)
    assert written.T.tolist() == [[4, 4, 0, 0], [0, 0, 0, 0]]


RNGS = nnx.Rngs(0)
ENCODER = Encoder(gru(E, H), vocabulary_size=V, rngs=RNGS)
OPTIONS = {"vocabulary_size": V, "rngs": RNGS}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Encoder(gru(E, H), backward=gru(2, H), **OPTIONS),
            "`backward` must take what `cell` takes, (3,); got (2,)",
        ),
        (
            lambda: Encoder(gru(E, H), backward=gru(E, H), reverse=True, **OPTIONS),
            "`reverse` must be false with `backward`; got True",
        ),
        (
            lambda: PlainDecoder(gru(3, H), ENCODER, context_size=3, **OPTIONS),
            "`cell` must take 3 numbers and those of the embedding; got 3",
        ),
        (
            lambda: LuongDecoder(gru(H, H), ENCODER, input_feeding=True, **OPTIONS),
            "`cell` must take 4 numbers and those of the embedding; got 4",
        ),
        (
            lambda: BahdanauDecoder(gru(4, H), ENCODER, **OPTIONS),
            "`cell` must take 4 numbers and those of the embedding; got 4",
        ),
        (
            lambda: EncoderDecoder(
                ENCODER, PlainDecoder(gru(E, H), ENCODER, **OPTIONS), rngs=RNGS, end=V
            ),
            "`end` must lie in [0, V=6); got 6",
        ),
        (
            lambda: made("plain").nll(jnp.ones((3, 5)), TARGETS),
            "`symbols` must hold integers, [*B, T]; got float64[3, 5]",
        ),
        (
            lambda: made("plain").nll(SOURCES, TARGETS[:2]),
            "`targets` must be of the batch (3,); got (2, 4)",
        ),
        (
            lambda: made("plain").nll(SOURCES, TARGETS, jnp.ones(2, int)),
            "`lengths of symbols` must have the shape (3,); got (2,)",
        ),
    ],
)
def test_a_wrong_argument_is_named(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message
