"""The candidate of few kernels a step equals the scan: values and every gradient."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from cases import CELLS, DENSE, assert_close, problem
from jaxrnn import unroll

SINGLE = [name for name in DENSE if CELLS[name].dense is not None]


@pytest.fixture(scope="module")
def few_kernels(benchmarks):
    return benchmarks("few_kernels").few_kernels


def value_and_gradients(run, cell, params, carry, xs):
    def loss(params, carry, xs):
        outputs = run(cell, params, carry, xs)
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(outputs)), outputs

    return jax.jit(jax.value_and_grad(loss, (0, 1, 2), has_aux=True))(params, carry, xs)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", SINGLE)
def test_it_equals_the_scan(name, few_kernels):
    given = CELLS[name], *problem(CELLS[name], 6, 3)
    found = value_and_gradients(partial(few_kernels, steps=4), *given)  # a turn, and two steps
    assert_close(found, value_and_gradients(partial(unroll, backend="scan"), *given))


def test_any_batch_and_a_carry_wider_than_the_inputs(few_kernels):
    for batch in ((), (2, 3)):
        params, carry, xs = problem(CELLS["lstm"], 5, *batch)
        given = CELLS["lstm"], params, carry, xs.astype(jnp.bfloat16)
        found = value_and_gradients(few_kernels, *given)
        expected = value_and_gradients(partial(unroll, backend="scan"), *given)
        dtypes = lambda tree: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)
        assert dtypes(found) == dtypes(expected)
        (_, (last, ys)), _ = found
        assert last.c.dtype == jnp.float32 and ys.dtype == jnp.bfloat16
        as_float = lambda tree: jax.tree.map(lambda leaf: leaf.astype(jnp.float32), tree)
        assert_close(as_float(found), as_float(expected), rtol=0.05, atol=0.02)
