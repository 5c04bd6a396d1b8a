"""The classifier and the reader: padding, ragged batches, gradients, a task that is learned."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxrnn import elman, gru, input_dropout, lstm, train
from jaxrnn.data import Batches
from jaxrnn.models import Classifier, Reader
from jaxrnn.nn import AttentionPooling, max_pooling, mean_pooling

LENGTHS = np.array([5, 2, 0, 3])


def of_vectors(**options):
    rngs = nnx.Rngs(0)
    if options.pop("attention", False):
        options["pooling"] = AttentionPooling(7, rngs=rngs)
    return Classifier(gru(3, 4), backward=gru(3, 3), classes=6, rngs=rngs, **options)


def of_symbols(**options):
    return Classifier(lstm(3, 4), classes=6, vocabulary_size=9, rngs=nnx.Rngs(0), **options)


def vectors():
    """Sequences with NaN in the padding."""
    xs = np.random.default_rng(0).normal(size=(4, 5, 3))
    return jnp.asarray(np.where(real()[..., None], xs, np.nan), jnp.float32)


def symbols():
    """Sequences with what is no symbol in the padding."""
    xs = np.random.default_rng(0).integers(0, 9, (4, 5))
    return jnp.asarray(np.where(real(), xs, -77))


def real():
    return np.arange(5) < LENGTHS[:, None]


MODELS = {
    "ends": (of_vectors, {}, vectors),
    "attention": (of_vectors, {"attention": True}, vectors),
    "max": (of_vectors, {"pooling": max_pooling}, vectors),
    "symbols": (of_symbols, {}, symbols),
    "symbols-mean": (of_symbols, {"pooling": mean_pooling}, symbols),
}


@pytest.fixture(params=MODELS)
def model_and_xs(request):
    make, options, xs = MODELS[request.param]
    return make(**options), xs()


def test_a_ragged_batch_is_the_sequences_one_by_one(model_and_xs):
    model, xs = model_and_xs
    together = model(xs, jnp.asarray(LENGTHS))
    assert together.shape == (4, 6) and np.isfinite(together).all()
    for b, n in enumerate(LENGTHS):
        if n:
            np.testing.assert_allclose(model(xs[b, :n]), together[b], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(together[2], model.readout.bias[...], atol=1e-7)


def test_padding_reaches_no_gradient_and_every_parameter_has_one(model_and_xs):
    model, xs = model_and_xs
    labels = jnp.array([1, 0, 5, 3])
    graph, params, rest = nnx.split(model, nnx.Param, ...)

    def loss(params):
        return jnp.sum(nnx.merge(graph, params, rest).nll(xs, labels, jnp.asarray(LENGTHS)))

    gradient = jax.grad(loss)(params)
    assert all(np.isfinite(leaf).all() and np.any(leaf != 0) for leaf in jax.tree.leaves(gradient))


def test_the_loss_is_that_of_the_logits(model_and_xs):
    model, xs = model_and_xs
    logits = model(xs, jnp.asarray(LENGTHS))
    labels = np.array([1, 0, 5, 3])
    expected = -jax.nn.log_softmax(logits)[np.arange(4), labels]
    found = model.nll(xs, jnp.asarray(labels), jnp.asarray(LENGTHS))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert model.classes(xs, jnp.asarray(LENGTHS)).tolist() == logits.argmax(-1).tolist()


def test_the_last_states_are_the_default():
    model, xs = of_vectors(), vectors()
    (forward, backward), _ = model.reader(xs, jnp.asarray(LENGTHS))
    expected = jnp.concatenate([forward, backward], axis=-1)
    np.testing.assert_allclose(model.vector(xs, jnp.asarray(LENGTHS)), expected, rtol=1e-6)


def test_dropout_is_the_cells_and_drawn_by_the_key():
    model = Classifier(input_dropout(elman(3, 4), 0.5), classes=2, rngs=nnx.Rngs(0))
    xs, key = jnp.ones((2, 5, 3)), jax.random.key(1)
    np.testing.assert_array_equal(model(xs, key=key), model(xs, key=key))
    assert not np.allclose(model(xs, key=key), model(xs, key=jax.random.key(2)))
    np.testing.assert_array_equal(model(xs), model(xs))
    assert not np.allclose(model(xs, key=key), model(xs))


def test_it_learns_which_symbol_came_first():
    rng = np.random.default_rng(1)
    texts = [rng.integers(0, 4, rng.integers(2, 9)) for _ in range(64)]
    source = Batches([(text, text[0]) for text in texts], batch_size=32, seed=0)
    model = Classifier(gru(4, 12), classes=4, vocabulary_size=4, rngs=nnx.Rngs(0))

    def loss(model, batch, key):
        (text, label), (lengths, _) = batch
        nats = model.nll(text, label, lengths, key=key)
        return jnp.sum(nats), jnp.asarray(len(label))

    params, loss_fn, rebuild = train.functional(model, loss)
    optimizer = optax.adam(2e-2)
    state = train.init_state(params, optimizer, (), jax.random.key(0))
    state = train.fit(train.tbptt_scan(loss_fn, optimizer), state, source, steps=150)
    batch = Batches([(text, text[0]) for text in texts], batch_size=64, seed=0).take(np.array([0]))
    found = rebuild(state.params).classes(batch.values[0][0], batch.lengths[0][0])
    assert np.mean(found == batch.values[1][0]) > 0.95


def test_a_stream_can_be_read_in_pieces():
    reader = Reader(lstm(3, 4), rngs=nnx.Rngs(0))
    xs = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 3)), jnp.float32)
    whole, ys = reader(xs)
    carry, first = reader(xs[:, :2])
    carry, second = reader(xs[:, 2:], initial_carry=carry)
    np.testing.assert_allclose(jnp.concatenate([first, second], axis=1), ys, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(carry.c, whole.c, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Classifier(gru(3, 4), classes=0, rngs=nnx.Rngs(0)),
            "`classes` must be a positive",
        ),
        (
            lambda: Classifier(gru(3, 4), backward=gru(2, 4), classes=2, rngs=nnx.Rngs(0)),
            r"`backward` must take what `cell` takes, \(3,\); got \(2,\)",
        ),
        (
            lambda: Reader(gru(3, 4), vocabulary_size=0, rngs=nnx.Rngs(0)),
            "`vocabulary_size` must be",
        ),
        (lambda: of_symbols()(jnp.zeros((2, 5, 3))), "`xs` must hold symbols, integers"),
        (lambda: of_vectors()(jnp.zeros((2, 5), int)), "`xs` must have a floating-point dtype"),
        (lambda: of_vectors()(vectors(), jnp.zeros((3,), int)), "`seq_lengths` must"),
        (
            lambda: of_vectors(pooling=lambda ys, lengths: ys)(vectors()),
            r"`pooling` must give the shape \(4, 7\); got \(4, 5, 7\)",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
