"""Other libraries as outside references for the units with a step of their own, and for recipes."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cases import D, H, assert_close, numbers
from jaxrnn import (
    ConvLSTMParams,
    GRUResetBeforeParams,
    LSTMState,
    ProjectedLSTMParams,
    conv_lstm,
    gru_reset_before,
    projected_lstm,
    recipes,
    unroll,
)

pytestmark = pytest.mark.peer

T, B, P = 5, 3, 2


def close(actual, desired):
    assert_close(actual, jax.tree.map(np.asarray, desired), rtol=1e-5, atol=1e-6)


def swap(gates, order):
    """Gates along the last axis in another order."""
    blocks = jnp.split(jnp.asarray(gates), len(order), axis=-1)
    return jnp.concatenate([blocks[n] for n in order], axis=-1)


def test_torch_lstm_with_a_projection(x64):
    torch = pytest.importorskip("torch")
    network = torch.nn.LSTM(D, H, proj_size=P).double()
    w_ih, w_hh, b_ih, b_hh, w_hr = (p.detach().numpy() for p in network.parameters())
    params = ProjectedLSTMParams(w_ih.T, w_hh.T, b_ih + b_hh, w_hr.T)
    xs, h, c = numbers((jnp.zeros((T, B, D)), jnp.zeros((B, P)), jnp.zeros((B, H))))
    start = tuple(torch.tensor(np.asarray(leaf))[None] for leaf in (h, c))
    with torch.no_grad():
        ys, (last_h, last_c) = network(torch.tensor(np.asarray(xs)), start)
    after = last_h[0].numpy(), last_c[0].numpy()
    close(unroll(projected_lstm(D, H, P), params, LSTMState(h, c), xs), (after, ys.numpy()))


@pytest.fixture
def keras(monkeypatch):
    # Keras reads its backend once, when it is imported.
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "jax"))
    return pytest.importorskip("keras")


def build(layer, shape):
    """Random weights, none of them zero, also in the layer."""
    layer.build(shape)
    weights = numbers([variable.value for variable in layer.weights])
    for variable, weight in zip(layer.weights, weights, strict=True):
        variable.assign(weight)
    return weights


def test_keras_gru_with_the_reset_before(keras):
    layer = keras.layers.GRU(H, reset_after=False, return_sequences=True, return_state=True)
    weights = build(layer, (B, T, D))
    params = GRUResetBeforeParams(*(swap(w, (1, 0, 2)) for w in weights))  # z, r, n there
    xs, h = numbers((jnp.zeros((T, B, D)), jnp.zeros((B, H))), seed=1)
    ys, after = layer(xs.swapaxes(0, 1), initial_state=h)
    close(unroll(gru_reset_before(D, H), params, h, xs), (after, ys.swapaxes(0, 1)))


def test_haiku_gru():
    hk = pytest.importorskip("haiku")
    xs, h = numbers((jnp.zeros((T, B, D)), jnp.zeros((B, H))), seed=1)
    network = hk.without_apply_rng(hk.transform(lambda xs: hk.dynamic_unroll(hk.GRU(H), xs, h)))
    weights = numbers(network.init(jax.random.key(0), xs))
    ys, after = network.apply(weights, xs)
    (theirs,) = weights.values()
    # z, r, a there, and z gates the new state: σ(-a) = 1 - σ(a).
    flip = jnp.concatenate([jnp.ones(H), -jnp.ones(H), jnp.ones(H)])
    order = [swap(theirs[name], (1, 0, 2)) * flip for name in ("w_i", "w_h", "b")]
    close(unroll(gru_reset_before(D, H), GRUResetBeforeParams(*order), h, xs), (after, ys))


def test_keras_conv_lstm(keras):
    layer = keras.layers.ConvLSTM2D(
        H, 3, padding="same", return_sequences=True, recurrent_activation="sigmoid"
    )
    weights = build(layer, (B, T, 5, 6, D))  # gates i, f, g, o there too
    cell = conv_lstm((5, 6), D, H, 3)
    xs = numbers(jnp.zeros((T, B, 5, 6, D)), seed=1)
    ys = layer(xs.swapaxes(0, 1))
    ours = unroll(cell, ConvLSTMParams(*weights), cell.initial_carry((B,)), xs)[1]
    close(ours, ys.swapaxes(0, 1))


def moments(sample):
    sample = np.asarray(sample)
    return np.array([sample.min(), sample.max(), sample.std(), np.abs(sample).mean()])


def test_torch_starts_as_the_recipe_says(key):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    size, draws = 64, 200
    theirs = [torch.nn.GRU(8, size) for _ in range(draws)]
    add = lambda network: (network.bias_ih_l0 + network.bias_hh_l0).detach().numpy()
    ours = [
        recipes.pytorch_gru(size).bias_init(k, (3 * size,)) for k in jax.random.split(key(), draws)
    ]
    gates = np.stack([add(network)[: 2 * size] for network in theirs])
    np.testing.assert_allclose(moments(np.stack(ours)[:, : 2 * size]), moments(gates), rtol=0.03)
    inner = np.stack([network.bias_hh_l0.detach().numpy()[2 * size :] for network in theirs])
    kernel = np.stack([network.weight_hh_l0.detach().numpy() for network in theirs[:20]])
    for sample in (inner, kernel):
        mine = recipes.pytorch_gru(size).recurrent_init(key(), sample.shape)
        np.testing.assert_allclose(moments(mine), moments(sample), rtol=0.03)


def test_keras_starts_as_the_recipe_says(keras, key):
    layer = keras.layers.LSTM(60)
    layer.build((1, 1, 80))
    kernel, recurrent, bias = (np.asarray(variable.value) for variable in layer.weights)
    mine = recipes.keras()
    ours = mine.kernel_init(key(), kernel.shape, jnp.float32)
    np.testing.assert_allclose(moments(ours), moments(kernel), rtol=0.03)
    for each in (recurrent, mine.recurrent_init(key(), recurrent.shape, jnp.float32)):
        np.testing.assert_allclose(each @ each.T, np.eye(60), atol=1e-5)
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 60))
