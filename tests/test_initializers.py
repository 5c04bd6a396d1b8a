import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn import elman, gru, lstm, recipes
from jaxrnn.cells.initializers import (
    chrono_gru,
    chrono_lstm,
    identity,
    orthogonal_per_gate,
    spectral_radius,
    uniform_fan_in,
)


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize(("shape", "gates"), [((4, 4), 1), ((4, 16), 4), ((3, 9), 3)])
def test_every_square_gate_is_orthogonal(scale, shape, gates, key):
    kernel = orthogonal_per_gate(scale)(key(), shape, jnp.float32)
    assert kernel.shape == shape
    blocks = np.split(np.asarray(kernel), gates, axis=1)
    for block in blocks:
        np.testing.assert_allclose(block @ block.T, scale**2 * np.eye(shape[0]), atol=1e-5)
    pairs = [(a, b) for n, a in enumerate(blocks) for b in blocks[:n]]
    assert not any(np.allclose(a, b) for a, b in pairs)


def test_gates_can_be_counted_by_the_caller(key):
    # Two gates of [4, 2], which are not square: orthonormal columns.
    kernel = np.asarray(orthogonal_per_gate(gates=2)(key(), (4, 4), jnp.float32))
    np.testing.assert_allclose(kernel[:, :2].T @ kernel[:, :2], np.eye(2), atol=1e-5)
    np.testing.assert_allclose(kernel[:, 2:].T @ kernel[:, 2:], np.eye(2), atol=1e-5)
    assert abs(kernel[:, :2].T @ kernel[:, 2:]).max() > 1e-3


def test_a_kernel_narrower_than_a_gate_is_one_gate(key):
    kernel = np.asarray(orthogonal_per_gate()(key(), (6, 2), jnp.float32))
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(2), atol=1e-5)


def test_an_orthogonal_kernel_keeps_the_norm_of_what_it_carries(key):
    kernel = orthogonal_per_gate()(key(), (8, 32), jnp.float32)[:, 8:16]
    h = jax.random.normal(key(), (8,))
    carried = h
    for _ in range(100):
        carried = carried @ kernel
    np.testing.assert_allclose(jnp.linalg.norm(carried), jnp.linalg.norm(h), rtol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_uniform_fan_in_fills_its_interval(scale, key):
    kernel = np.asarray(uniform_fan_in(scale)(key(), (16, 400), jnp.float32))
    bound = scale / 4
    assert 0.99 * bound < kernel.max() <= bound and -bound <= kernel.min() < -0.99 * bound
    # Of a uniform distribution on (-a, a) the variance is a² / 3.
    np.testing.assert_allclose(kernel.var(), bound**2 / 3, rtol=0.05)
    assert uniform_fan_in()(key(), (16,), jnp.float32).shape == (16,)


def test_identity(key):
    np.testing.assert_array_equal(identity()(key(), (3, 3)), np.eye(3))
    np.testing.assert_array_equal(identity(0.5)(key(), (2, 2)), np.eye(2) / 2)


@pytest.mark.parametrize("make", [orthogonal_per_gate, uniform_fan_in, identity])
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_dtype_is_the_one_asked_for(make, dtype, key):
    assert make()(key(), (3, 3), dtype).dtype == dtype


@pytest.mark.parametrize("make", [orthogonal_per_gate, uniform_fan_in])
def test_the_default_dtype_is_that_of_jax(make, key, x64):
    assert make()(key(), (3, 3)).dtype == jnp.float64


def test_a_convolution_kernel_is_orthogonal_as_a_matrix(key):
    kernel = np.asarray(orthogonal_per_gate()(key(), (3, 2, 4, 12), jnp.float32))
    for gate in np.split(kernel.reshape(24, 12), 3, axis=1):
        np.testing.assert_allclose(gate.T @ gate, np.eye(4), atol=1e-5)


def radius_of(block):
    return np.abs(np.linalg.eigvals(np.asarray(block, np.float64))).max()


@pytest.mark.parametrize("radius", [0.0, 0.9, 1.5])
@pytest.mark.parametrize(("shape", "blocks"), [((6, 6), 1), ((5, 20), 4)])
def test_spectral_radius_of_every_block(radius, shape, blocks, key):
    kernel = spectral_radius(radius)(key(), shape, jnp.float32)
    assert kernel.shape == shape
    for block in np.split(np.asarray(kernel), blocks, axis=1):
        np.testing.assert_allclose(radius_of(block), radius, rtol=1e-4)


def test_spectral_radius_scales_what_it_is_given(key):
    # [[0, 2], [8, 0]] has the eigenvalues -4 and 4; its norm is 8.
    given = lambda key, shape, dtype: jnp.array([[0.0, 2.0], [8.0, 0.0]], dtype)
    kernel = jax.jit(lambda key: spectral_radius(0.5, given)(key, (2, 2), jnp.float32))(key())
    np.testing.assert_allclose(kernel, [[0, 0.25], [1, 0]], atol=1e-6)
    zeros = spectral_radius(0.5, jax.nn.initializers.zeros)(key(), (2, 4), jnp.float32)
    assert zeros.shape == (2, 4) and not zeros.any()
    assert spectral_radius(1.0)(key(), (3, 3), jnp.bfloat16).dtype == jnp.bfloat16


def uniform_on(sample, low, high):
    """Whether a large sample fills an interval evenly: bounds, mean and variance."""
    width = high - low
    assert sample.min() >= low and sample.max() <= high
    np.testing.assert_allclose([sample.min(), sample.max()], [low, high], atol=0.01 * width)
    np.testing.assert_allclose(sample.mean(), (low + high) / 2, atol=0.02 * width)
    np.testing.assert_allclose(sample.var(), width**2 / 12, rtol=0.05)


def test_chrono_of_an_lstm(key):
    size = 4000
    cell = lstm(1, size, forget_bias=0.0, bias_init=chrono_lstm(50), recurrent_init=no_kernel)
    b_i, b_f, b_g, b_o = np.split(np.asarray(cell.init(key()).b), 4)
    uniform_on(np.exp(b_f), 1, 49)
    np.testing.assert_array_equal(b_i, -b_f)
    assert not b_g.any() and not b_o.any()


def test_chrono_of_a_gru(key):
    size = 4000
    cell = gru(1, size, bias_init=chrono_gru(50, size), recurrent_init=no_kernel)
    params = cell.init(key())
    b_r, b_z, b_n = np.split(np.asarray(params.b), 3)
    uniform_on(np.exp(b_z), 1, 49)
    assert not b_r.any() and not b_n.any() and not params.b_hn.any()


def no_kernel(key, shape, dtype):
    """A kernel that costs nothing, for tests of biases of many units."""
    return jnp.zeros((1, 1), dtype)


def test_a_unit_with_a_chrono_bias_lasts_as_long_as_it_says():
    # Without input and from zero kernels, one step keeps u / (1 + u) of a memory.
    biases = chrono_gru(100, 8)(jax.random.key(0), (24,), jnp.float32)
    zeros = jax.tree.map(jnp.zeros_like, gru(1, 8).init(jax.random.key(0)))
    after, _ = gru(1, 8).step(zeros._replace(b=biases), jnp.ones(8), jnp.zeros(1))
    u = np.exp(biases[8:16])
    np.testing.assert_allclose(after, u / (1 + u), rtol=1e-5)


def test_pytorch_starts_from_one_interval_and_adds_two_biases(key):
    size = 100
    params = lstm(40, size, forget_bias=0.0, **recipes.pytorch(size)._asdict()).init(key())
    for kernel in (params.w_x, params.w_h):
        uniform_on(np.asarray(kernel), -0.1, 0.1)
    many = np.asarray(recipes.pytorch(size).bias_init(key(), (100_000,), jnp.float32))
    two_uniforms(many, 0.1)
    assert params.b.shape == (400,) and np.abs(params.b).max() > 0.1


def two_uniforms(sample, bound):
    """Whether a sample is of sums of two draws on (-bound, bound): triangular, |x| has a mean."""
    assert 1.9 * bound < np.abs(sample).max() <= 2 * bound
    np.testing.assert_allclose(sample.mean(), 0, atol=0.02 * bound)
    np.testing.assert_allclose(sample.var(), 2 * bound**2 / 3, rtol=0.05)
    np.testing.assert_allclose(np.abs(sample).mean(), 2 * bound / 3, rtol=0.05)


def test_pytorch_gru_adds_two_biases_where_pytorch_does(key):
    size = 40_000
    biases = recipes.pytorch_gru(size).bias_init
    b_r, b_z, b_n = np.split(np.asarray(biases(key(), (3 * size,), jnp.float32)), 3)
    two_uniforms(b_r, 0.005)
    two_uniforms(b_z, 0.005)
    uniform_on(b_n, -0.005, 0.005)
    uniform_on(np.asarray(biases(key(), (size,), jnp.float32)), -0.005, 0.005)
    params = gru(3, 16, **recipes.pytorch_gru(16)._asdict()).init(key())
    assert params.b.any() and params.b_hn.any()
    assert np.abs(params.w_h).max() <= 0.25 and np.abs(params.b_hn).max() <= 0.25


@pytest.mark.parametrize("make", [elman, lstm, gru])
def test_keras(make, key):
    params = make(80, 40, **recipes.keras()._asdict()).init(key())
    fan_in, fan_out = params.w_x.shape
    bound = (6 / (fan_in + fan_out)) ** 0.5
    uniform_on(np.asarray(params.w_x), -bound, bound)
    np.testing.assert_allclose(params.w_h @ params.w_h.T, np.eye(40), atol=1e-5)
    one_on_forget = np.repeat([0, 1, 0, 0], 40) if make is lstm else 0
    np.testing.assert_array_equal(params.b, one_on_forget + np.zeros_like(params.b))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: chrono_lstm(2), "`max_time` must be more than 2 steps; got 2"),
        (lambda: chrono_gru(1, 4), "`max_time` must be more than 2 steps; got 1"),
        (lambda: chrono_gru(9, 0), "`hidden_size` must be a positive integer; got 0"),
        (lambda: chrono_lstm(9)(jax.random.key(0), (6,)), "`shape` must be that of the bias"),
        (lambda: chrono_gru(9, 4)(jax.random.key(0), (16,)), "`shape` must be that of a bias"),
        (lambda: spectral_radius(-1), "`radius` must not be negative; got -1"),
        (lambda: spectral_radius(1)(jax.random.key(0), (2, 3)), "`shape` must be made of square"),
        (lambda: recipes.pytorch(0), "`hidden_size` must be a positive integer; got 0"),
        (
            lambda: recipes.pytorch_gru(4).bias_init(jax.random.key(0), (16,)),
            "`shape` must be that of a bias of a GRU, (12,) or (4,); got (16,)",
        ),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)


NEW = [
    chrono_lstm(9),
    chrono_gru(9, 4),
    recipes.pytorch(4).bias_init,
    recipes.pytorch_gru(4).bias_init,
]


@pytest.mark.parametrize("initializer", NEW, ids=["chrono", "chrono-gru", "pytorch", "pytorch-gru"])
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_dtype_of_biases_is_the_one_asked_for(initializer, dtype, key):
    shape = (12,)
    biases = initializer(key(), shape, dtype)
    assert (biases.shape, biases.dtype) == (shape, dtype)
