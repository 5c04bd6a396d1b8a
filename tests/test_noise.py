"""Dropout, zoneout, weight drop: the mathematics, and the same numbers in every way to run them."""

from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cases import D, H, assert_close, each_direction, fast_weights, numbers, problem
from jaxrnn import (
    Chunked,
    LSTMState,
    clockwork,
    delayed,
    draw_masks,
    elman,
    gru,
    input_dropout,
    lstm,
    masks_at,
    output_dropout,
    recurrent_dropout,
    stack,
    unroll,
    weight_drop,
    zoneout,
)
from jaxrnn.nn import RNN, Bidirectional

T, B = 6, 3
LENGTHS, RESETS = np.array([6, 0, 4], np.int32), np.zeros((T, B), bool)
RESETS[[0, 2, 3, 5, 3], [0, 0, 1, 2, 2]] = True
RATES: Any = LSTMState(h=0.3, c=0.6)  # pyright: ignore

CELLS = {
    "input": input_dropout(lstm(D, H), 0.5),
    "input, one mask": input_dropout(elman(D, H), 0.5, same_over_time=True),
    "output": output_dropout(gru(D, H), 0.5),
    "output, one mask": output_dropout(gru(D, H), 0.5, same_over_time=True),
    "recurrent": recurrent_dropout(lstm(D, H), 0.5),
    "recurrent, of a GRU": recurrent_dropout(gru(D, H), 0.5),
    "weights": weight_drop(lstm(D, H), 0.5),
    "weights, of a GRU": weight_drop(gru(D, H), 0.5),
    "zoneout": zoneout(lstm(D, H), RATES),
    "zoneout, of a GRU": zoneout(gru(D, H), 0.5),
    "all": output_dropout(
        zoneout(recurrent_dropout(weight_drop(input_dropout(elman(D, H), 0.3), 0.3), 0.3), 0.3), 0.3
    ),
    "stack": stack(lstm(D, H), recurrent_dropout(gru(H, H), 0.5), dropout=0.5),
    "around a stack": input_dropout(
        stack(fast_weights(D, 2), weight_drop(elman(2, H), 0.5))._replace(in_shape=(D,)), 0.5
    ),
}
each = pytest.mark.parametrize("name", CELLS)
pytestmark = pytest.mark.usefixtures("x64")


def key(seed=0):
    return jax.random.key(seed)


def value_and_gradients(cell, reverse, masked, backend, given):
    return compiled(cell, reverse, masked, backend)(*given)


@lru_cache(maxsize=4)  # what the scan gives is compiled once for all that is held against it
def compiled(cell, reverse, masked, backend):
    masks = {"seq_lengths": LENGTHS, "resets": RESETS} if masked else {}

    @partial(jax.value_and_grad, argnums=(0, 1, 2), has_aux=True)
    def loss(params, carry, xs):
        options = {"reverse": reverse, "backend": backend, "key": key(), **masks}
        after, ys = unroll(cell, params, carry, xs, **options)
        total = sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves((after, ys)))
        return total, (after, ys)

    return jax.jit(loss)


@pytest.mark.parametrize("backend", ["auto", Chunked(4, "carries"), Chunked(4, "borders")], ids=str)
@each_direction
@each
def test_every_backend_sees_the_same_masks(name, reverse, backend):
    given = problem(CELLS[name], T, B)
    expected = value_and_gradients(CELLS[name], reverse, True, "scan", given)
    assert_close(value_and_gradients(CELLS[name], reverse, True, backend, given), expected)


@pytest.mark.parametrize("backend", ["auto", "scan"])
def test_steps_that_are_run_again_see_the_same_masks(backend):
    params, carry, xs = problem(CELLS["all"], T, B)

    def gradient(**options):
        loss = lambda params: jnp.sum(
            jnp.sin(unroll(CELLS["all"], params, carry, xs, key=key(), **options)[1])
        )
        return jax.jit(jax.grad(loss))(params)

    assert_close(gradient(backend=backend, remat=4), gradient(backend="scan"))


@each
def test_steps_with_the_same_masks_equal_the_sequence(name):
    cell = CELLS[name]
    params, carry, xs = problem(cell, T, B)
    masks = draw_masks(cell, key(), T, (B,))
    state, ys = carry, []
    step = jax.jit(cell.step)
    for t in range(T):
        state, y = step(params, state, xs[t], masks_at(masks, t))
        ys.append(y)
    assert_close(unroll(cell, params, carry, xs, key=key()), (state, jnp.stack(ys)))


@each
def test_a_key_decides_everything(name):
    cell = CELLS[name]
    given = problem(cell, T, B)
    run = jax.jit(lambda key: unroll(cell, *given, key=key)[1])
    np.testing.assert_array_equal(run(key()), run(key()))
    assert not np.allclose(run(key()), run(key(1)))
    assert not np.allclose(run(key()), unroll(cell, *given)[1])
    both = jax.vmap(run)(jax.random.split(key(), 2))
    assert_close(both, jnp.stack([run(k) for k in jax.random.split(key(), 2)]))


INSIDE = {
    "input": lstm(D, H),
    "input, one mask": elman(D, H),
    "output": gru(D, H),
    "output, one mask": gru(D, H),
    "recurrent": lstm(D, H),
    "recurrent, of a GRU": gru(D, H),
    "weights": lstm(D, H),
    "weights, of a GRU": gru(D, H),
    "stack": stack(lstm(D, H), gru(H, H)),
}


@pytest.mark.parametrize("name", INSIDE)
def test_without_a_key_it_is_the_cell_inside(name):
    given = problem(CELLS[name], T, B)
    assert_close(unroll(CELLS[name], *given), unroll(INSIDE[name], *given), rtol=0, atol=0)
    params, carry, xs = given
    assert_close(CELLS[name].step(params, carry, xs[0]), INSIDE[name].step(params, carry, xs[0]))


@pytest.mark.parametrize("same", [False, True])
def test_input_dropout_is_that_of_the_inputs(same):
    cell = input_dropout(lstm(D, H), 0.25, same_over_time=same)
    params, carry, xs = problem(cell, T, B)
    drawn = draw_masks(cell, key(), T, (B,))
    keep = drawn.fixed if same else drawn.steps
    assert keep.shape == ((B, D) if same else (T, B, D)) and keep.any() and not keep.all()
    expected = unroll(lstm(D, H), params, carry, xs * keep / 0.75)
    assert_close(unroll(cell, params, carry, xs, key=key()), expected)


def test_output_dropout_leaves_the_carry():
    cell = output_dropout(lstm(D, H), 0.25)
    given = problem(cell, T, B)
    after, ys = unroll(lstm(D, H), *given)
    keep = draw_masks(cell, key(), T, (B,)).steps
    assert_close(unroll(cell, *given, key=key()), (after, ys * keep / 0.75))


def test_recurrent_dropout_hides_the_same_units_at_every_step():
    cell = recurrent_dropout(elman(D, H), 0.5)
    params, h, xs = problem(cell, T, B)
    keep = draw_masks(cell, key(), T, (B,)).fixed
    expected = []
    for x in np.asarray(xs):
        h = np.tanh(x @ params.w_x + params.b + (h * keep / 0.5) @ params.w_h)
        expected.append(h)
    assert_close(unroll(cell, *problem(cell, T, B), key=key()), (h, np.stack(expected)))


def test_weight_drop_is_a_kernel_with_holes():
    cell = weight_drop(gru(D, H), 0.5)
    params, carry, xs = problem(cell, T, B)
    keep = draw_masks(cell, key(), T, (B,)).fixed
    assert keep.shape == params.w_h.shape and 0.3 < keep.mean() < 0.7
    holed = params._replace(w_h=params.w_h * keep / 0.5)
    expected = unroll(gru(D, H), holed, carry, xs)
    assert_close(unroll(cell, params, carry, xs, key=key()), expected)


@pytest.mark.parametrize("random", [False, True])
def test_zoneout_keeps_a_part_of_each_state(random):
    cell, inside = zoneout(lstm(D, H), RATES), lstm(D, H)
    params, carry, xs = problem(cell, T, B)
    kept = draw_masks(cell, key(), T, (B,)).steps
    state, expected = carry, []
    for t in range(T):
        new, _ = inside.step(params, state, xs[t])
        share = LSTMState(kept.h[t], kept.c[t]) if random else RATES
        state = jax.tree.map(lambda p, old, made: p * old + (1 - p) * made, share, state, new)
        expected.append(state.h)
    actual = unroll(cell, params, carry, xs, key=key() if random else None)
    assert_close(actual, (state, jnp.stack(expected)))


def test_masks_have_the_rates_that_were_asked_for():
    deep = stack(zoneout(lstm(D, 50), RATES), output_dropout(gru(50, 50), 0.1), dropout=0.8)
    zoned, upper = draw_masks(deep, key(), 40, (20,))
    shares = [zoned.steps.h.mean(), zoned.steps.c.mean(), 1 - upper.steps.mean()]
    shares.append(1 - upper.inner.steps.mean())
    # 40,000 coins: six standard deviations of their mean are below 0.015.
    np.testing.assert_allclose(shares, [0.3, 0.6, 0.8, 0.1], atol=0.015)


def test_layers_and_sequences_have_masks_of_their_own():
    layer = input_dropout(gru(D, D), 0.5)
    lower, upper = draw_masks(stack(layer, layer), key(), 50, (2,))
    assert (lower.steps != upper.steps).any()
    assert (lower.steps[:, 0] != lower.steps[:, 1]).any() and (
        lower.steps[0] != lower.steps[1:]
    ).any()


def test_a_cell_that_is_not_random_takes_a_key_and_no_mask():
    cell = stack(lstm(D, H), fast_weights(H, 2))
    given = problem(cell, T, B)
    assert draw_masks(cell, key(), T, (B,)) is None
    assert_close(unroll(cell, *given, key=key()), unroll(cell, *given), rtol=0, atol=0)


def test_no_batch_and_no_steps():
    cell = CELLS["all"]
    params, carry, xs = problem(cell, T)
    after, ys = unroll(cell, params, carry, xs, key=key())
    assert after.shape == (H,) and ys.shape == (T, H)
    after, ys = unroll(cell, params, carry, xs[:0], key=key())
    assert_close((after, ys), (carry, jnp.zeros((0, H))), rtol=0, atol=0)


def test_bfloat16_stays_bfloat16():
    for name in CELLS.keys() - {"around a stack"}:  # where the cell of the user's own has float32
        cell = CELLS[name]
        params, carry, xs = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), problem(cell, T, B))
        after, ys = jax.eval_shape(
            partial(unroll, cell, key=key()), params, carry, xs.astype(jnp.bfloat16)
        )
        assert ys.dtype == jnp.bfloat16, name
        assert {leaf.dtype for leaf in jax.tree.leaves(after)} == {jnp.dtype("float32")}, name


def test_modules_take_the_key():
    rnn = RNN(CELLS["all"], rngs=nnx.Rngs(0))
    xs = numbers(jnp.zeros((B, T, D)))
    carry = CELLS["all"].initial_carry((B,))
    expected = unroll(CELLS["all"], nnx.as_pure(rnn.params), carry, xs.swapaxes(0, 1), key=key())
    assert_close(rnn(xs, key=key())[1], expected[1].swapaxes(0, 1))
    both = Bidirectional(rnn, RNN(CELLS["all"], rngs=nnx.Rngs(1)))
    (_, ys), (_, same), (_, quiet) = both(xs, key=key()), both(xs, key=key()), both(xs)
    np.testing.assert_array_equal(ys, same)
    assert not np.allclose(ys, quiet)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: input_dropout(lstm(D, H), 1.0), "`rate` must be a probability in .0, 1.; got 1.0"),
        (lambda: weight_drop(lstm(D, H), -0.1), "`rate` must be a probability"),
        (lambda: zoneout(lstm(D, H), LSTMState(0.1, 2)), "`rate` must be a probability"),  # pyright: ignore
        (
            lambda: zoneout(lstm(D, H), (0.1,)),  # pyright: ignore
            "`rate` must be a number, or have the structure",
        ),
        (lambda: stack(lstm(D, H), dropout=True), "`dropout` must be a probability"),
        (lambda: recurrent_dropout(stack(lstm(D, H)), 0.1), "`cell` must be a dense cell"),
        (lambda: zoneout(clockwork(D, H), 0.1), "`cell` must carry vectors and nothing else"),
        (
            lambda: zoneout(delayed(D, H), 0.1),
            r"`cell` must give its hidden state, of shape \(8,\)",
        ),
        (lambda: weight_drop(fast_weights(D, H), 0.1), "`cell` must be a dense cell"),
        (lambda: input_dropout(fast_weights(D, H), 0.1), "`cell` must be a Cell that says its in"),
        (
            lambda: output_dropout(fast_weights(D, H), 0.1),
            "`cell` must be a Cell that says its out",
        ),
        (
            lambda: unroll(lambda p, c, x: (c, x), 0, jnp.ones(1), jnp.ones((2, 1)), key=key()),
            "`key` must be None for a bare step function",
        ),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
