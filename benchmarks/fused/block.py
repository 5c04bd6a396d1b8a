"""What a thread block is: its part of the layer, its shared memory, its launch.

Units lie on the rows of the matrix unit and sequences on its columns, so a batch of 16 wastes
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

from fused.per_gate import Gates, PerGate

UNITS = 64  # of a warpgroup: the rows of `wgmma`
SEQUENCES = 16  # of a block: its columns
MEMORY = 232_448 - 1024  # bytes of shared memory of a block on Hopper, less what barriers take
SLOTS = 4  # steps of which the inputs are there or on their way; fewer where memory is short

# Both operands of `wgmma` need the same swizzle, and that of 16 columns of 2 bytes is 32 bytes.
OPERAND = (plgpu.TilingTransform((8, SEQUENCES)), plgpu.SwizzleTransform(2 * SEQUENCES))


class Plan(NamedTuple):
    """What is fixed when a kernel is compiled."""

    cell: PerGate  # H is the size of a head
    length: int  # T
    batch: int  # B, the sequences of one head after those of another
    heads: int
    leaves: int  # of the carry
    vectors: tuple[int, ...]  # gates of each parameter in the pointwise part
    slots: int

    @property
    def groups(self) -> int:
        """Warpgroups in a block."""
        return self.cell.size // UNITS

    @property
    def tile(self) -> tuple[int, int, int]:
        """Shape of one gate in a block."""
        return self.groups, UNITS, SEQUENCES


class Here(NamedTuple):
    """Where a warpgroup stands."""

    head: Any
    group: Any
    units: Any  # its units in an array [H, ...]
    columns: Any  # its sequences in an array [..., B]

    def of_gate(self, plan: Plan, gate: int) -> Any:
        """The units of a gate in an array [G, ...]."""
        return pl.ds(gate * plan.cell.size + self.group * UNITS, UNITS)


def here(plan: Plan) -> Here:
    """Where the warpgroup that asks stands."""
    group, tile = lax.axis_index("group"), lax.axis_index("tile")
    head = lax.div(tile, plan.batch // SEQUENCES // plan.heads)
    return Here(head, group, pl.ds(group * UNITS, UNITS), pl.ds(tile * SEQUENCES, SEQUENCES))


def operand(shape: tuple[int, ...], dtype: Any) -> Any:
    """Shared memory that the matrix unit reads."""
    return plgpu.SMEM(shape, dtype, transforms=OPERAND)


def read(ref: Any) -> jax.Array:
    """A gate `[UNITS, SEQUENCES]` from shared memory into registers, in float32."""
    value: Any = plgpu.load(ref, layout=plgpu.Layout.WGMMA)  # pyright: ignore
    return value.astype(jnp.float32)


def sums() -> Any:
    """Where the matrix unit adds up a gate, in float32."""
    return plgpu.ACC((UNITS, SEQUENCES), jnp.float32)  # pyright: ignore


def zeros() -> jax.Array:
    """A gate of zeros in registers."""
    return plgpu.layout_cast(jnp.zeros((UNITS, SEQUENCES), jnp.float32), plgpu.Layout.WGMMA)


def read_vectors(plan: Plan, shared: Any, group: Any) -> list[Gates]:
    """The parameters of the pointwise part, gate by gate."""
    numbers = iter(range(sum(plan.vectors)))
    of = lambda number: read(shared.inside.at[number, group])
    return [[of(next(numbers)) for _ in range(count)] for count in plan.vectors]


def flat(nested: list[list[Any]]) -> list[Any]:
    """The elements of lists, in order."""
    return [each for one in nested for each in one]


def meet(barrier: Any) -> None:
    """Waits until every warpgroup has written what the others read next."""
    plgpu.commit_smem()
    plgpu.barrier_arrive(barrier)
    plgpu.barrier_wait(barrier)


def with_room(memory: Callable[[int], dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """The most slots for which a block has room, and the memory it then has.

    Raises:
      ValueError: if there is no room for two.
    """
    need = 0
    for slots in range(SLOTS, 1, -1):
        shared = {name: m for name, m in memory(slots).items() if math.prod(m.shape)}
        need = sum(math.prod(m.shape) * jnp.dtype(m.dtype).itemsize for m in shared.values())
        if need <= MEMORY:
            return slots, shared
    raise ValueError(f"`hidden_size` must leave {need - MEMORY} bytes of shared memory more")


def launch(
    plan: Plan, kernel: Callable[..., None], out: list[Any], scratch: dict[str, Any], interpret: Any
) -> Callable[..., Any]:
    """A kernel over all tiles of the batch.

    Args:
      plan: what is fixed.
      kernel: what each warpgroup does, `kernel(plan, here, hbm, shared)`; `hbm` is the list of
        arguments and results, and `shared` has what is in `scratch` by its name.
      out: shapes of the results.
      scratch: shared memory and barriers, by name.
      interpret: None on a GPU, `InterpretGPUParams()` elsewhere.
    """

    def body(*hbm: Any, **shared: Any) -> None:
        kernel(plan, here(plan), list(hbm), SimpleNamespace(**shared))

    return plgpu.kernel(
        body,
        out_type=out,
        scratch_types=scratch,
        grid=(plan.batch // SEQUENCES,),
        grid_names=("tile",),
        num_threads=plan.groups,
        thread_name="group",
        compiler_params=plgpu.CompilerParams(approx_math=True),
        **({"interpret": interpret} if interpret else {}),
    )
