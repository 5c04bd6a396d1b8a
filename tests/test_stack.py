"""How the layers of a stack are joined."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from cases import D, assert_close, problem
from jaxrnn import elman, gru, lstm, stack, unroll

T, B = 5, 2
pytestmark = pytest.mark.usefixtures("x64")


def layers(cells, given):
    """A function that runs one layer of the stack alone."""
    params, carry, _ = given
    return lambda n, xs: unroll(cells[n], params[n], carry[n], xs)[1]


def test_residual_connections_add_what_goes_in():
    cells = elman(D, 4), gru(4, 4), lstm(4, 4)
    deep = stack(*cells, connections="residual")
    given = problem(deep, T, B)
    run, xs = layers(cells, given), given[-1]
    first = run(0, xs)  # gives another number than it takes, so nothing is added
    second = run(1, first) + first
    assert_close(unroll(deep, *given)[1], run(2, second) + second)
    assert deep.out_shape == (4,)


def test_skip_connections_show_every_layer():
    cells = elman(D, 4), gru(4, 5), lstm(5, 2)
    deep = stack(*cells, connections="skip")
    given = problem(deep, T, B)
    run = layers(cells, given)
    first = run(0, given[-1])
    second = run(1, first)
    expected = jnp.concatenate([first, second, run(2, second)], axis=-1)
    assert_close(unroll(deep, *given)[1], expected)
    assert deep.out_shape == (11,)


def test_dense_connections_feed_every_layer_with_all_below():
    cells = elman(D, 4), gru(D + 4, 5), lstm(D + 4 + 5, 2)
    deep = stack(*cells, connections="dense")
    given = problem(deep, T, B)
    run, xs = layers(cells, given), given[-1]
    first = run(0, xs)
    second = run(1, jnp.concatenate([xs, first], axis=-1))
    third = run(2, jnp.concatenate([xs, first, second], axis=-1))
    assert_close(unroll(deep, *given)[1], jnp.concatenate([first, second, third], axis=-1))
    assert deep.out_shape == (11,)


@pytest.mark.parametrize("backend", ["auto", "scan"])
@pytest.mark.parametrize("connections", ["residual", "skip", "dense"])
def test_steps_agree_and_every_layer_learns(connections, backend):
    upper = gru(D + 4 if connections == "dense" else 4, 4)
    deep = stack(elman(D, 4), upper, connections=connections)
    params, carry, xs = problem(deep, T, B)
    state, ys, step = carry, [], jax.jit(deep.step)
    for x in xs:
        state, y = step(params, state, x)
        ys.append(y)

    @jax.jit
    @partial(jax.value_and_grad, has_aux=True)
    def loss(params):
        after, ys = unroll(deep, params, carry, xs, backend=backend)
        return jnp.sum(ys**2), (after, ys)

    (_, outputs), gradients = loss(params)
    assert_close(outputs, (state, jnp.stack(ys)))
    assert all(leaf.any() for leaf in jax.tree.leaves(gradients))


def test_a_stack_of_stacks():
    inner = stack(elman(D, 4), gru(4, 4), connections="skip")
    deep = stack(inner, lstm(8, 8), connections="residual")
    given = problem(deep, T, B)
    ys = unroll(inner, given[0][0], given[1][0], given[-1])[1]
    upper = unroll(lstm(8, 8), given[0][1], given[1][1], ys)[1]
    assert_close(unroll(deep, *given)[1], upper + ys)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: stack(elman(3, 4), connections="ring"), "`connections` must be one of 'plain', "),  # pyright: ignore
        (
            lambda: stack(elman(3, 4), connections="residual"),
            "`cells` must hold a layer that gives",
        ),
        (
            lambda: stack(elman(3, 4), gru(4, 4), connections="dense"),
            r"`cells` must fit together: a layer that gives \(7,\) must be under one that takes it;"
            r" got \(4,\)",
        ),
        (
            lambda: stack(elman(3, 4), gru(4, 4)._replace(out_shape=None), connections="skip"),
            "`cells` must say their shapes for 'skip' connections",
        ),
    ],
)
def test_wrong_wirings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
