"""The networks with weights by hand, at any length, alone and in a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn import unroll
from jaxrnn.models import comparison_network, parity_network, summation_network

LENGTHS = [1, 2, 3, *np.random.default_rng(0).integers(4, 1000, 3).tolist(), 1000]
each_length = pytest.mark.parametrize("length", LENGTHS)


def outputs(network, xs):
    cell, params = network()
    return np.asarray(jax.jit(lambda xs: unroll(cell, params, cell.initial_carry((8,)), xs)[1])(xs))


@each_length
def test_the_sum_is_exact(length):
    xs = np.random.default_rng(length).integers(-9, 10, (length, 8, 1))
    np.testing.assert_array_equal(
        outputs(summation_network, xs.astype(np.float32)), np.cumsum(xs, axis=0)
    )


@each_length
def test_the_comparison_is_exact_and_a_tie_is_no(length):
    xs = np.random.default_rng(length).integers(0, 3, (length, 8, 2))
    sums = np.cumsum(xs, axis=0)
    ys = outputs(comparison_network, xs.astype(np.float32))
    np.testing.assert_array_equal(ys[..., 0], sums[..., 0] > sums[..., 1])
    assert length < 4 or 0 < ys.mean() < 1


@each_length
def test_the_parity_is_exact(length):
    bits = np.random.default_rng(length).integers(0, 2, (length, 8, 1))
    ys = outputs(parity_network, bits.astype(np.float32))
    np.testing.assert_array_equal(ys, np.cumsum(bits, axis=0) % 2)
    assert 0 < ys.mean() < 1


@pytest.mark.parametrize("network", [summation_network, comparison_network, parity_network])
def test_one_step_at_a_time(network):
    cell, params = network()
    xs = jnp.asarray(np.random.default_rng(1).integers(0, 2, (20, *cell.in_shape)), float)
    carry, steps = cell.initial_carry(), []
    for x in xs:
        carry, y = cell.step(params, carry, x)
        steps.append(y)
    after, ys = unroll(cell, params, cell.initial_carry(), xs)
    np.testing.assert_array_equal(jnp.stack(steps), ys)
    for left, right in zip(jax.tree.leaves(carry), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(left, right)


def test_parameters_fit_their_cells():
    for network in (summation_network, comparison_network, parity_network):
        cell, params = network()
        drawn = jax.eval_shape(cell.init, jax.random.key(0))
        assert jax.tree.map(jnp.shape, params) == jax.tree.map(lambda leaf: leaf.shape, drawn)
