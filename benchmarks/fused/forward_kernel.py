"""Forward: the loop over time in one launch, the recurrent kernel in shared memory.

A block runs `SEQUENCES` sequences, each of its warpgroups `UNITS` units with all their gates.
Between two steps the warpgroups hand each other h, which lies twice, so that one barrier a step is
enough.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

from fused import block
from fused.block import UNITS, Here, Plan
from fused.per_gate import PerGate

Leaves = list[Any]  # arrays, or where they lie in the kernel


def forward(
    cell: PerGate, z: jax.Array, w: jax.Array, inside: list[Leaves], carry: Leaves, interpret: Any
) -> tuple[jax.Array, Leaves]:
    """Runs a cell over time.

    Args:
      cell: its pointwise part.
      z: projected inputs `[T, G, B]` in 16 bits; `SEQUENCES` divides B, `UNITS` divides H.
      w: recurrent kernel of each head `[N, H, G]` in 16 bits.
      inside: parameters of the pointwise part, gate by gate, each `[N, H, SEQUENCES]`, float32.
      carry: leaves `[H, B]`, float32, before the first step.
      interpret: None on a GPU, `InterpretGPUParams()` elsewhere.

    Returns:
      Outputs `[T, H, B]` in 16 bits, and of each leaf of the carry what it is after each step,
      `[T, H, B]`, float32.
    """
    length, _, batch = z.shape
    vectors = tuple(len(gates) for gates in inside)
    plan = Plan(cell, length, batch, len(w), len(carry), vectors, 0)
    slots, scratch = block.with_room(partial(_memory, plan, z.dtype))
    plan, groups = plan._replace(slots=slots), plan.groups
    edges = plan.leaves + sum(vectors)
    scratch |= {
        "arrived": plgpu.Barrier(num_arrivals=cell.gates, num_barriers=slots * groups),
        "kernel": plgpu.Barrier(num_arrivals=cell.gates, num_barriers=groups),
        "begun": plgpu.Barrier(num_arrivals=edges, num_barriers=groups),
        "shared": plgpu.Barrier(num_arrivals=groups),
    }
    shape = length, cell.size, batch
    state = jax.ShapeDtypeStruct(shape, jnp.float32)
    out = [jax.ShapeDtypeStruct(shape, z.dtype), *[state] * plan.leaves]
    run = block.launch(plan, _kernel, out, scratch, interpret)
    ys, *states = run(z, w, *block.flat(inside), *carry)
    return ys, states


def _memory(plan: Plan, dtype: Any, slots: int) -> dict[str, Any]:
    gates, tile = plan.cell.gates, plan.tile
    return {
        "z": plgpu.SMEM((slots, gates, *tile), dtype),
        "w": block.operand((gates, plan.groups, plan.cell.size, UNITS), dtype),
        "h": block.operand((2, *tile), dtype),
        "y": plgpu.SMEM(tile, dtype),
        "state": plgpu.SMEM((plan.leaves, *tile), jnp.float32),
        "inside": plgpu.SMEM((sum(plan.vectors), *tile), jnp.float32),
    }


def _kernel(plan: Plan, here: Here, hbm: list[Any], m: Any) -> None:
    """What a warpgroup does."""
    z, w, *rest = hbm
    vectors, rest = rest[: sum(plan.vectors)], rest[sum(plan.vectors) :]
    carry, (ys, *states) = rest[: plan.leaves], rest[plan.leaves :]
    for g in range(plan.cell.gates):
        source = w.at[here.head, :, here.of_gate(plan, g)]
        plgpu.copy_gmem_to_smem(source, m.w.at[g, here.group], m.kernel.at[here.group])
    begun = m.begun.at[here.group]
    for i, leaf in enumerate(carry):
        plgpu.copy_gmem_to_smem(leaf.at[here.units, here.columns], m.state.at[i, here.group], begun)
    for i, vector in enumerate(vectors):
        plgpu.copy_gmem_to_smem(vector.at[here.head, here.units], m.inside.at[i, here.group], begun)
    for t in range(min(plan.slots - 1, plan.length)):
        _fetch(plan, here, z, m, t)
    plgpu.barrier_wait(begun)
    start = tuple(block.read(m.state.at[i, here.group]) for i in range(plan.leaves))
    m.h[0, here.group] = plan.cell.hidden(start).astype(m.h.dtype)
    block.meet(m.shared)
    plgpu.barrier_wait(m.kernel.at[here.group])
    step = partial(_step, plan, here, (z, ys, states), m)
    lax.fori_loop(0, plan.length, step, start)
    plgpu.wait_smem_to_gmem(0)


def _fetch(plan: Plan, here: Here, z: Any, m: Any, t: Any) -> None:
    """Sends for the inputs of a step."""
    slot = lax.rem(t, plan.slots)
    for g in range(plan.cell.gates):
        source: Any = z.at[t, here.of_gate(plan, g), here.columns]
        arrived = _arrived(plan, here, m, slot)
        plgpu.copy_gmem_to_smem(source, m.z.at[slot, g, here.group], arrived)


def _arrived(plan: Plan, here: Here, m: Any, slot: Any) -> Any:
    return m.arrived.at[here.group * plan.slots + slot]


def _step(plan: Plan, here: Here, hbm: Any, m: Any, t: Any, carry: Any) -> Any:
    (z, ys, states), cell, ahead = hbm, plan.cell, plan.slots - 1
    pl.when(t + ahead < plan.length)(lambda: _fetch(plan, here, z, m, t + ahead))
    r = _products(plan, here, m, lax.rem(t, 2))
    slot = lax.rem(t, plan.slots)
    plgpu.barrier_wait(_arrived(plan, here, m, slot))
    inputs = [block.read(m.z.at[slot, g, here.group]) for g in range(cell.gates)]
    inside = block.read_vectors(plan, m, here.group)
    carry, y = cell.point(inside, carry, inputs, r)
    plgpu.wait_smem_to_gmem(0, wait_read_only=True)  # until what the last step wrote is on its way
    m.y[here.group] = y.astype(m.y.dtype)
    for i, leaf in enumerate(carry):
        m.state[i, here.group] = leaf
    m.h[lax.rem(t + 1, 2), here.group] = cell.hidden(carry).astype(m.h.dtype)
    block.meet(m.shared)
    plgpu.copy_smem_to_gmem(m.y.at[here.group], ys.at[t, here.units, here.columns])
    for i, leaf in enumerate(states):
        plgpu.copy_smem_to_gmem(m.state.at[i, here.group], leaf.at[t, here.units, here.columns])
    return carry


def _products(plan: Plan, here: Here, m: Any, turn: Any) -> list[jax.Array]:
    """`w.T @ h` for the units of a warpgroup, gate by gate, summed over the units of all."""

    def of(*sums: Any) -> tuple[jax.Array, ...]:
        for g, total in enumerate(sums):
            for k in range(plan.groups):
                of_others = m.w.at[g, here.group, pl.ds(k * UNITS, UNITS)]
                plgpu.wgmma(total, of_others.transpose((1, 0)), m.h.at[turn, k])
        return tuple(total[...] for total in sums)

    return list(pl.run_scoped(of, *[block.sums() for _ in range(plan.cell.gates)]))
