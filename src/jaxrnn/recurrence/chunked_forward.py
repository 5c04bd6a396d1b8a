"""The forward pass of the chunked engine."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax

from jaxrnn.cells.cell import DenseParts
from jaxrnn.cells.rules import recurrent_product
from jaxrnn.recurrence.buffers import loop, over_chunks, read, read_gates, room, write
from jaxrnn.recurrence.masks import masked, select
from jaxrnn.recurrence.pointwise import pointwise_vjp
from jaxrnn.recurrence.product import Product, product_with


class Plan(NamedTuple):
    """What is fixed when the engine is compiled."""

    parts: DenseParts
    length: int  # K
    block: int  # steps whose inputs are projected by one matmul
    gates: int  # G / H; 0 if H does not divide G
    keep: str
    reverse: bool


class Inputs(NamedTuple):
    """What goes into the steps, over all of time or one chunk of it."""

    xs: jax.Array  # [T, *B, D]
    valid: jax.Array | None  # [T, *B]
    starts: jax.Array | None  # [T, *B]


class Invariants(NamedTuple):
    """What every step uses, made before the loop."""

    params: Any
    product: Product  # h -> h @ w_h
    start_carry: Any


class Kept(NamedTuple):
    """What the forward pass leaves for the backward pass; None where the plan does not keep it."""

    borders: Any = None  # the carry that entered each chunk, leaves [T / K, *B, ...]
    before: Any = None  # the carry that entered each step, leaves [T, *B, ...]
    saved: Any = None  # what the pointwise part saved, a list of leaves [T, *B, ...]


def forward(
    plan: Plan, params: Any, start_carry: Any, carry: Any, inputs: Inputs, store: bool
) -> tuple[tuple[Any, jax.Array], Kept]:
    """Runs all chunks.

    Returns:
      The carry after the last step that ran and the outputs `[T, *B, H]`; what is kept if `store`.
    """
    length = len(inputs.xs)
    shapes = step_shapes(plan.parts, params, carry, inputs.xs)
    invariants = invariants_of(plan.parts, params, start_carry, shapes.z.dtype)
    keep = plan.keep if store else None
    # Only at borders does anything happen between two chunks.
    steps = plan.length if keep == "borders" else length
    kept = Kept()
    if keep == "borders":
        kept = kept._replace(borders=room(-(-length // plan.length), carry, inputs.xs))
    if keep in ("gates", "carries"):
        kept = kept._replace(before=room(length, carry, inputs.xs))
    if keep == "gates":
        kept = kept._replace(saved=room(length, shapes.saved_leaves, inputs.xs))

    def chunk(state: Any, n: Any, start: Any, steps: int) -> Any:
        carry, ys, kept = state
        if kept.borders is not None:
            kept = kept._replace(borders=write(kept.borders, carry, n))
        piece = slice_time(inputs, start, steps)
        state = carry, ys, kept.before, kept.saved
        carry, ys, before, saved = forward_steps(plan, invariants, state, piece, start)
        return carry, ys, kept._replace(before=before, saved=saved)

    state = carry, room(length, shapes.y, inputs.xs), kept
    carry, ys, kept = over_chunks(chunk, state, length, steps, plan.reverse)
    return (carry, ys), kept


def invariants_of(parts: DenseParts, params: Any, start_carry: Any, compute: Any) -> Invariants:
    """What every step uses; the products are made in the dtype `compute`."""
    return Invariants(params, product_with(parts.recurrent_kernel(params), compute), start_carry)


def forward_steps(
    plan: Plan, invariants: Invariants, state: Any, inputs: Inputs, start: Any
) -> Any:
    """Runs the steps of `inputs`, block by block.

    `state` is `(carry, ys, before, saved)`: the arrays over time are filled from slot `start` on,
    and any of them may be None.
    """

    def block(state: Any, n: Any, first: Any, steps: int) -> Any:
        piece = slice_time(inputs, first, steps)
        return _forward_block(plan, invariants, state, piece, start + first)

    return over_chunks(block, state, len(inputs.xs), plan.block, plan.reverse)


def _forward_block(
    plan: Plan, invariants: Invariants, state: Any, piece: Inputs, start: Any
) -> Any:
    """Runs steps whose inputs are projected by one matmul."""
    parts = plan.parts
    zs = project(parts, invariants.params, piece)
    point = pointwise_vjp(parts).forward
    # A `forward` written by hand takes z + r first if it is additive, or each gate on its own.
    ahead = plan.gates != 1 and (parts.pointwise_vjp is None or plan.gates == 0)
    read_z = read if ahead or parts.additive else partial(read_gates, plan.gates)

    def fetch(state: Any, k: Any) -> Any:
        return read_z(zs, k), *read((piece.valid, piece.starts), k)

    def step(state: Any, inputs: Any, k: Any) -> Any:
        carry, ys, before, saved = state
        z, real, begins = inputs
        entering = carry
        if begins is not None:
            entering = jax.tree.map(partial(select, begins), invariants.start_carry, carry)
        r = invariants.product(parts.hidden(entering))
        after, y, new = point(invariants.params, entering, z, r)
        if real is not None:
            after = jax.tree.map(partial(select, real), after, carry)
            y = masked(y, real)
        t = start + k
        ys = None if ys is None else write(ys, y, t)
        before = None if before is None else write(before, entering, t)
        saved = None if saved is None else write(saved, jax.tree.leaves(new), t)
        return (after, ys, before, saved), None

    return loop(step, state, fetch, len(zs), plan.reverse, ahead)[0]


def project(parts: DenseParts, params: Any, piece: Inputs) -> jax.Array:
    """`z [K, *B, G]` of a chunk; all steps and sequences are rows of one matrix."""
    xs = masked(piece.xs, piece.valid)
    return parts.project(params, xs.reshape(-1, xs.shape[-1])).reshape(*xs.shape[:-1], -1)


def slice_time(tree: Any, start: Any, steps: int) -> Any:
    """The slots `start .. start+steps-1` of every array of a pytree."""
    if jax.tree.leaves(tree) and len(jax.tree.leaves(tree)[0]) == steps:
        return tree
    return jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, steps), tree)


class StepShapes(NamedTuple):
    """Shapes and dtypes of what one step makes."""

    z: jax.ShapeDtypeStruct
    r: jax.ShapeDtypeStruct
    y: jax.ShapeDtypeStruct
    saved_leaves: list[jax.ShapeDtypeStruct]
    saved: Any  # the structure of the pytree with these leaves


def step_shapes(parts: DenseParts, params: Any, carry: Any, xs: jax.Array) -> StepShapes:
    """What one step of `xs [T, *B, D]` makes."""

    def step(carry: Any, x: jax.Array) -> Any:
        z = parts.project(params, x)
        r = recurrent_product(parts.hidden(carry), parts.recurrent_kernel(params), z.dtype)
        _, y, saved = pointwise_vjp(parts).forward(params, carry, z, r)
        return z, r, y, saved

    x = jax.ShapeDtypeStruct(xs.shape[1:], xs.dtype)
    z, r, y, saved = jax.eval_shape(step, carry, x)
    return StepShapes(z, r, y, *jax.tree.flatten(saved))
