"""The tagger: softmax and CRF on one network, padding, ragged batches, streams, videos."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxrnn import gru, input_dropout, lstm, train
from jaxrnn.data.synthetic import moving_shapes
from jaxrnn.models import Tagger
from jaxrnn.nn import CRF, bio_allowed

LENGTHS = np.array([5, 2, 0, 3])
REAL = np.arange(5) < LENGTHS[:, None]
TAGS = np.where(REAL, np.random.default_rng(1).integers(0, 3, (4, 5)), -9)


def symbols():
    return jnp.asarray(np.where(REAL, np.random.default_rng(0).integers(0, 9, (4, 5)), 10**6))


def vectors():
    xs = np.random.default_rng(0).normal(size=(4, 5, 3))
    return jnp.asarray(np.where(REAL[..., None], xs, np.nan), jnp.float32)


def neighbours(tags, *, rngs):
    """A CRF that has learned something."""
    crf = CRF(tags, rngs=rngs)
    crf.between[...] = jax.random.normal(jax.random.key(5), (tags, tags))
    return crf


MODELS = {
    "softmax": (None, {"backward": gru(3, 5), "vocabulary_size": 9}, symbols),
    "crf": (neighbours, {"backward": gru(3, 5), "vocabulary_size": 9}, symbols),
    "softmax-stream": (None, {}, vectors),
    "crf-vectors": (neighbours, {"backward": gru(3, 5)}, vectors),
}


@pytest.fixture(params=MODELS)
def model_and_xs(request):
    crf, options, xs = MODELS[request.param]
    return Tagger(gru(3, 4), tags=3, crf=crf, rngs=nnx.Rngs(0), **options), xs()


def test_a_ragged_batch_is_the_sequences_one_by_one(model_and_xs):
    model, xs = model_and_xs
    nats = model.nll(xs, jnp.asarray(TAGS), jnp.asarray(LENGTHS))
    tags = model.tags(xs, jnp.asarray(LENGTHS))
    assert nats.shape == (4,) and tags.dtype == jnp.int32 and (tags[~REAL] == 0).all()
    for b, n in enumerate(LENGTHS):
        alone = model.nll(xs[b, :n], jnp.asarray(TAGS[b, :n]))
        assert float(nats[b]) == pytest.approx(float(alone), rel=1e-4, abs=1e-6)
        assert model.tags(xs[b, :n]).tolist() == tags[b, :n].tolist()
    assert float(nats[2]) == 0


def test_padding_reaches_no_gradient_and_every_parameter_has_one(model_and_xs):
    model, xs = model_and_xs
    graph, params, rest = nnx.split(model, nnx.Param, ...)

    def loss(params):
        read = nnx.merge(graph, params, rest)
        return jnp.sum(read.nll(xs, jnp.asarray(TAGS), jnp.asarray(LENGTHS)))

    gradient = jax.grad(loss)(params)
    assert all(np.isfinite(leaf).all() and np.any(leaf != 0) for leaf in jax.tree.leaves(gradient))


def test_a_softmax_decides_for_each_step_by_itself():
    model = Tagger(gru(3, 4), tags=3, rngs=nnx.Rngs(0))
    xs = jnp.nan_to_num(vectors())
    _, scores = model.scores(xs)
    np.testing.assert_array_equal(model.tags(xs), scores.argmax(-1))
    tags = np.where(REAL, TAGS, 0)
    each = jax.nn.log_softmax(scores)[np.arange(4)[:, None], np.arange(5), tags]
    np.testing.assert_allclose(model.nll(xs, jnp.asarray(tags)), -each.sum(-1), rtol=1e-5)


def test_the_same_seed_gives_both_the_same_network():
    make = partial(Tagger, gru(3, 4), tags=3)
    softmax, crf = make(rngs=nnx.Rngs(0)), make(crf=CRF, rngs=nnx.Rngs(0))
    xs, tags = jnp.nan_to_num(vectors()), jnp.asarray(np.where(REAL, TAGS, 0))
    np.testing.assert_allclose(softmax.nll(xs, tags), crf.nll(xs, tags), rtol=1e-5)


def test_a_stream_is_tagged_as_it_comes():
    model = Tagger(lstm(3, 4), tags=3, rngs=nnx.Rngs(0))
    xs = jnp.nan_to_num(vectors())
    _, whole = model.scores(xs)
    carry, pieces = None, []
    for t in range(5):
        carry, scores = model.scores(xs[:, t : t + 1], initial_carry=carry)
        pieces.append(scores)
    np.testing.assert_allclose(jnp.concatenate(pieces, axis=1), whole, rtol=1e-5, atol=1e-6)


def test_tags_that_may_not_be_neighbours_never_are():
    labels = ("O", "B-X", "I-X")
    allowed = partial(CRF, allowed=bio_allowed(labels))
    model = Tagger(gru(3, 4), tags=3, crf=allowed, rngs=nnx.Rngs(0))
    model.readout.bias[...] = jnp.array([0.0, 0.0, 2.0])  # wants I-X everywhere
    tags = np.asarray(model.tags(jnp.nan_to_num(vectors())))
    assert (tags[:, 0] == 1).all() and (tags[:, 1:] == 2).all()


def test_dropout_is_drawn_by_the_key():
    model = Tagger(input_dropout(gru(3, 4), 0.5), tags=3, crf=CRF, rngs=nnx.Rngs(0))
    xs, tags = jnp.ones((2, 5, 3)), jnp.zeros((2, 5), int)
    nats = [
        model.nll(xs, tags, key=key) for key in (None, None, *jax.random.split(jax.random.key(0)))
    ]
    np.testing.assert_array_equal(nats[0], nats[1])
    assert len({float(each[0]) for each in nats}) == 3


def test_frames_of_a_video_are_labelled_as_they_come():
    draw = partial(moving_shapes, length=6, size=5, turn=0.3)
    keys = jax.random.split(jax.random.key(0), 150)
    clips = jax.vmap(partial(draw, batch_size=32))(keys)
    flat = lambda clips: clips.frames.reshape(*clips.frames.shape[:-2], 25)
    model = Tagger(gru(25, 48), tags=4, rngs=nnx.Rngs(0))

    def loss(model, batch, key):
        frames, directions = batch
        _, scores = model.scores(frames, key=key)
        nats = optax.softmax_cross_entropy_with_integer_labels(scores, directions)[:, 1:]
        return jnp.sum(nats), jnp.asarray(nats.size)

    params, loss_fn, rebuild = train.functional(model, loss)
    optimizer = optax.adam(1e-2)
    state = train.init_state(params, optimizer, (), jax.random.key(0))
    update = train.tbptt_scan(loss_fn, optimizer)
    state = train.fit(update, state, (flat(clips), clips.directions), steps=150)
    test = draw(jax.random.key(1), batch_size=200)
    right = np.asarray(rebuild(state.params).tags(flat(test)) == test.directions)
    assert right[:, 1:].mean() > 0.8  # chance is 0.25; a frame alone says nothing


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: Tagger(gru(3, 4), tags=0, rngs=nnx.Rngs(0)), "`tags` must be a positive"),
        (
            lambda model: model.nll(vectors(), jnp.zeros((4, 4), int)),
            "`targets` must have the shape",
        ),
        (lambda model: model.tags(symbols()), "`xs` must have a floating-point dtype"),
        (lambda model: model.tags(vectors(), jnp.zeros(3, int)), "`seq_lengths` must have"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(Tagger(gru(3, 4), tags=3, rngs=nnx.Rngs(0)))
