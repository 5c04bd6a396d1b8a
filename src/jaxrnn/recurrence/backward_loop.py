"""The loop over the steps of the chunked engine, backwards."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.recurrence.buffers import empty, read, read_gates, room, write
from jaxrnn.recurrence.intermediates import distinct, with_intermediates
from jaxrnn.recurrence.masks import masked, select
from jaxrnn.recurrence.ordering import SHELF, after, corners, one_after, put
from jaxrnn.recurrence.plan import Inputs, Invariants, Plan, StepShapes, apart
from jaxrnn.recurrence.pointwise import pointwise_vjp, uses_parameters
from jaxrnn.recurrence.product import Product
from jaxrnn.recurrence.shares import Share
from jaxrnn.recurrence.side_by_side import Counter, Loop, loop


class Common(NamedTuple):
    """What the steps backwards of all chunks use."""

    plan: Plan
    invariants: Invariants
    kernel: jax.Array
    transposed: Product  # dr -> dr @ w_h.T
    shapes: StepShapes
    inputs: Inputs
    d_ys: jax.Array  # [T, *B, H]
    share: Share | None
    carry: Any  # shapes


class Chunk(NamedTuple):
    """What the steps backwards through a chunk use."""

    common: Common
    start: Any  # the step in slot 0 of what follows
    before: Any  # the carry that entered each step, leaves [K, *B, ...]
    saved: list[jax.Array]  # what the pointwise part saved, leaves [K, *B, ...]
    at_r: int  # which array gets dr: one of `saved`, or the first beside them
    at_z: int  # which gets dz; the same if the cell is additive


class Adjoint(NamedTuple):
    """The state of the loop backwards."""

    d_carry: Any
    d_start: Any
    slots: list[jax.Array]  # arrays over the steps: what was saved, dz and dr
    d_afters: Any  # adjoints of the carry after each step; None where the gradient needs none
    shelf: Any  # of what is saved, where it has to stand on its own; of d_before; of dz
    made: Any  # see `Spare`


def has_inside(common: Common) -> bool:
    """Whether the gradient of parameters inside `pointwise` has to be derived."""
    parts, params = common.plan.parts, common.invariants.params
    shapes = common.carry, common.shapes.z, common.shapes.r
    return parts.pointwise_vjp is None and uses_parameters(parts, params, *shapes)


def loop_back(chunk: Chunk, d_carry: Any) -> Loop:
    """The loop that takes the adjoint of the carry back through a chunk.

    The state is an `Adjoint` and, after it has run, a counter.
    """
    common, beside = chunk.common, chunk.common.inputs.xs
    plan, shapes, invariants = common.plan, common.shapes, common.invariants
    steps = len(jax.tree.leaves(chunk.before)[0])
    slots = list(chunk.saved)
    for at, like in ((chunk.at_r, shapes.r), (chunk.at_z, shapes.z)):
        if at == len(slots):
            slots.append(room(steps, like, beside, common.share))
    d_afters = room(steps, d_carry, beside, common.share) if has_inside(common) else None
    d_start = jax.tree.map(jnp.zeros_like, invariants.start_carry)
    state = Adjoint(d_carry, d_start, slots, d_afters, _shelf(chunk, d_carry, slots), None)
    made = jax.eval_shape(lambda state: _step_back(chunk, state, 0).made, state)
    state = state._replace(made=empty(made, beside, common.share))
    counter = Counter(invariants.one == 1, invariants.one - 1) if plan.in_place else None

    def run(state: tuple[Adjoint, Any], one: jax.Array) -> tuple[Adjoint, Any]:
        body = partial(_step_back, chunk)
        return loop(plan.in_place, body, state[0], 0, steps, not plan.reverse, one)

    return Loop((state, counter), run)


def _step_back(chunk: Chunk, state: Adjoint, k: Any) -> Adjoint:
    """Takes the adjoint back through the step in slot k.

    Nothing orders the products with what they overwrite, so what is read is put on a shelf first.
    """
    common = chunk.common
    plan, params, one = common.plan, common.invariants.params, common.invariants.one
    inputs, share, additive = common.inputs, common.share, plan.parts.additive
    d_carry, d_start, slots, d_afters, shelf, _ = state
    shelf, slots = dict(shelf), list(slots)
    count = len(chunk.saved)
    entering = read(chunk.before, k)
    d_y, real, begins = read((common.d_ys, inputs.valid, inputs.starts), chunk.start + k, share)
    if "saved" in shelf:
        shelf["saved"], kept = put(shelf["saved"], read(slots[:count], k), one)
    else:
        kept = [_read_gates(chunk, leaf, k) for leaf in slots[:count]]
    d_after = d_carry
    if real is not None:
        d_after = jax.tree.map(lambda leaf: masked(leaf, real), d_carry)
        d_y = masked(d_y, real)
    kept = jax.tree.unflatten(common.shapes.saved, kept)
    given = params, kept, entering, d_after, d_y
    (d_before, d_z, d_r), made = with_intermediates(pointwise_vjp(plan.parts).backward, *given)
    shelf["d_before"], d_before = put(shelf["d_before"], d_before, one)
    if "d_z" in shelf:
        shelf["d_z"], d_z = put(shelf["d_z"], d_z, one)
    h, hidden_vjp = jax.vjp(plan.parts.hidden, entering)
    d_h, more = with_intermediates(common.transposed, d_r)
    d_h = d_h.astype(h.dtype)
    made += [d_r, *more, d_h] if additive else [d_z, d_r, *more, d_h]
    first = corners((d_before, d_h, shelf.get("d_z")))
    if not additive and chunk.at_z >= count:
        slots[chunk.at_z] = write(slots[chunk.at_z], d_z.astype(slots[chunk.at_z].dtype), k)
        first += corners(slots[chunk.at_z], k)
    if d_afters is not None:
        d_afters = write(d_afters, d_after, k)
        first += corners(d_afters, k)
    done = one_after(first)
    for at, d in {chunk.at_z: d_z, chunk.at_r: d_r}.items():
        if additive or at < count or at == chunk.at_r:
            slots[at] = write(slots[at], after(d.astype(slots[at].dtype), done), k)
    d_before = _sum(d_before, after(hidden_vjp(d_h)[0], done))
    if begins is not None:
        d_start = jax.tree.map(lambda sum, d: sum + masked(d, begins), d_start, d_before)
        d_before = jax.tree.map(lambda d: masked(d, ~begins), d_before)
    if real is not None:
        d_before = jax.tree.map(partial(select, real), d_before, d_carry)
    return Adjoint(d_before, d_start, slots, d_afters, shelf, distinct(made))


def _read_gates(chunk: Chunk, leaf: jax.Array, k: Any) -> jax.Array:
    """Slot k of something saved, gate by gate if it has the columns of several."""
    size = chunk.common.shapes.r.shape[-1] // (chunk.common.plan.gates or 1)
    return read_gates(max(1, leaf.shape[-1] // size if leaf.shape[-1] % size == 0 else 1), leaf, k)


def _shelf(chunk: Chunk, d_carry: Any, slots: list[jax.Array]) -> dict[str, Any]:
    """Room for what has to be computed once: see `put`."""
    common, count, beside = chunk.common, len(chunk.saved), chunk.common.inputs.xs
    saved, entering = jax.eval_shape(lambda: read((slots[:count], chunk.before), 0))
    kept = jax.tree.unflatten(common.shapes.saved, saved)
    given = common.invariants.params, kept, entering, d_carry, common.shapes.y
    d_before = jax.eval_shape(pointwise_vjp(common.plan.parts).backward, *given)[0]
    shelf = {"d_before": room(SHELF, d_before, beside, common.share)}
    if apart(common.plan):
        shelf["saved"] = room(SHELF, saved, beside, common.share)
    if chunk.at_z != chunk.at_r and chunk.at_z < count:
        shelf["d_z"] = room(SHELF, common.shapes.z, beside, common.share)
    return shelf


def _sum(trees: Any, others: Any) -> Any:
    """The sum of two pytrees; of the first, leaves may be None."""
    plus = lambda leaf, other: other if leaf is None else leaf + other
    return jax.tree.map(plus, trees, others, is_leaf=lambda leaf: leaf is None)
