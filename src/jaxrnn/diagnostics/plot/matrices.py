"""Square matrices over named things: which class was taken for which, which tag follows which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxrnn.cells.checks import require
from jaxrnn.diagnostics.plot.axes import axes_or_new


def plot_confusion(true: Any, found: Any, labels: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draws how often each class was taken for each.

    Args:
      true: what they are, integers in [0, K), `[N]`.
      found: what they were taken for, `[N]`.
      labels: names of the K classes.
      ax: where to draw; None makes a figure.

    Returns:
      The axes, the true class from top to bottom.

    Raises:
      ValueError: if the shapes differ.
    """
    true, found = np.asarray(true), np.asarray(found)
    require(found.shape == true.shape, "found", f"have the shape {true.shape}", found.shape)
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, (true, found), 1)
    # On a scale on which one mistake can be seen beside a hundred right answers.
    shades = np.log1p(counts)
    ax = _cells(shades, labels, ax, "Blues")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if shades[row, column] > 0.6 * shades.max() else "black"
            ax.text(column, row, f"{count}", ha="center", va="center", color=color, fontsize=8)
    ax.set(xlabel="found", ylabel="true")
    return ax


def plot_transitions(values: Any, labels: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draws a number for each pair of neighbours: the scores of a CRF, or probabilities.

    Args:
      values: from a tag (rows) to the next (columns), `[K, K]`.
      labels: names of the K tags.
      ax: where to draw; None makes a figure.

    Returns:
      The axes.

    Raises:
      ValueError: if the shape does not fit.
    """
    values, shape = np.asarray(values), (len(labels), len(labels))
    require(values.shape == shape, "values", f"have the shape {shape}", values.shape)
    ax = _cells(values, labels, ax, "viridis")
    ax.figure.colorbar(ax.images[0], ax=ax)
    ax.set(xlabel="next tag", ylabel="tag")
    return ax


def _cells(values: np.ndarray, labels: Sequence[str], ax: Axes | None, colors: str) -> Axes:
    ax = axes_or_new(ax, 5, 4.5)
    ax.imshow(values, cmap=colors)
    ax.set(xticks=range(len(labels)), yticks=range(len(labels)))
    ax.set(xticklabels=labels, yticklabels=labels)
    return ax
