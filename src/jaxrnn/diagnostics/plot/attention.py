"""Where attention looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxrnn.cells.checks import require
from jaxrnn.diagnostics.plot.axes import axes_or_new


def plot_attention(
    weights: Any, source: Sequence[str], target: Sequence[str], ax: Axes | None = None
) -> Axes:
    """Draws the weights on a source from which each symbol of a target was written.

    Source: Bahdanau, Cho, Bengio 2015, arXiv:1409.0473, figure 3.

    Args:
      weights: for each symbol of the target a weight on each of the source, `[T, S]`; black is 1.
      source: names of the S symbols.
      target: names of the T symbols.
      ax: where to draw; None makes a figure.

    Returns:
      The axes, the source from left to right, the target from top to bottom.

    Raises:
      ValueError: if the shape does not fit.
    """
    weights, shape = np.asarray(weights), (len(target), len(source))
    require(weights.shape == shape, "weights", f"have the shape {shape}", weights.shape)
    ax = axes_or_new(ax, 5, 4.5)
    ax.imshow(weights, cmap="Greys", vmin=0, vmax=1)
    ax.set(xticks=range(len(source)), yticks=range(len(target)))
    ax.set(xticklabels=source, yticklabels=target)
    ax.set(xlabel="source", ylabel="target")
    return ax
