"""The backward pass of the chunked engine."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import DenseParts
from jaxrnn.cells.rules import recurrent_product
from jaxrnn.recurrence.buffers import fitting, loop, over_chunks, read, room, write
from jaxrnn.recurrence.chunked_forward import (
    Inputs,
    Invariants,
    Kept,
    Plan,
    forward_steps,
    invariants_of,
    project,
    slice_time,
    step_shapes,
)
from jaxrnn.recurrence.masks import masked, select
from jaxrnn.recurrence.pointwise import parameters_of_pointwise, pointwise_vjp
from jaxrnn.recurrence.product import Product, product_with


def backward(plan: Plan, residuals: Any, cotangents: Any) -> tuple[Any, Any, Any, Inputs]:
    """From the cotangents of the last carry and the outputs to those of everything that went in."""
    params, start_carry, inputs, kept = residuals
    d_carry, d_ys = cotangents
    length = len(inputs.xs)
    # With the gates kept nothing is run again, so there is no reason to cut time into chunks.
    steps = length if plan.keep == "gates" else plan.length
    kernel, kernel_vjp = jax.vjp(plan.parts.recurrent_kernel, params)
    shapes = step_shapes(plan.parts, params, d_carry, inputs.xs)
    invariants = invariants_of(plan.parts, params, start_carry, shapes.z.dtype)
    transposed = product_with(kernel.T, shapes.z.dtype)
    sums = jax.tree.map(partial(_wide_zeros, inputs.xs), (params, kernel, start_carry))

    def chunk(state: Any, n: Any, start: Any, steps: int) -> Any:
        d_carry, sums, d_xs = state
        piece, d_y = slice_time((inputs, d_ys), start, steps)
        before, saved = _recover(plan, invariants, piece, kept, n, start)
        d_carry, gradients, d_x = _backward_chunk(
            plan, invariants, transposed, d_carry, piece, masked(d_y, piece.valid), before, saved
        )
        sums = jax.tree.map(jnp.add, sums, gradients)
        if steps == length:
            return d_carry, sums, d_x
        return d_carry, sums, jax.lax.dynamic_update_slice_in_dim(d_xs, d_x, start, 0)

    state = d_carry, sums, jax.lax.full_like(inputs.xs, 0)
    d_carry, sums, d_xs = over_chunks(chunk, state, length, steps, not plan.reverse)
    d_params, d_kernel, d_start = sums
    d_params = jax.tree.map(jnp.add, d_params, kernel_vjp(d_kernel.astype(kernel.dtype))[0])
    d_params, d_start = jax.tree.map(
        lambda leaf, like: leaf.astype(like.dtype), (d_params, d_start), (params, start_carry)
    )
    return d_params, d_start, d_carry, Inputs(d_xs, None, None)


def _recover(
    plan: Plan, invariants: Invariants, piece: Inputs, kept: Kept, n: Any, start: Any
) -> tuple[Any, Any]:
    """The carry that entered each step of a chunk, and what its pointwise part saved."""
    parts, params, steps = plan.parts, invariants.params, len(piece.xs)
    if kept.borders is not None:
        border = read(kept.borders, n)
        before = room(steps, border, piece.xs)
        shapes = step_shapes(parts, params, border, piece.xs).saved_leaves
        saved = room(steps, shapes, piece.xs)
        state = border, None, before, saved
        return forward_steps(plan, invariants, state, piece, 0)[2:]
    before = slice_time(kept.before, start, steps)
    if kept.saved is not None:
        return before, kept.saved
    zs = project(parts, params, piece)
    rs = recurrent_product(parts.hidden(before), parts.recurrent_kernel(params), zs.dtype)
    return before, jax.tree.leaves(pointwise_vjp(parts).forward(params, before, zs, rs)[2])


def _backward_chunk(
    plan: Plan,
    invariants: Invariants,
    transposed: Product,
    d_carry: Any,
    piece: Inputs,
    d_ys: jax.Array,
    before: Any,
    saved: list[jax.Array],
) -> tuple[Any, tuple[Any, jax.Array, Any], jax.Array]:
    """Takes the adjoint of the carry back through one chunk.

    Returns:
      The adjoint of the carry before the chunk; the gradients of the parameters (without that of
      the recurrent kernel), of the recurrent kernel and of the carry at a start; those of the
      inputs.
    """
    parts, params = plan.parts, invariants.params
    derivative = pointwise_vjp(parts)
    shapes = step_shapes(parts, params, read(before, 0), piece.xs)
    # The gradients of the gates take the place of what was saved, where that has room for them.
    slots = list(saved)
    at_r = _place(slots, shapes.r, (), piece.xs)
    at_z = at_r if parts.additive else _place(slots, shapes.z, (at_r,), piece.xs)

    def fetch(state: Any, k: Any) -> Any:
        slots = state[2][: len(saved)]
        return read((slots, before, d_ys, piece.valid, piece.starts), k)

    def step(state: Any, inputs: Any, k: Any) -> Any:
        d_carry, d_start, slots = state
        kept, entering, d_y, real, begins = inputs
        d_after = d_carry
        if real is not None:
            d_after = jax.tree.map(lambda leaf: masked(leaf, real), d_carry)
        kept = jax.tree.unflatten(shapes.saved, kept)
        d_before, d_z, d_r = derivative.backward(params, kept, entering, d_after, d_y)
        h, hidden_vjp = jax.vjp(parts.hidden, entering)
        d_h = transposed(d_r).astype(h.dtype)
        d_before = jax.tree.map(jnp.add, d_before, hidden_vjp(d_h)[0])
        if begins is not None:
            d_start = jax.tree.map(lambda sum, d: sum + masked(d, begins), d_start, d_before)
            d_before = jax.tree.map(lambda d: masked(d, ~begins), d_before)
        if real is not None:
            d_before = jax.tree.map(partial(select, real), d_before, d_carry)
        slots = list(slots)
        for at, d in {at_z: d_z, at_r: d_r}.items():
            slots[at] = write(slots[at], d.astype(slots[at].dtype), k)
        return (d_before, d_start, slots), d_after

    d_start = jax.tree.map(jnp.zeros_like, invariants.start_carry)
    state = d_carry, d_start, slots
    (d_carry, d_start, slots), d_afters = loop(
        step, state, fetch, len(d_ys), not plan.reverse, ahead=True
    )
    d_zs, d_rs = slots[at_z], slots[at_r]
    d_params, d_x = _project_vjp(parts, params, piece, d_zs.astype(shapes.z.dtype))
    if parts.pointwise_vjp is None:
        kept = jax.tree.unflatten(shapes.saved, saved)
        inside = parameters_of_pointwise(parts, params, kept, before, d_afters, d_ys)
        d_params = jax.tree.map(jnp.add, d_params, inside)
    elif derivative.parameters is not None:
        inside = derivative.parameters(params, before, d_zs, d_rs)
        d_params = jax.tree.map(jnp.add, d_params, inside)
    d_kernel = _outer(parts.hidden(before), d_rs, shapes.z.dtype)
    return d_carry, (d_params, d_kernel, d_start), d_x


def _place(slots: list[jax.Array], wanted: Any, taken: tuple[int, ...], beside: jax.Array) -> int:
    """Where in `slots` an array over time of `wanted` goes; a new one is added if none fits."""
    at = fitting(slots, wanted, taken)
    if at is None:
        at = len(slots)
        slots.append(room(len(slots[0]), wanted, beside))
    return at


def _project_vjp(
    parts: DenseParts, params: Any, piece: Inputs, d_zs: jax.Array
) -> tuple[Any, jax.Array]:
    """The gradients of the parameters and the inputs of `project`, in one matmul each."""
    _, project_vjp = jax.vjp(lambda params, piece: project(parts, params, piece), params, piece)
    d_params, d_piece = project_vjp(d_zs)
    return d_params, d_piece.xs


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
