"""jaxrnn against one peer after the other, each pair in one interleaved run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax

from jaxrnn.bench.contender import KINDS, Contender, Kind, Program, Wrt, inputs
from jaxrnn.bench.peers import OURS
from jaxrnn.bench.sizes import Size
from jaxrnn.bench.timing import interleaved

Row = dict[str, Any]
Programs = dict[Kind, Program]


class Point(NamedTuple):
    """What a row of a table is about."""

    cell: str
    size: Size
    devices: int = 1

    def row(self) -> Row:
        """The point as JSON."""
        return {"cell": self.cell, "size": list(self.size), "devices": self.devices}


def grid(cells: Sequence[str], sizes: Sequence[Size], devices: int = 1) -> list[Point]:
    """Returns every cell at every size on one device, then on several where the batch divides."""
    counts = [1] if devices == 1 else [1, devices]
    return [
        Point(cell, size, count)
        for count in counts
        for cell in cells
        for size in sizes
        if size.batch % count == 0
    ]


def measure_point(
    point: Point,
    peers: Sequence[Contender],
    *,
    rounds: int,
    wrt: Wrt = "params",
    announce: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Measures jaxrnn against each peer at one point.

    Args:
      point: cell, size and number of devices.
      peers: against whom.
      rounds: samples of each, see `interleaved`.
      wrt: with respect to what the gradient is taken.
      announce: is called with a peer's name before its turn.

    Returns:
      One row for each peer: `cell`, `size`, `devices`, `peer`, `status`, and where that is
      "measured" for each kind `jaxrnn` and `peer` (`milliseconds`, `compile_seconds`,
      `temporary_mib`) and the `ratio` of the times, above 1 where jaxrnn is faster.
    """
    xs = inputs(point.size)
    # Against most peers the same programs of ours run.
    ours = lru_cache(lambda cell: prepare(OURS, point._replace(cell=cell), xs, wrt))
    rows = []
    for peer in peers:
        announce(f"{point.cell} {point.size} {peer.name}")
        obstacle = peer.why_not(point.cell)
        if obstacle:
            result: Row = {"status": obstacle}
        else:
            programs = ours(peer.ours.get(point.cell, point.cell))
            result = _pair(programs, peer, point, xs, rounds, wrt)
        rows.append({**point.row(), "peer": peer.name, **result})
    return rows


def warm_up() -> None:
    """Compiles and runs something small, so that nobody pays for what a process does only once."""
    prepare(OURS, Point("elman", Size(1, 2, 1, 1)), inputs(Size(1, 2, 1, 1)), "params")


def prepare(contender: Contender, point: Point, xs: jax.Array, wrt: Wrt) -> Programs:
    """Builds and compiles a contender, runs it once and checks that it did the work.

    Raises:
      ValueError: if it did not.
    """
    model = contender.build(point.cell, point.size, xs)
    programs: Programs = {}
    for kind in KINDS:
        programs[kind] = model.program(kind, wrt=wrt, devices=point.devices)
        programs[kind].check(programs[kind].run())
    return programs


def failure(error: Exception) -> str:
    """Returns what a table says about a contender that raised an exception."""
    return f"failed: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def figures(program: Program, seconds: float) -> Row:
    """Returns the figures of one contender as JSON."""
    memory = program.temporary_bytes
    return {
        "milliseconds": 1e3 * seconds,
        "compile_seconds": program.compile_seconds,
        "temporary_mib": None if memory is None else memory / 2**20,
    }


def _pair(
    ours: Programs, peer: Contender, point: Point, xs: jax.Array, rounds: int, wrt: Wrt
) -> Row:
    """Measures one peer; one that raises an exception is a line in the table, not the end of it."""
    try:
        theirs = prepare(peer, point, xs, wrt)
    except Exception as error:
        return {"status": failure(error)}
    row: Row = {"status": "measured"}
    for kind in KINDS:
        pair = ours[kind], theirs[kind]
        our_time, their_time = interleaved([program.run for program in pair], rounds)
        row[kind] = {
            "jaxrnn": figures(pair[0], our_time),
            "peer": figures(pair[1], their_time),
            "ratio": their_time / our_time,
        }
    return row
