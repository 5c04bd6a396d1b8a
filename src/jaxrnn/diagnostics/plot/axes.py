"""Axes to draw into, and the colours."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

# The palette of Okabe and Ito, which most colour-blind people can tell apart.
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]


def color(index: int) -> str:
    """The colour of curve number `index`; after the last comes the first again."""
    return COLORS[index % len(COLORS)]


def axes_or_new(ax: Axes | None, width: float = 7, height: float = 3.5) -> Axes:
    """`ax`, or the axes of a new figure of that size in inches."""
    if ax is None:
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax
