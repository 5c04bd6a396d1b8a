"""The chunked engine: exact BPTT for dense cells, with nothing in its loops that need not be there.

Time is cut into chunks of K steps. Forward, one matmul projects the inputs of a chunk, and the loop
over its steps holds only `h @ w_h` and the pointwise part. Backward, the pointwise part is
linearised at all steps of a chunk at once; the loop over the steps holds only its transpose and
`dr @ w_h.T`; then each weight gradient is one matmul for the chunk. A chunk fits into the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import DenseParts
from jaxrnn.cells.dense import recurrent_product
from jaxrnn.recurrence.masks import select


class Chunked(NamedTuple):
    """The chunked engine as a backend of `unroll`, with its two knobs.

    Attributes:
      length: K, steps in a chunk; what is left of T is a shorter chunk of its own.
      keep: what is stored for the backward pass. "gates": pre-activations and carries of every
        step, the fastest; "carries": those alone, and one matmul for each chunk recovers the rest;
        "borders": the carry at the border of each chunk, from which the chunk is run again, so that
        memory grows with T / K + K.
    """

    length: int = 16
    keep: Literal["gates", "carries", "borders"] = "gates"


class Plan(NamedTuple):
    """What is fixed when the engine is compiled."""

    parts: DenseParts
    keep: str
    reverse: bool


class Inputs(NamedTuple):
    """What goes into the steps; leaves `[N, K, *B, ...]`, or `[K, *B, ...]` for one chunk."""

    xs: jax.Array
    valid: jax.Array | None
    starts: jax.Array | None


class Kept(NamedTuple):
    """What the backward pass is given of a chunk, as far as it is kept."""

    border: Any  # the carry that entered the chunk, leaves [*B, ...]
    before: Any  # the carry that entered each step, leaves [K, *B, ...]; or None
    gates: Any  # r, or z + r of an additive cell, [K, *B, G]; or None


def chunked(
    parts: DenseParts,
    params: Any,
    carry: Any,
    xs: jax.Array,
    start_carry: Any,
    valid: jax.Array | None,
    starts: jax.Array | None,
    reverse: bool,
    backend: Chunked,
) -> tuple[Any, jax.Array]:
    """Runs a dense cell over the leading axis of `xs`; reverse-mode differentiation only.

    Args:
      parts: the dense cell.
      params: its parameters.
      carry: state before the first step that runs, leaves `[*B, ...]`.
      xs: inputs `[T, *B, D]`.
      start_carry: state at a start, leaves `[*B, ...]`; None without `starts`.
      valid: `[T, *B]`; where false the carry freezes and the output is zero. None: all are.
      starts: `[T, *B]`; where true the carry becomes `start_carry` before the step. None: nowhere.
      reverse: run from the last step to the first.
      backend: the length of a chunk and what is kept.

    Returns:
      As `scan`: the carry after the last step that ran, and the outputs `[T, *B, H]`.
    """
    run = partial(_run, Plan(parts, backend.keep, reverse), params, start_carry)
    length = xs.shape[0]
    whole = length - length % backend.length

    def cut(start: int, stop: int, steps: int) -> Inputs:
        def chunks(leaf: jax.Array) -> jax.Array:
            return leaf[start:stop].reshape(-1, steps, *leaf.shape[1:])

        return jax.tree.map(chunks, Inputs(xs, valid, starts))

    pieces = [cut(0, whole, backend.length)] if whole else []
    pieces += [cut(whole, length, length - whole)] if whole < length else []
    outputs = []
    for piece in reversed(pieces) if reverse else pieces:
        carry, ys = run(carry, piece)
        outputs.append(ys.reshape(-1, *ys.shape[2:]))
    outputs = outputs[::-1] if reverse else outputs
    return carry, outputs[0] if len(outputs) == 1 else jnp.concatenate(outputs)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run(
    plan: Plan, params: Any, start_carry: Any, carry: Any, inputs: Inputs
) -> tuple[Any, jax.Array]:
    """Runs whole chunks; outputs `[N, K, *B, H]`."""
    kernel = plan.parts.recurrent_kernel(params)

    def chunk(carry: Any, inputs: Inputs) -> tuple[Any, jax.Array]:
        carry, (ys, _) = _forward_chunk(plan, params, kernel, start_carry, carry, inputs, False)
        return carry, ys

    return jax.lax.scan(chunk, carry, inputs, reverse=plan.reverse)


def _forward(
    plan: Plan, params: Any, start_carry: Any, carry: Any, inputs: Inputs
) -> tuple[tuple[Any, jax.Array], Any]:
    kernel = plan.parts.recurrent_kernel(params)
    store = plan.keep != "borders"

    def chunk(carry: Any, inputs: Inputs) -> tuple[Any, Any]:
        return _forward_chunk(plan, params, kernel, start_carry, carry, inputs, store)

    carry, (ys, kept) = jax.lax.scan(chunk, carry, inputs, reverse=plan.reverse)
    return (carry, ys), (params, start_carry, inputs, kept)


def _forward_chunk(
    plan: Plan,
    params: Any,
    kernel: jax.Array,
    start_carry: Any,
    border: Any,
    inputs: Inputs,
    store: bool,
) -> tuple[Any, tuple[jax.Array, Kept]]:
    """Runs one chunk; keeps what the plan says if `store`, else the border alone."""
    parts = plan.parts
    zs = parts.project(params, _masked(inputs.xs, inputs.valid))

    def step(carry: Any, inputs: tuple[Any, Any, Any]) -> tuple[Any, Any]:
        z, real, start = inputs
        before = carry
        if start is not None:
            before = jax.tree.map(partial(select, start), start_carry, before)
        r = recurrent_product(parts.hidden(before), kernel, z.dtype)
        after, y = parts.pointwise(params, before, z, r)
        if real is not None:
            after = jax.tree.map(partial(select, real), after, carry)
            y = select(real, y, jnp.zeros_like(y))
        gates = None
        if store and plan.keep != "carries":
            gates = z + r if parts.additive else r
        return after, (y, before if store else None, gates)

    steps = (zs, inputs.valid, inputs.starts)
    carry, (ys, before, gates) = jax.lax.scan(step, border, steps, reverse=plan.reverse)
    return carry, (ys, Kept(border, before, gates))


def _backward(plan: Plan, kept: Any, cotangents: Any) -> tuple[Any, Any, Any, Inputs]:
    params, start_carry, inputs, kept = kept
    d_carry, d_ys = cotangents
    kernel, kernel_vjp = jax.vjp(plan.parts.recurrent_kernel, params)
    chunk = partial(_backward_chunk, plan, params, kernel, start_carry)
    sums = jax.tree.map(_wide_zeros, (params, kernel, start_carry))
    (d_carry, d_sums), d_xs = jax.lax.scan(
        chunk, (d_carry, sums), (inputs, kept, d_ys), reverse=not plan.reverse
    )
    d_params, d_kernel, d_start = d_sums
    d_params = jax.tree.map(jnp.add, d_params, kernel_vjp(d_kernel.astype(kernel.dtype))[0])
    d_params, d_start = jax.tree.map(
        lambda leaf, like: leaf.astype(like.dtype), (d_params, d_start), (params, start_carry)
    )
    return d_params, d_start, d_carry, Inputs(d_xs, None, None)


def _backward_chunk(
    plan: Plan, params: Any, kernel: jax.Array, start_carry: Any, state: Any, chunk: Any
) -> tuple[Any, jax.Array]:
    """Takes the adjoint of the carry back through one chunk and adds up the weight gradients."""
    parts = plan.parts
    d_carry, (d_params, d_kernel, d_start) = state
    inputs, kept, d_ys = chunk
    if plan.keep == "borders":
        _, (_, kept) = _forward_chunk(
            plan, params, kernel, start_carry, kept.border, inputs, store=True
        )
    x, valid, starts = inputs.xs, inputs.valid, inputs.starts
    zs, project_vjp = jax.vjp(parts.project, params, _masked(x, valid))
    point, arguments = _pointwise(parts, kernel, kept, zs)

    def linearise(before: Any, *gates: jax.Array) -> tuple[Any, Any]:
        pointwise_vjp = jax.vjp(partial(point, params), before, *gates)[1]
        return pointwise_vjp, jax.vjp(parts.hidden, before)[1]

    def step(state: Any, inputs: tuple[Any, ...]) -> tuple[Any, Any]:
        d_carry, d_start = state
        (pointwise_vjp, hidden_vjp), d_y, real, start = inputs
        d_after = d_carry
        if real is not None:
            d_after = jax.tree.map(lambda leaf: _masked(leaf, real), d_carry)
        d_before, *d_gates = pointwise_vjp((d_after, d_y))
        d_h = recurrent_product(d_gates[-1], kernel.T, zs.dtype)
        d_before = jax.tree.map(jnp.add, d_before, hidden_vjp(d_h)[0])
        if start is not None:
            d_start = jax.tree.map(lambda sum, leaf: sum + _masked(leaf, start), d_start, d_before)
            d_before = jax.tree.map(lambda leaf: _masked(leaf, ~start), d_before)
        if real is not None:
            d_before = jax.tree.map(partial(select, real), d_before, d_carry)
        return (d_before, d_start), (d_after, d_gates)

    d_ys = _masked(d_ys, valid)
    steps = (jax.vmap(linearise)(*arguments), d_ys, valid, starts)
    state, (d_after, d_gates) = jax.lax.scan(
        step, (d_carry, d_start), steps, reverse=not plan.reverse
    )
    d_carry, d_start = state
    # The parameters inside the pointwise part, all steps at once; most cells have none there.
    (d_point,) = jax.vjp(lambda params: point(params, *arguments), params)[1]((d_after, d_ys))
    d_project, d_x = project_vjp(d_gates[0].astype(zs.dtype))
    d_params = jax.tree.map(lambda *leaves: sum(leaves), d_params, d_point, d_project)
    d_kernel = d_kernel + _outer(parts.hidden(kept.before), d_gates[-1], zs.dtype)
    return (d_carry, (d_params, d_kernel, d_start)), _masked(d_x, valid)


def _pointwise(
    parts: DenseParts, kernel: jax.Array, kept: Kept, zs: jax.Array
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Returns the pointwise part as a function of what is differentiated, and its arguments.

    They are `(before, z, r)`, or `(before, z + r)` of an additive cell.
    """
    gates = kept.gates
    if gates is None:
        gates = recurrent_product(parts.hidden(kept.before), kernel, zs.dtype)
        gates = zs + gates if parts.additive else gates
    if not parts.additive:
        return parts.pointwise, (kept.before, zs, gates)
    zero = jnp.zeros((), zs.dtype)
    return (
        lambda params, before, gates: parts.pointwise(params, before, zero, gates),
        (kept.before, gates),
    )


def _outer(hs: jax.Array, d_rs: jax.Array, compute: Any) -> jax.Array:
    """The gradient of the kernel: the sum over steps and batch of h ⊗ dr, as one matmul."""
    rows = hs.reshape(-1, hs.shape[-1]).astype(compute)
    columns = d_rs.reshape(-1, d_rs.shape[-1]).astype(compute)
    wide = jnp.promote_types(compute, jnp.float32)
    return jnp.matmul(rows.T, columns, preferred_element_type=wide)


def _masked(array: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Zeros where the mask is false, so that NaN in the padding goes no further."""
    return array if mask is None else select(mask, array, jnp.zeros_like(array))


def _wide_zeros(leaf: jax.Array) -> jax.Array:
    """Where a gradient is summed over chunks: at least float32."""
    return jnp.zeros(leaf.shape, jnp.promote_types(leaf.dtype, jnp.float32))


_run.defvjp(_forward, _backward)

chunked_compiled = jax.jit(
    chunked, static_argnames=("parts", "reverse", "backend"), inline=True
)  # for use outside `jit`, as `scan_compiled`
