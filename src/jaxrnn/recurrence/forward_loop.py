"""The loop over the steps of the chunked engine."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.recurrence.buffers import empty, read, read_gates, room, slice_time, write
from jaxrnn.recurrence.intermediates import distinct, with_intermediates
from jaxrnn.recurrence.masks import masked, select
from jaxrnn.recurrence.ordering import SHELF, after, corners, one_after, put
from jaxrnn.recurrence.plan import Inputs, Invariants, Plan, apart
from jaxrnn.recurrence.pointwise import pointwise_vjp
from jaxrnn.recurrence.shares import Share
from jaxrnn.recurrence.side_by_side import Counter, Loop, loop


class Filled(NamedTuple):
    """The state of the loop over the steps: the carry, and arrays over time, filled up to here."""

    carry: Any
    ys: Any  # this and the following are None where they are not wanted
    before: Any = None
    saved: Any = None


class Spare(NamedTuple):
    """What a step of the loop stores beside its results, so that it is not stored elsewhere."""

    shelf: Any
    made: Any


class _At(NamedTuple):
    """Which step it is."""

    k: Any  # slot of zs
    t: Any  # slot of the inputs
    slot: Any  # slot of the arrays that are filled


class _Block(NamedTuple):
    """Steps whose inputs are projected by one matmul."""

    zs: jax.Array  # [K, *B, G]
    first: Any  # the first of them, counted from the first step of the chunk
    begin: Any  # the first of them that is to run
    count: Any  # and how many
    made: list[jax.Array]
    counter: Counter | None = None


def steps_loop(
    plan: Plan,
    invariants: Invariants,
    filled: Filled,
    inputs: Inputs,
    share: Share | None,
    start: Any,
    steps: int,
    slot: Any,
) -> Loop:
    """The steps `start .. start+steps-1`, block by block; they fill arrays from `slot` on.

    Nothing is computed in the loops that is not stored in their state, so that they take no memory
    which another share could have in use: hence what `with_intermediates` gives is carried along.
    The state is `(filled, spare, block, counter)`.
    """
    beside = slot is start
    start, slot = (jnp.asarray(i, jnp.int32) for i in (start, slot))
    size = min(plan.block, steps) if plan.in_place else steps
    blocks, one = -(-steps // size), invariants.one

    def block_at(n: Any) -> _Block:
        """Block n of those that are left; the last one in time may have run in part."""
        if plan.reverse:
            first = jnp.maximum(steps - (n + 1) * size, 0)
            begin, count = 0, steps - n * size - first
        else:
            first = jnp.minimum(n * size, steps - size)
            begin, count = n * size - first, first + size - n * size
        xs = masked(*slice_time((inputs.xs, inputs.valid), start + first, size, share))
        rows = xs.reshape(-1, xs.shape[-1])
        zs, made = with_intermediates(plan.parts.project, invariants.params, rows)
        first, begin, count = (jnp.asarray(i, jnp.int32) for i in (first, begin, count))
        zs = zs.reshape(*xs.shape[:-1], -1)
        return _Block(zs, first, begin, count, distinct([rows, *made]))

    def step(state: tuple[Filled, Spare], block: _Block, k: jax.Array) -> Any:
        t = start + block.first + k
        at = _At(k, t, t if beside else slot + block.first + k)
        return _step(plan, invariants, inputs, share, state, block.zs, at)

    def run_block(state: Any, block: _Block, one: jax.Array) -> Any:
        body = lambda state, k: step(state, block, k)
        where = (block.begin, block.count) if plan.in_place else (0, size)
        state, counter = loop(plan.in_place, body, state[:2], *where, plan.reverse, one)
        return *state, block._replace(counter=counter)

    def run(state: Any, one: jax.Array) -> Any:
        filled, spare, block, counter = state
        if blocks == 1:
            return *run_block((filled, spare), block_at(one - 1), one), counter
        body = lambda state, n: run_block(state, block_at(n), one)
        state, counter = loop(plan.in_place, body, (filled, spare, block), 0, blocks, False, one)
        return *state, counter

    shapes = jax.eval_shape(block_at, 0)
    spare = Spare(None, None)
    if apart(plan):
        z = jax.ShapeDtypeStruct(shapes.zs.shape[1:], shapes.zs.dtype)
        spare = spare._replace(shelf=room(SHELF, z, inputs.xs, share))
    made = lambda filled, block: step((filled, spare), block, one)[1].made
    spare = spare._replace(made=empty(jax.eval_shape(made, filled, shapes), inputs.xs, share))
    counter = Counter(one == 1, one - 1) if plan.in_place else None
    block = empty(shapes, inputs.xs, share)._replace(counter=counter)
    return Loop((filled, spare, block, counter), run)


def _step(
    plan: Plan,
    invariants: Invariants,
    inputs: Inputs,
    share: Share | None,
    state: tuple[Filled, Spare],
    zs: jax.Array,
    at: _At,
) -> tuple[Filled, Spare]:
    """Runs one step of some whose z are `zs [K, *B, G]`."""
    (carry, ys, before, saved), (shelf, _) = state
    z, slot, made = _read_z(plan, zs, at.k), at.slot, [at.t, at.slot]
    if shelf is not None:
        shelf, z = put(shelf, z, invariants.one)
    real, begins = read((inputs.valid, inputs.starts), at.t, share)
    entering = carry
    if begins is not None:
        entering = jax.tree.map(partial(select, begins), invariants.start_carry, carry)
        made += jax.tree.leaves(entering)
    r, more = with_intermediates(invariants.product, plan.parts.hidden(entering))
    made += [r, *more]
    if before is not None:
        before = write(before, entering, slot)
        entering, r = after((entering, r), one_after(corners(before, slot)))
    point = pointwise_vjp(plan.parts).forward
    (then, y, new), more = with_intermediates(point, invariants.params, entering, z, r)
    made += [*jax.tree.leaves(new), *more]
    if real is not None:
        made += [*jax.tree.leaves(then), y]
        then = jax.tree.map(partial(select, real), then, carry)
        y = masked(y, real)
    ys = None if ys is None else write(ys, y, slot)
    saved = None if saved is None else write(saved, jax.tree.leaves(new), slot)
    return Filled(then, ys, before, saved), Spare(shelf, distinct(made))


def _read_z(plan: Plan, zs: jax.Array, k: Any) -> jax.Array:
    """Slot `k` of `zs [K, *B, G]`, gate by gate where that is how a cell uses it."""
    if plan.parts.additive or apart(plan):
        return read(zs, k)
    return read_gates(plan.gates, zs, k)
