"""Which backend runs a layer, and why. All rules are here."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import jax

from jaxrnn.cells.cell import Cell, StepFn
from jaxrnn.recurrence.chunked import Chunked, chunk_length

Backend = Literal["auto", "scan"] | Chunked
Remat = int | Literal["sqrt", "recursive"] | None

LEAF = 64
"""Steps of the innermost block of `remat="recursive"`, and how many blocks make the next one."""


class Choice(NamedTuple):
    """What runs one layer.

    Attributes:
      backend: "scan", or the chunked engine with its chunk length filled in.
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
        filled = backend._replace(length=chunk_length(backend, parts, params, xs))
        return Choice(filled, (), "asked for")
    if jax.default_backend() != "cpu":
        reason = f"the chunked engine was not measured on this platform, {jax.default_backend()}"
        return Choice("scan", blocks, reason)
    if remat in (None, "recursive"):
        chosen, reason = Chunked(), "dense parts: one matmul and pointwise mathematics a step"
    else:
        chosen = Chunked(blocks[0] if blocks else length, "borders")
        reason, blocks = "dense parts; what `remat` runs again are the chunks of the engine", ()
    steps = xs[: blocks[0]] if blocks else xs
    filled = chosen._replace(length=chunk_length(chosen, parts, params, steps))
    return Choice(filled, blocks, reason)


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
