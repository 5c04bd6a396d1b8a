"""Step functions and cells of a user's own, and whatever else `unroll` takes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cases import CELLS, D, assert_close, each_direction, numbers, problem
from jaxrnn import Cell, length_mask, lstm, stack, unroll

T, B = 6, 3
LENGTHS: Any = np.array([6, 0, 4], np.int32)
RESETS = np.zeros((T, B), bool)
RESETS[[0, 2, 3, 5, 3], [0, 0, 1, 2, 2]] = True
pytestmark = pytest.mark.usefixtures("x64")


def test_a_cell_may_close_over_what_is_traced():
    # The same function object under another trace must not bring back what the last one left.
    params, carry, xs = problem(CELLS["own"], T, B)

    def last(params):
        def step(_, carry, x):
            return CELLS["own"].step(params, carry, x)

        closed = CELLS["own"]._replace(step=step)
        first, _ = unroll(closed, (), carry, xs)
        return unroll(closed, (), first, xs, reverse=True)[1][0].sum()

    def expected(params):
        first, _ = unroll(CELLS["own"], params, carry, xs)
        return unroll(CELLS["own"], params, first, xs, reverse=True)[1][0].sum()

    gradient = jax.grad(expected)(params)
    assert_close(last(params), expected(params))
    assert_close(jax.grad(last)(params), gradient)
    assert_close(jax.jit(jax.grad(last))(params), gradient)


def cell_of(step):
    return Cell(lambda key: (), lambda batch=(), dtype=None: jnp.zeros(batch, dtype), step)


def test_a_step_of_the_users_own_may_read_what_changes():
    # As with a bare function: outside `jit`, what it closes over is read at every call.
    scale = 1.0
    cell = cell_of(lambda params, carry, x: (carry + scale * x, x))
    assert unroll(cell, (), jnp.zeros(()), jnp.ones(3))[0] == 3.0
    scale = 2.0
    assert unroll(cell, (), jnp.zeros(()), jnp.ones(3))[0] == 6.0


def test_a_step_of_the_users_own_need_not_be_hashable():
    class Step:
        def __eq__(self, other):  # which takes the hash away
            return self is other

        def __call__(self, params, carry, x):
            return carry + x, x

    cell = cell_of(Step())
    assert unroll(cell, (), jnp.zeros(()), jnp.ones(3))[0] == 3.0
    assert unroll(stack(cell), ((),), (jnp.zeros(()),), jnp.ones(3))[0] == (3.0,)


# A step function of the user's own: a pytree in, with symbols, and a pytree out.
def embed_and_add(params, carry, x) -> Any:
    total = carry["total"] + params[x["symbol"]] * x["weight"][..., None]
    return {"total": total}, {"total": total, "symbol": x["symbol"] + 1}


@each_direction
def test_a_bare_step_function_over_any_pytree(reverse):
    table = numbers(jnp.zeros((5, 2)))
    symbols = jnp.asarray(np.random.default_rng(0).integers(0, 5, (T, B)))
    weight = jnp.where(length_mask(LENGTHS, T), numbers(jnp.zeros((T, B)), seed=1), jnp.nan)
    carry, start = {"total": jnp.ones((B, 2))}, {"total": jnp.full(2, 10.0)}
    xs = {"symbol": symbols, "weight": weight}
    masks = {"seq_lengths": LENGTHS, "resets": RESETS, "reset_carry": start}
    after, ys = unroll(embed_and_add, table, carry, xs, reverse=reverse, **masks)
    for b in range(B):
        total, end = np.ones(2), int(LENGTHS[b])
        order = reversed(range(end)) if reverse else range(end)
        for t in order:
            if t + 1 < end and RESETS[t + 1, b] if reverse else RESETS[t, b]:
                total = np.full(2, 10.0)
            total = total + np.asarray(table[symbols[t, b]] * weight[t, b])
            assert_close(ys["total"][t, b], total)
            assert ys["symbol"][t, b] == symbols[t, b] + 1
        assert_close(after["total"][b], total)
        assert not ys["total"][end:, b].any() and not ys["symbol"][end:, b].any()


def test_numpy_arguments_and_lists_do():
    cell = lstm(D, 4)
    params, carry, xs = problem(cell, T, B)
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    as_numpy = jax.tree.map(np.asarray, (params, carry, xs))
    lists = {name: mask.tolist() for name, mask in masks.items()}
    assert_close(unroll(cell, *as_numpy, **lists), unroll(cell, params, carry, xs, **masks))


def test_length_mask():
    assert length_mask(jnp.array([[0, 2], [1, 3]]), 3).shape == (3, 2, 2)
    assert length_mask(jnp.array(2), 3).tolist() == [True, True, False]
    assert length_mask(jnp.array([0]), 0).shape == (0, 1)


def test_a_layer_that_says_no_sizes_still_fits_into_a_stack():
    cell = CELLS["stack-with-own"]
    assert (cell.in_shape, cell.out_shape) == (None, (4,))
    assert all(isinstance(layer, Cell) for layer in cell.layers)
