"""A layer on the two kernels, with its gradient."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from fused.backward_kernel import backward
from fused.block import SEQUENCES, UNITS
from fused.forward_kernel import Leaves, forward
from fused.per_gate import PerGate, per_gate
from jaxrnn import Cell
from jaxrnn.cells.cell import DenseParts
from jaxrnn.cells.checks import require


def fused(
    cell: Cell, params: Any, carry: Any, xs: jax.Array, *, interpret: Any = None
) -> tuple[Any, jax.Array]:
    """Runs a dense cell over a sequence, each way in one launch; reverse-mode differentiation.

    Args:
      cell: a dense cell of a size that `UNITS` divides, with an elementwise `pointwise`.
      params: its parameters.
      carry: state before the first step, leaves `[B, H]`; inside the loop it is float32.
      xs: inputs `[T, B, D]` in bfloat16 or float16; T is not 0.
      interpret: None on a GPU, `InterpretGPUParams()` elsewhere.

    Returns:
      The carry after the last step and the outputs `[T, B, H]`, as `unroll` does.

    Raises:
      ValueError: if the cell, its size or the dtype does not fit.
    """
    require(cell.dense is not None, "cell", "be dense", cell)
    short = xs.dtype in (jnp.bfloat16, jnp.float16)
    require(short, "xs", "be of bfloat16 or float16", xs.dtype)
    (size,) = cell.out_shape or (0,)
    require(size > 0 and size % UNITS == 0, "hidden_size", f"be a multiple of {UNITS}", size)
    batch = xs.shape[1]
    more = -batch % SEQUENCES
    carry = jax.tree.map(lambda leaf: jnp.pad(leaf, [(0, more), (0, 0)]), carry)
    xs = jnp.pad(xs, [(0, 0), (0, more), (0, 0)])
    ran: Any = _run(cell.dense, interpret, params, carry, xs)
    carry, ys = ran
    return jax.tree.map(lambda leaf: leaf[:batch], carry), ys[:, :batch]


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _run(parts: DenseParts, interpret: Any, params: Any, carry: Any, xs: jax.Array) -> Any:
    return _run_forward(parts, interpret, params, carry, xs)[0]


def _run_forward(parts: DenseParts, interpret: Any, params: Any, carry: Any, xs: jax.Array) -> Any:
    cell = per_gate(parts, params, carry)
    z, w = _turned(parts.project(params, xs)), parts.recurrent_kernel(params).astype(xs.dtype)
    leaves, structure = jax.tree.flatten(carry)
    start = [_turned(leaf).astype(jnp.float32) for leaf in leaves]
    ys, after = forward(cell, z, w, _inside(cell, params), start, interpret)
    last = [_turned(a[-1]).astype(leaf.dtype) for a, leaf in zip(after, leaves, strict=True)]
    return (structure.unflatten(last), _turned(ys)), (params, carry, xs, z, after)


def _run_backward(parts: DenseParts, interpret: Any, kept: Any, cotangents: Any) -> Any:
    params, carry, xs, z, after = kept
    d_last, d_ys = cotangents
    cell, (leaves, structure) = per_gate(parts, params, carry), jax.tree.flatten(carry)
    kernel, to_params = jax.vjp(parts.recurrent_kernel, params)
    w = kernel.astype(xs.dtype)
    first = [_turned(leaf).astype(jnp.float32) for leaf in leaves]
    before = [jnp.concatenate([a[None], b[:-1]]) for a, b in zip(first, after, strict=True)]
    h = cell.hidden(before).astype(xs.dtype)
    r = jnp.einsum("hg,thb->tgb", w, h)
    inputs = [z + r] if parts.additive else [z, r]
    d_carry = [_turned(leaf).astype(jnp.float32) for leaf in jax.tree.leaves(d_last)]
    inside = _inside(cell, params)
    found = backward(cell, inputs, w, inside, before, _turned(d_ys), d_carry, interpret)
    d_w = jnp.einsum("thb,tgb->hg", h, found.inputs[-1])
    (d_kernel,) = to_params(d_w.astype(kernel.dtype))
    d_projected, d_xs = jax.vjp(parts.project, params, xs)[1](_turned(found.inputs[0]))
    d_inside = _to_params(cell, params, found.inside)
    d_params = jax.tree.map(lambda *each: sum(each), d_kernel, d_projected, d_inside)
    d_first = [_turned(a).astype(leaf.dtype) for a, leaf in zip(found.carry, leaves, strict=True)]
    return d_params, structure.unflatten(d_first), d_xs


_run.defvjp(_run_forward, _run_backward)


def _turned(array: jax.Array) -> jax.Array:
    """Sequences last, or again before the units."""
    return jnp.swapaxes(array, -1, -2)


def _inside(cell: PerGate, params: Any) -> list[Leaves]:
    """The parameters in the pointwise part, gate by gate, once for each sequence of a block."""
    leaves, shape = jax.tree.leaves(params), (cell.size, SEQUENCES)
    vectors = [leaves[number].astype(jnp.float32) for number in cell.inside]
    gates = [jnp.split(vector, vector.size // cell.size) for vector in vectors]
    return [[jnp.broadcast_to(gate[:, None], shape) for gate in each] for each in gates]


def _to_params(cell: PerGate, params: Any, found: Leaves) -> Any:
    """The gradients of the parameters in the pointwise part; zeros for all others."""
    leaves, structure = jax.tree.flatten(params)
    gradients, rest = [jnp.zeros_like(leaf) for leaf in leaves], iter(found)
    for number in cell.inside:
        leaf = leaves[number]
        gates = [next(rest).sum((0, 2)) for _ in range(leaf.size // cell.size)]
        gradients[number] = jnp.concatenate(gates).astype(leaf.dtype)
    return structure.unflatten(gradients)
