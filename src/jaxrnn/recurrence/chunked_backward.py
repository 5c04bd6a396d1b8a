"""The backward pass of the chunked engine."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.rules import recurrent_product
from jaxrnn.recurrence.backward_loop import Adjoint, Chunk, Common, has_inside, loop_back
from jaxrnn.recurrence.buffers import fitting, over_chunks, room, slice_time
from jaxrnn.recurrence.forward_loop import Filled, steps_loop
from jaxrnn.recurrence.masks import masked
from jaxrnn.recurrence.ordering import after, corners, one_after
from jaxrnn.recurrence.plan import (
    Inputs,
    Kept,
    Plan,
    StepShapes,
    invariants_of,
    project,
    step_shapes,
)
from jaxrnn.recurrence.pointwise import parameters_of_pointwise, pointwise_vjp
from jaxrnn.recurrence.product import product_with
from jaxrnn.recurrence.shares import Share, join, of_share
from jaxrnn.recurrence.side_by_side import side_by_side


def backward(plan: Plan, residuals: Any, cotangents: Any) -> tuple[Any, Any, Any, jax.Array]:
    """From the cotangents of the last carry and the outputs to those of everything that went in.

    Args:
      plan: what is fixed.
      residuals: `(params, start_carry, inputs, kept)`.
      cotangents: of the carry and of the outputs.

    Returns:
      The gradients of the parameters, of the carry at a start, of the carry and of the inputs.
    """
    params, start_carry, inputs, (kept,) = residuals
    d_carry, d_ys = cotangents
    length = len(inputs.xs)
    # With the gates kept nothing is run again, so there is no reason to cut time into chunks.
    steps = length if plan.keep == "gates" else plan.length
    common = _begin(plan, params, start_carry, inputs, d_carry, d_ys, kept, None)
    sums = jax.tree.map(partial(_wide_zeros, inputs.xs), (params, common.kernel, start_carry))
    d_xs = jax.lax.full_like(inputs.xs, 0)

    def chunk(state: Any, n: Any, start: Any, steps: int) -> Any:
        d_carry, sums, d_xs = state
        piece = _chunk(common, kept, n, start, steps)
        loop = loop_back(piece, d_carry)
        adjoint, _ = loop.run(loop.state, common.invariants.one)
        gradients, d_x = _gradients(piece, adjoint, common.invariants.one)
        sums = jax.tree.map(jnp.add, sums, gradients)
        if steps == length:
            return adjoint.d_carry, sums, d_x
        d_xs = jax.lax.dynamic_update_slice_in_dim(d_xs, d_x, start, 0)
        return adjoint.d_carry, sums, d_xs

    state = d_carry, sums, d_xs
    d_carry, sums, d_xs = over_chunks(chunk, state, length, steps, not plan.reverse)
    return *_finish(common, sums), d_carry, d_xs


def backward_in_shares(
    plan: Plan, residuals: Any, cotangents: Any
) -> tuple[Any, Any, Any, jax.Array]:
    """As `backward`, for policies without chunks, with the shares of the batch side by side."""
    params, start_carry, inputs, kept = residuals
    d_carry, d_ys = cotangents
    length, pieces, loops = len(inputs.xs), [], []
    for share, its in zip(plan.shares, kept, strict=True):
        its_start, its_d_carry = of_share(share, (start_carry, d_carry))
        given = plan, params, its_start, inputs, its_d_carry, d_ys, its, share
        pieces.append(_chunk(_begin(*given), its, 0, 0, length))
        loops.append(loop_back(pieces[-1], its_d_carry))
    states, ran = side_by_side(loops, one_after(corners((residuals, cotangents))), plan.in_place)
    results = []
    for piece, (adjoint, counter) in zip(pieces, states, strict=True):
        done = one_after([ran, *corners((adjoint.made, adjoint.shelf, counter))])
        gradients, d_xs = _gradients(piece, adjoint, done)
        sums, d_carry = after((gradients, adjoint.d_carry), done)
        results.append((*_finish(piece.common, sums), d_carry, d_xs))
    d_params, d_start, d_carry, d_xs = zip(*results, strict=True)
    d_params = jax.tree.map(lambda *leaves: sum(leaves[1:], leaves[0]), *d_params)
    return d_params, join(d_start), join(d_carry), join(d_xs, 1)


def _begin(
    plan: Plan,
    params: Any,
    start_carry: Any,
    inputs: Inputs,
    d_carry: Any,
    d_ys: jax.Array,
    kept: Kept,
    share: Share | None,
) -> Common:
    """What all chunks use."""
    kernel = plan.parts.recurrent_kernel(params)
    shapes = step_shapes(plan.parts, params, d_carry, inputs.xs)
    one = one_after([kept.done, *corners((params, inputs, d_carry, d_ys))])
    invariants = invariants_of(plan, params, start_carry, shapes.z.dtype, one)
    transposed = product_with(kernel.T, shapes.z.dtype)
    fixed = plan, invariants, kernel, transposed, shapes
    return Common(*fixed, inputs, d_ys, share, d_carry)


def _finish(common: Common, sums: Any) -> tuple[Any, Any]:
    """The gradients of the parameters and of the carry at a start, in their dtypes."""
    params, start_carry = common.invariants.params, common.invariants.start_carry
    d_params, d_kernel, d_start = sums
    kernel, kernel_vjp = jax.vjp(common.plan.parts.recurrent_kernel, params)
    d_params = jax.tree.map(jnp.add, d_params, kernel_vjp(d_kernel.astype(kernel.dtype))[0])
    to = lambda leaf, like: leaf.astype(like.dtype)
    return jax.tree.map(to, d_params, params), jax.tree.map(to, d_start, start_carry)


def _chunk(common: Common, kept: Kept, n: Any, start: Any, steps: int) -> Chunk:
    """Chunk n, from step `start` on, with what its forward pass did not leave behind recovered."""
    before, saved = _recover(common, kept, n, start, steps)
    additive = common.plan.parts.additive
    return Chunk(common, start, before, saved, *_places(saved, common.shapes, additive))


def _recover(
    common: Common, kept: Kept, n: Any, start: Any, steps: int
) -> tuple[Any, list[jax.Array]]:
    """The carry that entered each step of a chunk, and what its pointwise part saved."""
    plan, invariants, inputs = common.plan, common.invariants, common.inputs
    parts, params = plan.parts, invariants.params
    if kept.borders is not None:
        border = jax.tree.map(lambda leaf: leaf[n], kept.borders)
        wanted = {"before": border, "saved": common.shapes.saved_leaves}
        filled = Filled(border, None, **room(steps, wanted, inputs.xs))
        loop = steps_loop(plan, invariants, filled, inputs, None, start, steps, 0)
        filled, *_ = loop.run(loop.state, invariants.one)
        return filled.before, filled.saved
    before = slice_time(kept.before, start, steps)
    if kept.saved is not None:
        return before, kept.saved
    xs = masked(*slice_time((inputs.xs, inputs.valid), start, steps))
    zs = project(parts, params, xs)
    rs = recurrent_product(parts.hidden(before), parts.recurrent_kernel(params), zs.dtype)
    return before, jax.tree.leaves(pointwise_vjp(parts).forward(params, before, zs, rs)[2])


def _gradients(
    chunk: Chunk, adjoint: Adjoint, one: jax.Array
) -> tuple[tuple[Any, Any, Any], jax.Array]:
    """From the gradients of the gates to all others; nothing of it before there is `one`.

    Returns:
      The gradients of the parameters (without that of the recurrent kernel), of the recurrent
      kernel and of the carry at a start; those of the inputs.
    """
    common = chunk.common
    parts, params, shapes = common.plan.parts, common.invariants.params, common.shapes
    steps = len(adjoint.slots[0])
    d_zs, d_rs = adjoint.slots[chunk.at_z], adjoint.slots[chunk.at_r]
    over_time = common.inputs.xs, common.inputs.valid, common.d_ys
    xs, valid, d_ys = slice_time(over_time, chunk.start, steps, common.share)
    if common.share is not None:  # what is cut out of xs would be in memory all the time
        xs, d_ys = after((xs, d_ys), one)
    projection = lambda params, xs: project(parts, params, masked(xs, valid))
    d_params, d_xs = jax.vjp(projection, params, xs)[1](d_zs.astype(shapes.z.dtype))
    derivative = pointwise_vjp(parts)
    if has_inside(common):
        saved = jax.tree.unflatten(shapes.saved, chunk.saved)
        given = params, saved, chunk.before, adjoint.d_afters, masked(d_ys, valid)
        more = parameters_of_pointwise(parts, *given)
        d_params = jax.tree.map(jnp.add, d_params, more)
    elif derivative.parameters is not None:
        more = derivative.parameters(params, chunk.before, d_zs, d_rs)
        d_params = jax.tree.map(jnp.add, d_params, more)
    d_kernel = _outer(parts.hidden(chunk.before), d_rs, shapes.z.dtype)
    return (d_params, d_kernel, adjoint.d_start), d_xs


def _places(saved: list[jax.Array], shapes: StepShapes, additive: bool) -> tuple[int, int]:
    """Which of the saved arrays dr and dz replace; an array beside them where none fits."""
    at_r = fitting(saved, shapes.r)
    beside = len(saved)
    if at_r is None:
        at_r, beside = beside, beside + 1
    if additive:
        return at_r, at_r
    at_z = fitting(saved, shapes.z, (at_r,))
    return at_r, beside if at_z is None else at_z


def _outer(hs: jax.Array, d_rs: jax.Array, compute: Any) -> jax.Array:
    """The gradient of the kernel: the sum over steps and batch of h ⊗ dr, as one matmul."""
    count = math.prod(hs.shape[:-1])  # not -1, because G may be 0
    rows = hs.reshape(count, hs.shape[-1]).astype(compute)
    columns = d_rs.reshape(count, d_rs.shape[-1]).astype(compute)
    wide = jnp.promote_types(compute, jnp.float32)
    return jnp.matmul(rows.T, columns, preferred_element_type=wide)


def _wide_zeros(beside: jax.Array, leaf: jax.Array) -> jax.Array:
    """Where a gradient is summed over chunks: at least float32."""
    return jax.lax.full_like(beside, 0, jnp.promote_types(leaf.dtype, jnp.float32), leaf.shape)
