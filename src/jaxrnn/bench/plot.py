"""The picture of a sweep over scan lengths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from jaxrnn.bench.contender import Kind
from jaxrnn.bench.pairs import Row

# The palette of Okabe and Ito, which most colour-blind people can tell apart; variants of a library
# share its colour and differ in line and marker.
_STYLES: dict[str, dict[str, Any]] = {
    "jaxrnn": {"color": "#000000", "marker": "o", "linewidth": 2.6, "zorder": 3},
    "flax-nnx": {"color": "#0072b2", "marker": "s"},
    "flax-nnx-optimized": {"color": "#0072b2", "marker": "D", "linestyle": "--"},
    "flax-linen": {"color": "#56b4e9", "marker": "s"},
    "flax-linen-optimized": {"color": "#56b4e9", "marker": "D", "linestyle": "--"},
    "haiku": {"color": "#009e73", "marker": "^"},
    "equinox": {"color": "#e69f00", "marker": "v"},
    "keras": {"color": "#cc79a7", "marker": "P"},
    "torch": {"color": "#d55e00", "marker": "X"},
}
_PANELS = [
    ("compile_seconds", "compile time (s)"),
    ("milliseconds", "time per call (ms)"),
    ("temporary_mib", "peak temporary memory (MiB)"),
]


def plot_sweep(
    rows: Sequence[Row], path: Path, *, title: str = "", kind: Kind = "value_and_grad"
) -> None:
    """Writes compile time, time and memory against T, on logarithmic axes, as a PNG.

    A contender that has no such figure is missing in that panel; one that went over its budget
    ends early.

    Args:
      rows: what `sweep` returned.
      path: the PNG; overwritten.
      title: stands above the panels.
      kind: which of the two computations is shown.
    """
    figure = Figure(figsize=(13, 5), layout="constrained")
    panels = figure.subplots(1, len(_PANELS))
    shown = [row for row in rows if row["kind"] == kind and row["status"] == "measured"]
    for axes, (name, label) in zip(panels, _PANELS, strict=True):
        _draw(axes, shown, name)
        axes.set(xlabel="scan length T (steps)", ylabel=label)
    handles, labels = panels[1].get_legend_handles_labels()  # every contender has a time
    figure.legend(handles, labels, loc="outside lower center", ncols=9, frameon=False)
    figure.suptitle(title)
    figure.savefig(path, format="png", dpi=120)


def _draw(axes: Axes, rows: Sequence[Row], name: str) -> None:
    """Draws one figure of every contender that has it."""
    for contender in dict.fromkeys(row["contender"] for row in rows):
        own = [row for row in rows if row["contender"] == contender and row[name] is not None]
        if own:
            xs, ys = zip(*((row["length"], row[name]) for row in own), strict=True)
            axes.plot(xs, ys, label=contender, markersize=5, **_STYLES.get(contender, {}))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    lengths = sorted({row["length"] for row in rows})
    axes.set_xticks(lengths, [f"{length:,}" for length in lengths], rotation=45)
    # At least a decade, lest noise look like a trend; below three, more labels than its powers.
    low, high = axes.get_ylim()
    widen = max(1.0, (10 * low / high) ** 0.5)
    low, high = axes.set_ylim(low / widen, high * widen)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.minorticks_off()
    axes.grid(which="major", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
