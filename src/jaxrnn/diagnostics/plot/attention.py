"""Where attention looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from jaxrnn.cells.checks import require
from jaxrnn.diagnostics.plot.axes import axes_or_new, color


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


def plot_words(
    rows: Sequence[Sequence[str]],
    weights: Sequence[Any],
    labels: Sequence[str],
    ax: Axes | None = None,
) -> Axes:
    """Draws sentences whose words are shaded by how much is looked at them.

    Source: Yang et al. 2016, doi:10.18653/v1/N16-1174, figure 5.

    Args:
      rows: the words of each of N sentences.
      weights: for each sentence a weight from 0 to 1 for each word; further ones, in the padding,
        are left out.
      labels: what stands before each sentence.
      ax: where to draw; None makes a figure.

    Returns:
      The axes, the first sentence at the top.

    Raises:
      ValueError: if there are not N labels and N rows of weights, or too few weights in one.
    """
    for name, given in (("weights", weights), ("labels", labels)):
        require(len(given) == len(rows), name, f"have {len(rows)} rows", len(given))
    longest = max(map(len, rows), default=0)
    ax = axes_or_new(ax, 0.65 * longest + 1.5, 0.35 * len(rows) + 0.3)
    for row, (words, each, label) in enumerate(zip(rows, weights, labels, strict=True)):
        rule = f"have {len(words)} numbers in row {row}"
        require(len(each) >= len(words), "weights", rule, len(each))
        ax.text(-0.3, row, label, ha="right", va="center", fontsize=9)
        for column, word in enumerate(words):
            shade = {"facecolor": (*to_rgb(color(1)), float(each[column])), "edgecolor": "none"}
            ax.text(column, row, word, va="center", fontsize=8, bbox=shade)
    ax.set(xlim=(-2, longest), ylim=(len(rows) - 0.5, -0.5))
    ax.set_axis_off()
    return ax
