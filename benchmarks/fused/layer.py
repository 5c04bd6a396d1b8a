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
    cell: Cell, params: Any, carry: Any, xs: jax.Array, *, heads: int = 1, interpret: Any = None
) -> tuple[Any, jax.Array]:
    """Runs a dense cell over a sequence, each way in one launch; reverse-mode differentiation.

    Args:
      cell: a dense cell of a size that `UNITS` divides, with an elementwise `pointwise`.
      params: its parameters.
      carry: state before the first step, leaves `[B, H]`; inside the loop it is float32.
      xs: inputs `[T, B, D]` in bfloat16 or float16; T is not 0.
      heads: N, if the recurrent kernel mixes units within each of N heads only; `UNITS` divides the
        size of a head, and each has blocks of its own.
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
    fits = size > 0 and size % (UNITS * heads) == 0
    require(fits, "hidden_size", f"be a multiple of {UNITS * heads}", size)
    batch = xs.shape[1]
    more = -batch % SEQUENCES
    carry = jax.tree.map(lambda leaf: jnp.pad(leaf, [(0, more), (0, 0)]), carry)
    xs = jnp.pad(xs, [(0, 0), (0, more), (0, 0)])
    ran: Any = _run(cell.dense, heads, interpret, params, carry, xs)
    carry, ys = ran
    return jax.tree.map(lambda leaf: leaf[:batch], carry), ys[:, :batch]


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _run(
    parts: DenseParts, heads: int, interpret: Any, params: Any, carry: Any, xs: jax.Array
) -> Any:
    return _run_forward(parts, heads, interpret, params, carry, xs)[0]


def _run_forward(
    parts: DenseParts, heads: int, interpret: Any, params: Any, carry: Any, xs: jax.Array
) -> Any:
    cell = _head(parts, heads, params, carry)
    z = _to_columns(cell, heads, parts.project(params, xs))
    w = _of_heads(cell, heads, parts.recurrent_kernel(params).astype(xs.dtype))
    leaves, structure = jax.tree.flatten(carry)
    start = [_to_columns(cell, heads, leaf).astype(jnp.float32) for leaf in leaves]
    ys, after = forward(cell, z, w, _inside(cell, params, heads), start, interpret)
    last = [_to_rows(cell, heads, leaf[-1]) for leaf in after]
    last = [new.astype(old.dtype) for new, old in zip(last, leaves, strict=True)]
    return (structure.unflatten(last), _to_rows(cell, heads, ys)), (params, carry, xs, z, after)


def _run_backward(parts: DenseParts, heads: int, interpret: Any, kept: Any, cotangents: Any) -> Any:
    params, carry, xs, z, after = kept
    d_last, d_ys = cotangents
    cell, (leaves, structure) = _head(parts, heads, params, carry), jax.tree.flatten(carry)
    to_columns, to_rows = partial(_to_columns, cell, heads), partial(_to_rows, cell, heads)
    kernel, to_params = jax.vjp(parts.recurrent_kernel, params)
    w, to_kernel = jax.vjp(partial(_of_heads, cell, heads), kernel.astype(xs.dtype))
    first = [to_columns(leaf).astype(jnp.float32) for leaf in leaves]
    before = [jnp.concatenate([a[None], b[:-1]]) for a, b in zip(first, after, strict=True)]
    h = cell.hidden(before).astype(xs.dtype)
    r = jnp.einsum("nhg,thnb->tgnb", w, _split(h, heads)).reshape(z.shape)
    inputs = [z + r] if parts.additive else [z, r]
    d_carry = [to_columns(leaf).astype(jnp.float32) for leaf in jax.tree.leaves(d_last)]
    inside = _inside(cell, params, heads)
    found = backward(cell, inputs, w, inside, before, to_columns(d_ys), d_carry, interpret)
    d_r = _split(found.inputs[-1], heads)
    (d_kernel,) = to_kernel(jnp.einsum("thnb,tgnb->nhg", _split(h, heads), d_r))
    (d_kernel,) = to_params(d_kernel.astype(kernel.dtype))
    d_projected, d_xs = jax.vjp(parts.project, params, xs)[1](to_rows(found.inputs[0]))
    d_inside = _to_params(cell, params, heads, found.inside)
    d_params = jax.tree.map(lambda *each: sum(each), d_kernel, d_projected, d_inside)
    d_first = [to_rows(a).astype(leaf.dtype) for a, leaf in zip(found.carry, leaves, strict=True)]
    return d_params, structure.unflatten(d_first), d_xs


_run.defvjp(_run_forward, _run_backward)


def _head(parts: DenseParts, heads: int, params: Any, carry: Any) -> PerGate:
    """The pointwise part of one head: that of the cell, because it is elementwise."""
    cell = per_gate(parts, params, carry)
    return cell._replace(size=cell.size // heads)


def _to_columns(cell: PerGate, heads: int, array: jax.Array) -> jax.Array:
    """`[..., B, gates N H]` as `[..., gates H, N B]`: sequences last, one head after another."""
    *rest, batch, width = array.shape
    array = array.reshape(*rest, batch, width // (heads * cell.size), heads, cell.size)
    array = jnp.moveaxis(array, (-4, -2), (-1, -2))  # [..., gates, H, N, B]
    return array.reshape(*rest, width // heads, heads * batch)


def _to_rows(cell: PerGate, heads: int, array: jax.Array) -> jax.Array:
    """Undoes `_to_columns`."""
    *rest, width, batch = array.shape
    array = array.reshape(*rest, width // cell.size, cell.size, heads, batch // heads)
    array = jnp.moveaxis(array, (-1, -2), (-4, -2))  # [..., B, gates, N, H]
    return array.reshape(*rest, batch // heads, width * heads)


def _split(array: jax.Array, heads: int) -> jax.Array:
    """`[..., N B]` as `[..., N, B]`."""
    return array.reshape(*array.shape[:-1], heads, -1)


def _of_heads(cell: PerGate, heads: int, kernel: jax.Array) -> jax.Array:
    """The kernel of each head, `[N, H, gates H]`, from the whole with zeros between heads."""
    whole = kernel.reshape(heads, cell.size, cell.gates, heads, cell.size)
    return jnp.einsum("nugnv->nugv", whole).reshape(heads, cell.size, -1)


def _inside(cell: PerGate, params: Any, heads: int) -> list[Leaves]:
    """The parameters in the pointwise part, gate by gate, once for each sequence of a block."""
    leaves, shape = jax.tree.leaves(params), (heads, cell.size, SEQUENCES)
    vectors = [leaves[number].astype(jnp.float32) for number in cell.inside]
    gates = [vector.reshape(-1, heads, cell.size, 1) for vector in vectors]
    return [[jnp.broadcast_to(gate, shape) for gate in each] for each in gates]


def _to_params(cell: PerGate, params: Any, heads: int, found: Leaves) -> Any:
    """The gradients of the parameters in the pointwise part; zeros for all others."""
    leaves, structure = jax.tree.flatten(params)
    gradients, rest = [jnp.zeros_like(leaf) for leaf in leaves], iter(found)
    for number in cell.inside:
        leaf = leaves[number]
        of_heads = lambda tiles: tiles.reshape(heads, -1, cell.size, SEQUENCES).sum((1, 3)).ravel()
        gates = [of_heads(next(rest)) for _ in range(leaf.size // (heads * cell.size))]
        gradients[number] = jnp.concatenate(gates).astype(leaf.dtype)
    return structure.unflatten(gradients)
