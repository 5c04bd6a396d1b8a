"""What `unroll` promises about lengths, resets, direction and transformations, for every cell."""

from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import CELLS, D, assert_close, each_cell, each_direction, numbers, problem
from jaxrnn import Cell, LSTMState, length_mask, lstm, stack, unroll

T, HALF, B = 6, 3, 3


def lengths_of(*values) -> Any:
    # One dtype, whether or not float64 is on: another would compile everything again.
    return np.array(values, np.int32)


LENGTHS = lengths_of(6, 0, 4)
RESETS = (
    jnp.zeros((T, B), bool).at[jnp.array([0, 2, 3, 5, 3]), jnp.array([0, 0, 1, 2, 2])].set(True)
)
NO_RESETS = jnp.zeros((T, B), bool)

lengths_of_a_batch = st.tuples(*[st.integers(0, T)] * B).map(lambda lengths: lengths_of(*lengths))
resets_of_a_batch = st.lists(st.booleans(), min_size=T * B, max_size=T * B).map(
    lambda flat: jnp.array(flat).reshape(T, B)
)


@pytest.fixture(autouse=True, scope="module")
def x64():
    """Laws are exact: in float64 they hold to rounding."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True, scope="module", params=["auto", "scan"])
def backend(request):
    """Every law holds on every backend; what "auto" takes is in `jaxrnn.explain`."""
    Backend.name = request.param


class Backend:
    name = "auto"


# Compiled once for each cell, backend, direction and kind of mask; the values of masks vary inside.
_run = jax.jit(unroll, static_argnums=0, static_argnames=("reverse", "backend"))


def run(cell, params, carry, xs, *, reverse: Any = False, **masks):
    return _run(cell, params, carry, xs, reverse=reverse, backend=Backend.name, **masks)


def weights(outputs):
    """A different weight for every output, those in the padding included."""
    weigh = lambda leaf: jnp.cos(jnp.arange(leaf.size, dtype=leaf.dtype)).reshape(leaf.shape)
    return jax.tree.map(weigh, outputs)


@partial(jax.jit, static_argnums=0, static_argnames=("reverse", "backend"))
def _run_with_gradients(cell, params, carry, xs, *, reverse, backend, **masks):
    run = partial(unroll, cell, reverse=reverse, backend=backend, **masks)
    outputs, pullback = jax.vjp(run, params, carry, xs)
    return outputs, pullback(weights(outputs))


def run_with_gradients(cell, params, carry, xs, **options):
    return _run_with_gradients(cell, params, carry, xs, backend=Backend.name, **options)


step = jax.jit(lambda cell, params, carry, x: cell.step(params, carry, x), static_argnums=0)


def alone(tree, b):
    return jax.tree.map(lambda leaf: leaf[b], tree)


def by_steps(cell, params, carry, xs, seq_lengths, resets, start, reverse):
    """Each sequence on its own, cut into its segments, one `step` after the other."""
    finals, rows = [], []
    for b in range(len(seq_lengths)):
        end, state, row = int(seq_lengths[b]), alone(carry, b), {}
        fresh = [t for t in range(end) if resets[t, b]]
        borders = sorted({0, *fresh, end})
        segments = [range(*pair) for pair in pairwise(borders)]
        for n, segment in enumerate(reversed(segments) if reverse else segments):
            if n > 0 or (not reverse and 0 in fresh):
                state = alone(start, b)
            for t in reversed(segment) if reverse else segment:
                state, row[t] = step(cell, params, state, xs[t, b])
        finals.append(state)
        zero = np.zeros(cell.step(params, state, xs[0, b])[1].shape) if end < T else None
        rows.append(np.stack([row.get(t, zero) for t in range(T)]))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *finals), np.stack(rows, axis=1)


@each_direction
@each_cell
@given(seq_lengths=lengths_of_a_batch, resets=resets_of_a_batch)
def test_any_lengths_and_resets_equal_steps_of_each_segment_alone(
    cell, reverse, seq_lengths, resets
):
    params, carry, xs = problem(cell, T, B)
    masks = {"seq_lengths": seq_lengths, "resets": resets}
    start = cell.initial_carry((B,))
    steps = by_steps(cell, params, carry, xs, start=start, reverse=reverse, **masks)
    assert_close(run(cell, params, carry, xs, reverse=reverse, **masks), steps)


@each_direction
@each_cell
def test_a_sequence_equals_its_steps(cell, reverse):
    params, carry, xs = problem(cell, T, B)
    state, ys = carry, {}
    for t in reversed(range(T)) if reverse else range(T):
        state, ys[t] = step(cell, params, state, xs[t])
    stacked = jnp.stack([ys[t] for t in range(T)])
    assert_close(run(cell, params, carry, xs, reverse=reverse), (state, stacked))


@each_direction
@each_cell
def test_full_lengths_and_no_resets_change_nothing(cell, reverse):
    plain = run(cell, *problem(cell, T, B), reverse=reverse)
    masks = {"seq_lengths": lengths_of(T, T, T), "resets": NO_RESETS}
    assert_close(run(cell, *problem(cell, T, B), reverse=reverse, **masks), plain)


@each_direction
@each_cell
def test_a_sequence_without_steps_gives_back_the_carry(cell, reverse):
    params, carry, xs = problem(cell, T, B)
    after, ys = unroll(cell, params, carry, xs[:0], reverse=reverse)
    assert_close(after, carry, rtol=0, atol=0)
    assert ys.shape == (0, *cell.step(params, carry, xs[0])[1].shape)
    masks = {"seq_lengths": lengths_of(0, 0, 0), "resets": NO_RESETS[:0]}
    after, ys = unroll(cell, params, carry, xs[:0], reverse=reverse, **masks)
    assert_close(after, carry, rtol=0, atol=0)


@each_direction
@each_cell
def test_length_zero_gives_back_the_carry_whatever_is_reset(cell, reverse):
    params, carry, xs = problem(cell, T, B)
    masks = {"seq_lengths": lengths_of(0, 0, 0), "resets": ~NO_RESETS}
    outputs, gradients = run_with_gradients(cell, params, carry, xs, reverse=reverse, **masks)
    assert_close(outputs[0], carry, rtol=0, atol=0)
    assert not outputs[1].any()
    to_params, to_carry, to_xs = gradients
    assert not any(leaf.any() for leaf in jax.tree.leaves((to_params, to_xs)))
    assert all(leaf.any() for leaf in jax.tree.leaves(to_carry))


@each_direction
@each_cell
def test_the_carry_freezes_and_outputs_are_zero_past_the_end(cell, reverse):
    params, carry, xs = problem(cell, T, B)
    masks = {"seq_lengths": lengths_of(HALF, HALF, HALF), "resets": NO_RESETS}
    after, ys = run(cell, params, carry, xs, reverse=reverse, **masks)
    masks["resets"] = NO_RESETS[:HALF]
    short = run(cell, params, carry, xs[:HALF], reverse=reverse, **masks)
    assert_close((after, ys[:HALF]), short)
    assert not ys[HALF:].any() and ys[:HALF].any()


@pytest.mark.parametrize("poison", [np.nan, np.inf])
@each_direction
@each_cell
def test_what_stands_in_the_padding_reaches_nothing(cell, reverse, poison):
    params, carry, xs = problem(cell, T, B)
    real = length_mask(LENGTHS, T).reshape(T, B, *(1,) * (xs.ndim - 2))
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    clean = run_with_gradients(
        cell, params, carry, jnp.where(real, xs, 0), reverse=reverse, **masks
    )
    xs = jnp.where(real, xs, poison)
    dirty = run_with_gradients(cell, params, carry, xs, reverse=reverse, **masks)
    assert_close(dirty, clean, rtol=0, atol=0)
    assert not jnp.where(real, 0, dirty[1][2]).any()


@each_direction
@each_cell
def test_resets_in_the_padding_change_nothing(cell, reverse):
    # resets[len] starts a next segment; backwards it would end up at the last real step.
    params, carry, xs = problem(cell, T, B)
    within = RESETS & length_mask(LENGTHS, T)
    outputs = [
        run(cell, params, carry, xs, seq_lengths=LENGTHS, resets=resets, reverse=reverse)
        for resets in (within, within | ~length_mask(LENGTHS, T))
    ]
    assert_close(*outputs, rtol=0, atol=0)


@each_direction
@each_cell
def test_a_packed_row_equals_the_separate_runs(cell, reverse):
    params, _, xs = problem(cell, T, B)
    fresh = cell.initial_carry((B,))
    masks = {"seq_lengths": lengths_of(T, T, T), "resets": NO_RESETS.at[HALF].set(True)}
    packed = run(cell, params, fresh, xs, reverse=reverse, **masks)
    masks = {"seq_lengths": lengths_of(HALF, HALF, HALF), "resets": NO_RESETS[:HALF]}
    first, first_ys = run(cell, params, fresh, xs[:HALF], reverse=reverse, **masks)
    second, second_ys = run(cell, params, fresh, xs[HALF:], reverse=reverse, **masks)
    last = first if reverse else second
    assert_close(packed, (last, jnp.concatenate([first_ys, second_ys])))


@each_direction
@pytest.mark.parametrize("cell", [CELLS["stack"], CELLS["own"]], ids=["stack", "own"])
@given(seq_lengths=lengths_of_a_batch, resets=resets_of_a_batch)
def test_a_custom_reset_carry_stands_in_for_the_initial_carry(cell, reverse, seq_lengths, resets):
    params, carry, xs = problem(cell, T, B)
    start = numbers(carry, seed=5)
    masks = {"seq_lengths": seq_lengths, "resets": resets}
    outputs = run(cell, params, carry, xs, reset_carry=start, reverse=reverse, **masks)
    steps = by_steps(cell, params, carry, xs, start=start, reverse=reverse, **masks)
    assert_close(outputs, steps)


@pytest.mark.parametrize("shape", [(), (1, 4), (4,), (B, 4)], ids=str)
def test_a_reset_carry_broadcasts_and_receives_a_gradient(shape):
    cell = CELLS["lstm"]
    params, carry, xs = problem(cell, T, B)
    start = LSTMState(jnp.full(shape, 0.25), jnp.full(shape, -0.5))
    whole = jax.tree.map(lambda leaf, like: jnp.broadcast_to(leaf, like.shape), start, carry)
    last = lambda start: run(cell, params, carry, xs, resets=RESETS, reset_carry=start)[1][-1]
    assert_close(last(start), last(whole))
    gradients = jax.grad(lambda start: last(start).sum())(start)
    assert all(leaf.shape == shape and leaf.any() for leaf in gradients)


def flip(xs, lengths):
    """Turns each sequence round within its own length, the padding stays."""
    t = jnp.arange(T)[:, None]
    source = jnp.where(t < lengths, lengths - 1 - t, t)
    return xs[source, jnp.arange(B)]


@each_cell
@given(seq_lengths=lengths_of_a_batch)
def test_reverse_is_a_flip_of_each_sequence_within_its_length(cell, seq_lengths):
    params, carry, xs = problem(cell, T, B)
    after, ys = run(cell, params, carry, xs, seq_lengths=seq_lengths, reverse=True)
    flipped = run(cell, params, carry, flip(xs, seq_lengths), seq_lengths=seq_lengths)
    assert_close((after, flip(ys, seq_lengths)), flipped)


@each_direction
@each_cell
def test_a_sequence_cut_in_two_equals_the_whole(cell, reverse):
    params, carry, xs = problem(cell, T, B)
    # Backwards, a start at the cut belongs to the half that does not see it: none there.
    resets = RESETS.at[HALF].set(not reverse)
    masks = {"seq_lengths": LENGTHS, "resets": resets}
    whole = run(cell, params, carry, xs, reverse=reverse, **masks)
    halves = [
        (xs[:HALF], np.minimum(LENGTHS, HALF), resets[:HALF]),
        (xs[HALF:], np.maximum(LENGTHS - HALF, 0), resets[HALF:]),
    ]
    ys = {}
    for n in (1, 0) if reverse else (0, 1):
        half, lengths, starts = halves[n]
        masks = {"seq_lengths": lengths, "resets": starts}
        carry, ys[n] = run(cell, params, carry, half, reverse=reverse, **masks)
    assert_close((carry, jnp.concatenate([ys[0], ys[1]])), whole)


@each_direction
@each_cell
def test_a_sequence_through_layers_equals_a_scan_over_the_whole_step(cell, reverse):
    # A bare step hides the layers; it has no initial carry of its own, so it is given one.
    params, carry, xs = problem(cell, T, B)
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    whole = run(cell, params, carry, xs, reverse=reverse, **masks)
    masks["reset_carry"] = cell.initial_carry((B,))
    assert_close(run(cell.step, params, carry, xs, reverse=reverse, **masks), whole)


@each_cell
def test_any_number_of_batch_axes(cell):
    params, carry, xs = problem(cell, T, 2, B)
    lengths, resets = np.stack([LENGTHS, lengths_of(1, 5, 2)]), jnp.stack([RESETS, ~RESETS], axis=1)
    after, ys = run(cell, params, carry, xs, seq_lengths=lengths, resets=resets)
    for a in range(2):
        masks = {"seq_lengths": lengths[a], "resets": resets[:, a]}
        one = run(cell, params, alone(carry, a), xs[:, a], **masks)
        assert_close((alone(after, a), ys[:, a]), one)
        for b in range(B):
            masks = {"seq_lengths": lengths[a, b], "resets": resets[:, a, b]}
            none = run(cell, params, alone(alone(carry, a), b), xs[:, a, b], **masks)
            assert_close((alone(one[0], b), one[1][:, b]), none)


@each_cell
def test_jit_equals_eager(cell):
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    eager = unroll(cell, *problem(cell, T, B), reverse=True, **masks)
    assert_close(run(cell, *problem(cell, T, B), reverse=True, **masks), eager)


def test_masks_can_be_closed_over_in_jit():
    cell = CELLS["lstm"]
    problem_ = problem(cell, T, B)
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    closed = jax.jit(lambda *arguments: unroll(cell, *arguments, **masks))
    assert_close(closed(*problem_), run(cell, *problem_, **masks))


@each_cell
def test_vmap_over_parameters_equals_a_loop(cell):
    _, carry, xs = problem(cell, T, B)
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    seeds = [problem(cell, T, B, seed=seed)[0] for seed in (1, 2)]
    many = jax.tree.map(lambda *leaves: jnp.stack(leaves), *seeds)
    both = jax.vmap(lambda params: run(cell, params, carry, xs, **masks))(many)
    for n, params in enumerate(seeds):
        assert_close(alone(both, n), run(cell, params, carry, xs, **masks))


@pytest.mark.parametrize("cell", [CELLS["gru"], CELLS["stack"]], ids=["gru", "stack"])
def test_vmap_over_sequences_equals_the_batch_axis(cell):
    params, carry, xs = problem(cell, T, B)
    one = lambda carry, xs, lengths, resets: unroll(
        cell, params, carry, xs, seq_lengths=lengths, resets=resets, reverse=True
    )
    mapped = jax.vmap(one, in_axes=(0, 1, 0, 1), out_axes=(0, 1))(carry, xs, LENGTHS, RESETS)
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    assert_close(mapped, run(cell, params, carry, xs, reverse=True, **masks))


@each_cell
def test_forward_mode_and_second_order_derivatives(cell):
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    at = problem(cell, T, B)
    along = numbers(at, seed=1)
    dot = lambda a, b: sum(jax.tree.leaves(jax.tree.map(jnp.vdot, a, b)))
    moved = lambda far: jax.tree.map(lambda a, v: a + far * v, at, along)
    at_once = lambda at: run_with_gradients(cell, *at, reverse=False, **masks)

    @jax.jit
    def derivatives(at):
        # Forward mode through values and gradients; reverse mode through gradients.
        (outputs, _), (slopes, forward_over_reverse) = jax.jvp(at_once, (at,), (along,))
        reverse_over_reverse = jax.grad(lambda at: dot(at_once(at)[1], along))(at)
        return dot(slopes, weights(outputs)), forward_over_reverse, reverse_over_reverse

    first, *seconds = derivatives(at)
    assert_close(first, dot(at_once(at)[1], along))
    step = 1e-5
    (_, after), (_, before) = at_once(moved(step)), at_once(moved(-step))
    difference = jax.tree.map(lambda a, b: (a - b) / (2 * step), after, before)
    for second in seconds:
        assert_close(second, difference, rtol=1e-5, atol=1e-7)


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
        first, _ = run(CELLS["own"], params, carry, xs)
        return run(CELLS["own"], params, first, xs, reverse=True)[1][0].sum()

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
def embed_and_add(params, carry, x):
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
    after, ys = run(embed_and_add, table, carry, xs, reverse=reverse, **masks)
    for b in range(B):
        total, end = np.ones(2), int(LENGTHS[b])
        order = reversed(range(end)) if reverse else range(end)
        for t in order:
            if RESETS[t + 1, b] and t + 1 < end if reverse else RESETS[t, b]:
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
    assert_close(unroll(cell, *as_numpy, **lists), run(cell, params, carry, xs, **masks))


def test_length_mask():
    assert length_mask(jnp.array([[0, 2], [1, 3]]), 3).shape == (3, 2, 2)
    assert length_mask(jnp.array(2), 3).tolist() == [True, True, False]
    assert length_mask(jnp.array([0]), 0).shape == (0, 1)


def test_a_layer_that_says_no_sizes_still_fits_into_a_stack():
    cell = CELLS["stack-with-own"]
    assert (cell.in_shape, cell.out_shape) == (None, (4,))
    assert all(isinstance(layer, Cell) for layer in cell.layers)
