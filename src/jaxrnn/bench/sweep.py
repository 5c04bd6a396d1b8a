"""How compile time, time and memory grow with the length of a scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jaxrnn.bench.contender import KINDS, Contender, Wrt, inputs
from jaxrnn.bench.pairs import Point, Programs, Row, failure, figures, prepare
from jaxrnn.bench.sizes import Size
from jaxrnn.bench.timing import SAMPLE_SECONDS, interleaved

OVER_BUDGET = "over budget"


class Layer(NamedTuple):
    """What is run over ever longer sequences, and how it is measured."""

    cell: str
    batch: int  # B
    inputs: int  # D
    hidden: int  # H
    wrt: Wrt = "params"
    rounds: int = 3  # samples of each contender
    seconds: float = 30.0  # budget of a contender at one length


def sweep(
    layer: Layer,
    lengths: Sequence[int],
    contenders: Sequence[Contender],
    announce: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Measures every contender at every length, all of one length against each other.

    A contender whose time at one length lets expect more than the budget at the next, compilation
    included, is left out from there on; so is one that failed.

    Args:
      layer: what is measured.
      lengths: T of each scan, in rising order.
      contenders: who takes part.
      announce: is called with what comes next; `announcements` says how often.

    Returns:
      A row for each length, contender and kind: `length`, `contender`, `kind`, `status`, and where
      that is "measured" `milliseconds` for a call, `microseconds_per_step`, `compile_seconds` and
      `temporary_mib`.
    """
    rows: list[Row] = []
    out = {each.name: why for each in contenders if (why := each.why_not(layer.cell))}
    for position, length in enumerate(lengths):
        at_length = _measure(layer, length, contenders, out, announce)
        rows += at_length
        for name in {row["contender"] for row in at_length} - out.keys():
            own = [row for row in at_length if row["contender"] == name]
            growth = max(lengths[position + 1 : position + 2], default=length) / length
            if _cost(own, growth, layer.rounds) > layer.seconds:
                out[name] = OVER_BUDGET
    return rows


def announcements(lengths: Sequence[int], contenders: Sequence[Contender]) -> int:
    """How often `sweep` announces what it does."""
    return len(lengths) * (len(contenders) + len(KINDS))


def _measure(
    layer: Layer,
    length: int,
    contenders: Sequence[Contender],
    out: dict[str, str],
    announce: Callable[[str], None],
) -> list[Row]:
    """Measures one length; adds to `out` who failed."""
    point = Point(layer.cell, Size(layer.batch, length, layer.inputs, layer.hidden))
    xs = inputs(point.size)
    ready: dict[str, Programs] = {}
    for contender in contenders:
        announce(f"T = {length}: compiling {contender.name}")
        if contender.name not in out:
            try:
                ready[contender.name] = prepare(contender, point, xs, layer.wrt)
            except Exception as error:  # of a library; a line in the table, not the end of it
                out[contender.name] = failure(error)
    measured: dict[tuple[str, str], Row] = {}
    for kind in KINDS:
        announce(f"T = {length}: {kind.replace('_', ' ')}")
        seconds = interleaved([ready[name][kind].run for name in ready], layer.rounds)
        for name, time in zip(ready, seconds, strict=True):
            row = figures(ready[name][kind], time)
            measured[name, kind] = {**row, "microseconds_per_step": 1e6 * time / length}
    return [
        {
            "length": length,
            "contender": contender.name,
            "kind": kind,
            "status": "measured" if contender.name in ready else out[contender.name],
            **measured.get((contender.name, kind), {}),
        }
        for contender in contenders
        for kind in KINDS
    ]


def _cost(rows: list[dict[str, Any]], growth: float, rounds: int) -> float:
    """Returns the seconds that a contender should take at a length that is `growth` times this."""
    compiling = sum(row["compile_seconds"] or 0.0 for row in rows)
    calls = (max(growth * row["milliseconds"] / 1e3, SAMPLE_SECONDS) for row in rows)
    return compiling + (rounds + 2) * sum(calls)  # a first call, one to count repetitions by
