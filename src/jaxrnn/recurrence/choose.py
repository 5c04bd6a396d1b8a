"""Which backend runs a layer, and why. All rules are here."""

from __future__ import annotations

import math
import os
from typing import Any, Literal, NamedTuple

import jax

from jaxrnn.cells.cell import Cell, DenseParts, StepFn
from jaxrnn.recurrence.chunked import Chunked, chunk_length

Backend = Literal["auto", "scan"] | Chunked
Remat = int | Literal["sqrt", "recursive"] | None

LEAF = 64
"""Steps of the innermost block of `remat="recursive"`, and how many blocks make the next one."""


LEAST_PRODUCT = 2**20
"""Multiplications in `h @ w_h` of a step from which on two halves of a batch run side by side."""

LEAST_BATCH = 4
"""Sequences from which on they do."""


class Choice(NamedTuple):
    """What runs one layer.

    Attributes:
      backend: "scan", or the chunked engine with its chunk length and its shares filled in.
      blocks: lengths of the blocks of steps that the backward pass runs again, the shortest first;
        empty if every step is kept, or if the backend itself runs chunks again.
      reason: why this backend, in words.
    """

    backend: Literal["scan"] | Chunked
    blocks: tuple[int, ...]
    reason: str


def choose(cell: Cell | StepFn, params: Any, xs: Any, backend: Backend, remat: Remat) -> Choice:
    """The rules of `backend="auto"`, measured in `benchmarks/NOTES.md`.

    1. A cell that is not made of dense parts runs on the scan, the only one that can run it.
    2. A GPU or TPU runs the scan: the chunked engine was not measured there.
    3. Everything else runs on the chunked engine. Steps that are to be run again are its chunks.
    4. Two halves of the batch run side by side where `_shares` says that it pays.
    """
    length = len(jax.tree.leaves(xs)[0])
    parts = cell.dense if isinstance(cell, Cell) else None
    blocks = block_lengths(remat, length)
    if parts is None:
        return Choice("scan", blocks, "the cell is not made of dense parts")
    if length == 0:
        return Choice("scan", (), "there are no steps")
    if backend == "scan":
        return Choice("scan", blocks, "asked for")
    if isinstance(backend, Chunked):
        return Choice(_filled(backend, parts, params, xs), (), "asked for")
    if jax.default_backend() != "cpu":
        reason = f"the chunked engine was not measured on this platform, {jax.default_backend()}"
        return Choice("scan", blocks, reason)
    if remat in (None, "recursive"):
        chosen, reason = Chunked(), "dense parts: one matmul and pointwise mathematics a step"
    else:
        chosen = Chunked(blocks[0] if blocks else length, "borders")
        reason, blocks = "dense parts; what `remat` runs again are the chunks of the engine", ()
    steps = xs[: blocks[0]] if blocks else xs
    return Choice(_filled(chosen, parts, params, steps), blocks, reason)


def _filled(backend: Chunked, parts: DenseParts, params: Any, xs: Any) -> Chunked:
    """The engine with what it leaves open chosen from the shapes."""
    length = chunk_length(backend, parts, params, xs)
    shares = backend.shares or _shares(backend, parts, params, xs)
    return backend._replace(length=length, shares=shares)


def _shares(backend: Chunked, parts: DenseParts, params: Any, xs: Any) -> int:
    """Into how many shares a batch is cut: two on a CPU that is one device and has several cores.

    That pays if a step has enough to do, and if XLA compiles the pointwise part to few kernels, as
    it does with one gate and where the derivative is written by hand.
    """
    if backend.keep != "gates" or jax.default_backend() != "cpu" or jax.device_count() > 1:
        return 1
    if cores() == 1 or jax.sharding.get_abstract_mesh().manual_axes:
        return 1
    batch = xs.shape[1:-1]
    h, g = jax.eval_shape(parts.recurrent_kernel, params).shape
    simple = parts.pointwise_vjp is not None or (parts.additive and g == h)
    enough = math.prod(batch) * h * g >= LEAST_PRODUCT
    return 2 if simple and enough and batch and batch[0] >= LEAST_BATCH else 1


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def block_lengths(remat: Remat, length: int) -> tuple[int, ...]:
    """The lengths of the nested blocks that `remat` means for `length` steps, shortest first."""
    if remat is None:
        return ()
    if remat == "recursive":
        lengths = [LEAF]
        while lengths[-1] * LEAF < length:
            lengths.append(lengths[-1] * LEAF)
    else:
        lengths = [math.ceil(math.sqrt(length)) if remat == "sqrt" else remat]
    return tuple(steps for steps in lengths if steps < length)
