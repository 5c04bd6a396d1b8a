import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn.cells.initializers import identity, orthogonal_per_gate, uniform_fan_in


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
