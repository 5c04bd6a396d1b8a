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

from cases import CELLS, RUNS, assert_close, each_direction, numbers, problem
from jaxrnn import LSTMState, length_mask, unroll

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


@pytest.fixture(scope="module")
def cell(request):
    """The cell of a run; every law holds on every backend, see `jaxrnn.explain`."""
    name, Backend.name = request.param
    yield CELLS[name]
    jax.clear_caches()  # thousands of programs would fill the memory


class Backend:
    name = "auto"


def each_run_of(*names):
    runs = [run for run in RUNS if run[0] in names]
    ids = ["-".join(run) for run in runs]
    return pytest.mark.parametrize("cell", runs, ids=ids, indirect=True)


each_run = each_run_of(*CELLS)


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
@each_run
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
@each_run
def test_a_sequence_equals_its_steps(cell, reverse):
    params, carry, xs = problem(cell, T, B)
    state, ys = carry, {}
    for t in reversed(range(T)) if reverse else range(T):
        state, ys[t] = step(cell, params, state, xs[t])
    stacked = jnp.stack([ys[t] for t in range(T)])
    assert_close(run(cell, params, carry, xs, reverse=reverse), (state, stacked))


@each_direction
@each_run
def test_full_lengths_and_no_resets_change_nothing(cell, reverse):
    plain = run(cell, *problem(cell, T, B), reverse=reverse)
    masks = {"seq_lengths": lengths_of(T, T, T), "resets": NO_RESETS}
    assert_close(run(cell, *problem(cell, T, B), reverse=reverse, **masks), plain)


@each_direction
@each_run
def test_a_sequence_without_steps_gives_back_the_carry(cell, reverse):
    params, carry, xs = problem(cell, T, B)
    after, ys = unroll(cell, params, carry, xs[:0], reverse=reverse)
    assert_close(after, carry, rtol=0, atol=0)
    assert ys.shape == (0, *cell.step(params, carry, xs[0])[1].shape)
    masks = {"seq_lengths": lengths_of(0, 0, 0), "resets": NO_RESETS[:0]}
    after, ys = unroll(cell, params, carry, xs[:0], reverse=reverse, **masks)
    assert_close(after, carry, rtol=0, atol=0)


@each_direction
@each_run
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
@each_run
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
@each_run
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
@each_run
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
@each_run
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
@each_run_of("stack", "own")
@given(seq_lengths=lengths_of_a_batch, resets=resets_of_a_batch)
def test_a_custom_reset_carry_stands_in_for_the_initial_carry(cell, reverse, seq_lengths, resets):
    params, carry, xs = problem(cell, T, B)
    start = numbers(carry, seed=5)
    masks = {"seq_lengths": seq_lengths, "resets": resets}
    outputs = run(cell, params, carry, xs, reset_carry=start, reverse=reverse, **masks)
    steps = by_steps(cell, params, carry, xs, start=start, reverse=reverse, **masks)
    assert_close(outputs, steps)


@each_run_of("lstm")
@pytest.mark.parametrize("shape", [(), (1, 4), (4,), (B, 4)], ids=str)
def test_a_reset_carry_broadcasts_and_receives_a_gradient(cell, shape):
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


@each_run
@given(seq_lengths=lengths_of_a_batch)
def test_reverse_is_a_flip_of_each_sequence_within_its_length(cell, seq_lengths):
    params, carry, xs = problem(cell, T, B)
    after, ys = run(cell, params, carry, xs, seq_lengths=seq_lengths, reverse=True)
    flipped = run(cell, params, carry, flip(xs, seq_lengths), seq_lengths=seq_lengths)
    assert_close((after, flip(ys, seq_lengths)), flipped)


@each_direction
@each_run
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
@each_run
def test_a_sequence_through_layers_equals_a_scan_over_the_whole_step(cell, reverse):
    # A bare step hides the layers; it has no initial carry of its own, so it is given one.
    params, carry, xs = problem(cell, T, B)
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    whole = run(cell, params, carry, xs, reverse=reverse, **masks)
    masks["reset_carry"] = cell.initial_carry((B,))
    assert_close(run(cell.step, params, carry, xs, reverse=reverse, **masks), whole)


@each_run
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


@each_run
def test_jit_equals_eager(cell):
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    eager = unroll(cell, *problem(cell, T, B), reverse=True, **masks)
    assert_close(run(cell, *problem(cell, T, B), reverse=True, **masks), eager)


@each_run_of("lstm")
def test_masks_can_be_closed_over_in_jit(cell):
    problem_ = problem(cell, T, B)
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    closed = jax.jit(lambda *arguments: unroll(cell, *arguments, **masks))
    assert_close(closed(*problem_), run(cell, *problem_, **masks))


@each_run
def test_vmap_over_parameters_equals_a_loop(cell):
    _, carry, xs = problem(cell, T, B)
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    seeds = [problem(cell, T, B, seed=seed)[0] for seed in (1, 2)]
    many = jax.tree.map(lambda *leaves: jnp.stack(leaves), *seeds)
    both = jax.vmap(lambda params: run(cell, params, carry, xs, **masks))(many)
    for n, params in enumerate(seeds):
        assert_close(alone(both, n), run(cell, params, carry, xs, **masks))


@each_run_of("gru", "stack")
def test_vmap_over_sequences_equals_the_batch_axis(cell):
    params, carry, xs = problem(cell, T, B)
    one = lambda carry, xs, lengths, resets: unroll(
        cell, params, carry, xs, seq_lengths=lengths, resets=resets, reverse=True
    )
    mapped = jax.vmap(one, in_axes=(0, 1, 0, 1), out_axes=(0, 1))(carry, xs, LENGTHS, RESETS)
    masks = {"seq_lengths": LENGTHS, "resets": RESETS}
    assert_close(mapped, run(cell, params, carry, xs, reverse=True, **masks))


@each_run
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
