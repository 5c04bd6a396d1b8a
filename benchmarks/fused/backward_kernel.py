"""Backward: the loop from the last step to the first, with the derivative that JAX takes of a cell.

The transpose of the pointwise part is `jax.vjp` of its gates, traced into the kernel. What the
products with the inputs need is written out, and the gradients of weights are one product each
behind the loop, outside.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

from fused import block
from fused.block import SEQUENCES, UNITS, Here, Plan
from fused.forward_kernel import Leaves
from fused.jaxprs import in_mosaic
from fused.per_gate import Gates, PerGate


class Gradients(NamedTuple):
    """What comes of the backward pass."""

    inputs: Leaves  # of z + r, or of z and of r: [T, G, B] in 16 bits
    carry: Leaves  # of the carry before the first step, [H, B]
    inside: Leaves  # of the gates of the parameters, [B / SEQUENCES, H, SEQUENCES], not summed


class Streams(NamedTuple):
    """What is read step by step, and written."""

    inputs: Leaves
    states: Leaves
    d_ys: Any
    d_inputs: Leaves


def backward(
    cell: PerGate,
    inputs: Leaves,
    w: jax.Array,
    inside: list[Leaves],
    states: Leaves,
    d_ys: jax.Array,
    d_carry: Leaves,
    interpret: Any,
) -> Gradients:
    """Runs the derivative of a cell backwards over time.

    Args:
      cell: its pointwise part.
      inputs: z + r of an additive cell, or z and r, each `[T, G, B]` in 16 bits.
      w: recurrent kernel of each head `[N, H, G]` in 16 bits.
      inside: parameters of the pointwise part, gate by gate, each `[N, H, SEQUENCES]`, float32.
      states: of each leaf of the carry what it is before each step, `[T, H, B]`, float32.
      d_ys: cotangents of the outputs `[T, H, B]` in 16 bits.
      d_carry: those of the carry after the last step, leaves `[H, B]`, float32.
      interpret: None on a GPU, `InterpretGPUParams()` elsewhere.
    """
    (length, width, batch), size = inputs[0].shape, cell.size
    vectors = tuple(len(gates) for gates in inside)
    plan = Plan(cell, length, batch, len(w), len(states), vectors, 0)
    kinds, groups = len(inputs), plan.groups
    read = [state for state, reads in zip(states, cell.reads, strict=True) if reads]
    slots, scratch = block.with_room(partial(_memory, plan, w.dtype, kinds, len(read)))
    plan = plan._replace(slots=slots)
    streams = kinds * cell.gates + len(read) + 1
    scratch |= {
        "arrived": plgpu.Barrier(num_arrivals=streams, num_barriers=slots * groups),
        "kernel": plgpu.Barrier(num_arrivals=cell.gates * groups, num_barriers=groups),
        "begun": plgpu.Barrier(num_arrivals=1, num_barriers=groups),
        "shared": plgpu.Barrier(num_arrivals=groups),
    }
    tiles = batch // SEQUENCES
    leaf = lambda *shape: jax.ShapeDtypeStruct(shape, jnp.float32)
    out = [jax.ShapeDtypeStruct((length, width, batch), w.dtype)] * kinds
    out += [leaf(size, batch)] * plan.leaves + [leaf(tiles, size, SEQUENCES)] * sum(vectors)
    run = block.launch(plan, partial(_kernel, kinds), out, scratch, interpret)
    found = run(*inputs, w, *block.flat(inside), *read, d_ys, *d_carry)
    return Gradients(*_cut(list(found), kinds, plan.leaves, sum(vectors)))


def _cut(flat: list[Any], *counts: int) -> list[list[Any]]:
    """Cuts a list into pieces."""
    rest = iter(flat)
    return [[next(rest) for _ in range(count)] for count in counts]


def _memory(plan: Plan, dtype: Any, kinds: int, read: int, slots: int) -> dict[str, Any]:
    gates, tile = plan.cell.gates, plan.tile
    return {
        "z": plgpu.SMEM((slots, kinds, gates, *tile), dtype),
        "state": plgpu.SMEM((slots, read, *tile), jnp.float32),
        "d_y": plgpu.SMEM((slots, *tile), dtype),
        "w": block.operand((plan.groups, gates, plan.groups, UNITS, UNITS), dtype),
        "d_r": block.operand((2, gates, *tile), dtype),
        "d_z": plgpu.SMEM((kinds - 1, gates, *tile), dtype),
        "edge": plgpu.SMEM(tile, jnp.float32),
        "inside": plgpu.SMEM((sum(plan.vectors), *tile), jnp.float32),
    }


def _kernel(kinds: int, plan: Plan, here: Here, hbm: list[Any], m: Any) -> None:
    """What a warpgroup does."""
    cell, group, count = plan.cell, here.group, sum(plan.vectors)
    counts = kinds, 1, count, sum(cell.reads), 1, plan.leaves, kinds, plan.leaves, count
    inputs, (w,), vectors, states, (d_ys,), last, d_inputs, first, d_vectors = _cut(hbm, *counts)
    streams = Streams(inputs, states, d_ys, d_inputs)
    for g in range(cell.gates):
        for k in range(plan.groups):
            source = w.at[here.head, here.units, pl.ds(g * plan.cell.size + k * UNITS, UNITS)]
            plgpu.copy_gmem_to_smem(source, m.w.at[group, g, k], m.kernel.at[group])
    for s in range(min(plan.slots - 1, plan.length)):
        _fetch(plan, here, streams, m, s)
    for i, vector in enumerate(vectors):
        plgpu.copy_gmem_to_smem(
            vector.at[here.head, here.units], m.inside.at[i, group], m.begun.at[group]
        )
        plgpu.barrier_wait(m.begun.at[group])
    d_carry = tuple(_edge(here, leaf, m) for leaf in last)
    plgpu.barrier_wait(m.kernel.at[group])
    start = d_carry, [block.zeros() for _ in range(count)]
    step = partial(_step, plan, here, streams, m)
    d_carry, d_inside = lax.fori_loop(0, plan.length, step, start)
    for value, leaf in zip(d_carry, first, strict=True):
        _write_out(m.edge.at[group], value, leaf.at[here.units, here.columns])
    for value, leaf in zip(d_inside, d_vectors, strict=True):
        _write_out(m.edge.at[group], value, leaf.at[lax.axis_index("tile"), here.units])
    plgpu.wait_smem_to_gmem(0)


def _edge(here: Here, leaf: Any, m: Any) -> jax.Array:
    """A leaf of the cotangent with which the loop begins."""
    ref, begun = m.edge.at[here.group], m.begun.at[here.group]
    plgpu.copy_gmem_to_smem(leaf.at[here.units, here.columns], ref, begun)
    plgpu.barrier_wait(begun)
    value = block.read(ref)
    plgpu.commit_smem()  # read before the next one comes
    return value


def _write_out(ref: Any, value: jax.Array, target: Any) -> None:
    plgpu.wait_smem_to_gmem(0, wait_read_only=True)
    ref[...] = value
    plgpu.commit_smem()
    plgpu.copy_smem_to_gmem(ref, target)


def _fetch(plan: Plan, here: Here, streams: Streams, m: Any, s: Any) -> None:
    """Sends for what a step reads; s counts from the last step."""
    slot, t, group = lax.rem(s, plan.slots), plan.length - 1 - s, here.group
    arrived = m.arrived.at[group * plan.slots + slot]
    for kind, stream in enumerate(streams.inputs):
        for g in range(plan.cell.gates):
            source = stream.at[t, here.of_gate(plan, g), here.columns]
            plgpu.copy_gmem_to_smem(source, m.z.at[slot, kind, g, group], arrived)
    for i, stream in enumerate(streams.states):
        source = stream.at[t, here.units, here.columns]
        plgpu.copy_gmem_to_smem(source, m.state.at[slot, i, group], arrived)
    source = streams.d_ys.at[t, here.units, here.columns]
    plgpu.copy_gmem_to_smem(source, m.d_y.at[slot, group], arrived)


def _step(plan: Plan, here: Here, streams: Streams, m: Any, s: Any, loop: Any) -> Any:
    d_carry, d_inside = loop
    cell, group, ahead, kinds = plan.cell, here.group, plan.slots - 1, len(streams.inputs)
    slot, turn, t = lax.rem(s, plan.slots), lax.rem(s, 2), plan.length - 1 - s
    pl.when(s + ahead < plan.length)(lambda: _fetch(plan, here, streams, m, s + ahead))
    plgpu.barrier_wait(m.arrived.at[group * plan.slots + slot])
    numbers = iter(range(plan.leaves))
    before = tuple(
        block.read(m.state.at[slot, next(numbers), group]) if read else block.zeros()
        for read in cell.reads
    )
    inputs = [
        [block.read(m.z.at[slot, kind, g, group]) for g in range(cell.gates)]
        for kind in range(kinds)
    ]
    inside = block.read_vectors(plan, m, group)

    def point(inside: list[Gates], before: Any, inputs: list[Gates]) -> Any:
        z, r = inputs if kinds == 2 else (inputs[0], [jnp.zeros((), jnp.float32)] * cell.gates)
        return cell.point(inside, before, z, r)

    def pull(inside: list[Gates], before: Any, inputs: list[Gates], d_carry: Any, d_y: Any) -> Any:
        return jax.vjp(point, inside, before, inputs)[1]((d_carry, d_y))

    d_y = block.read(m.d_y.at[slot, group])
    more, d_before, d_inputs = in_mosaic(pull, inside, before, inputs, d_carry, d_y)
    plgpu.wait_smem_to_gmem(0, wait_read_only=True)  # until what the last step wrote is on its way
    shared = [m.d_r.at[turn]] if kinds == 1 else [m.d_z.at[0], m.d_r.at[turn]]
    for gates, kind in zip(d_inputs, shared, strict=True):
        for g, gate in enumerate(gates):
            kind[g, group] = gate.astype(kind.dtype)
    block.meet(m.shared)
    for stream, kind in zip(streams.d_inputs, shared, strict=True):
        for g in range(cell.gates):
            target = stream.at[t, here.of_gate(plan, g), here.columns]
            plgpu.copy_smem_to_gmem(kind.at[g, group], target)
    d_h = _product(plan, here, m, turn)
    (d_hidden,) = jax.vjp(cell.hidden, before)[1](d_h)
    d_inside = [a + b for a, b in zip(d_inside, block.flat(more), strict=True)]
    return tuple(a + b for a, b in zip(d_before, d_hidden, strict=True)), d_inside


def _product(plan: Plan, here: Here, m: Any, turn: Any) -> jax.Array:
    """`w @ dr` for the units of a warpgroup, summed over the gates of all."""

    def of(total: Any) -> jax.Array:
        for g in range(plan.cell.gates):
            for k in range(plan.groups):
                plgpu.wgmma(total, m.w.at[here.group, g, k], m.d_r.at[turn, g, k])
        return total[...]

    return pl.run_scoped(of, block.sums())
