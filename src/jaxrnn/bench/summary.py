"""From the rows of a grid to the few numbers that a reader keeps."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from jaxrnn.bench.contender import KINDS, Kind
from jaxrnn.bench.pairs import Row
from jaxrnn.bench.peers import PEERS

_NAMES = ("cell", "size", "devices", "peer")


def points(rows: Iterable[Row]) -> list[list[Row]]:
    """Groups rows by cell, size and number of devices."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["devices"], row["cell"], *row["size"]), []).append(row)
    return list(groups.values())


def fastest_jax_peer(rows: Iterable[Row], kind: Kind) -> Row | None:
    """Returns the row of the peer on JAX that was the fastest at a point; None if there is none.

    Fastest by its ratio to jaxrnn, since each pair has a run of its own.
    """
    measured = [row for row in rows if row["status"] == "measured" and PEERS[row["peer"]].on_jax]
    return min(measured, key=lambda row: row[kind]["ratio"], default=None)


def summarise(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Sums a grid up, for each number of devices and each kind of computation.

    Returns:
      Objects with `devices`, `kind` and `points`; `fastest_jax_peer` with the `geometric_mean` over
      the points of the ratio to the fastest peer on JAX, and the `worst` of them; `torch` with the
      `geometric_mean` over all points and over those of the `lstm`. A mean over nothing is None.
    """
    return [
        _summary([row for row in rows if row["devices"] == devices], devices, kind)
        for devices in sorted({row["devices"] for row in rows})
        for kind in KINDS
    ]


def _summary(rows: list[Row], devices: int, kind: Kind) -> dict[str, Any]:
    fastest = [row for point in points(rows) if (row := fastest_jax_peer(point, kind))]
    ranked = sorted(fastest, key=lambda row: row[kind]["ratio"])
    worst = [
        {**{name: row[name] for name in _NAMES}, "ratio": row[kind]["ratio"]} for row in ranked
    ]
    torch = [row for row in rows if row["peer"] == "torch" and row["status"] == "measured"]
    return {
        "devices": devices,
        "kind": kind,
        "points": len(points(rows)),
        "fastest_jax_peer": {
            "geometric_mean": _mean(fastest, kind),
            "worst": worst[0] if worst else None,
        },
        "torch": {
            "geometric_mean": _mean(torch, kind),
            "lstm": _mean([row for row in torch if row["cell"] == "lstm"], kind),
        },
    }


def _mean(rows: list[Row], kind: Kind) -> float | None:
    ratios = [row[kind]["ratio"] for row in rows]
    return statistics.geometric_mean(ratios) if ratios else None
