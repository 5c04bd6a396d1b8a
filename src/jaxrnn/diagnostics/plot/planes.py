"""What lies in a plane: projected states, saturated gates, descent over a surface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from jaxrnn.cells.checks import require
from jaxrnn.diagnostics.plot.axes import axes_or_new, color
from jaxrnn.diagnostics.saturation import Saturation


def plot_trajectory(points: Any, ax: Axes | None = None) -> Axes:
    """Draws paths of states in a plane, the colour of each point its time.

    Args:
      points: `[T+1, 2]` or `[T+1, *B, 2]`, such as `principal_axes(flat_states(...)).points`.
      ax: where to draw; None makes a figure.

    Returns:
      The axes.

    Raises:
      ValueError: if the points are not in a plane.
    """
    points = np.asarray(points)
    fits = points.ndim > 1 and points.shape[-1] == 2
    require(fits, "points", "have the shape [T+1, *B, 2]", points.shape)
    ax = axes_or_new(ax, 5, 4)
    paths = points.reshape(len(points), -1, 2)
    ax.plot(*paths.transpose(2, 0, 1), color="0.8", linewidth=1, zorder=1)
    times = np.repeat(np.arange(len(paths)), paths.shape[1])
    dots = ax.scatter(*paths.reshape(-1, 2).T, c=times, s=12, cmap="viridis", zorder=2)
    ax.figure.colorbar(dots, ax=ax, label="t (steps)")
    ax.set(xlabel="first axis", ylabel="second axis")
    return ax


def plot_saturation(gates: Mapping[str, Saturation], ax: Axes | None = None) -> Axes:
    """Draws each unit of each gate by the share of its time at the left and at the right.

    Source: Karpathy, Johnson, Fei-Fei 2015, arXiv:1506.02078, figure 2.

    Args:
      gates: for each label the result of `saturation`.
      ax: where to draw; None makes a figure.

    Returns:
      The axes.
    """
    ax = axes_or_new(ax, 4.5, 4)
    ax.plot([0, 1], [1, 0], color="0.6", linewidth=1)  # saturated on one side or the other, always
    for index, (label, shares) in enumerate(gates.items()):
        points = np.ravel(shares.left), np.ravel(shares.right)
        ax.scatter(*points, s=18, color=color(index), alpha=0.6, label=label, clip_on=False)
    ax.set(xlabel="share of time left-saturated", ylabel="share of time right-saturated")
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.legend(frameon=False)
    return ax


def plot_descent(
    loss: Callable[[Any], Any],
    paths: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    xlim: tuple[float, float],
    ylim: tuple[float, float],
    resolution: int = 200,
) -> Axes:
    """Draws a loss of two parameters as a map, and paths over it.

    Args:
      loss: `loss(point [..., 2]) -> [...]`, such as `cliff()`.
      paths: for each label the points `[N+1, 2]`; what lies outside the map is not shown.
      ax: where to draw; None makes a figure.
      xlim: range of the first parameter.
      ylim: range of the second.
      resolution: points of the map on each side.

    Returns:
      The axes.
    """
    ax = axes_or_new(ax, 6, 4)
    xs, ys = np.linspace(*xlim, resolution), np.linspace(*ylim, resolution)
    heights = np.asarray(loss(jnp.stack(jnp.meshgrid(xs, ys), axis=-1)))
    floor = max(heights.max() * 1e-4, np.finfo(heights.dtype).tiny)
    image = ax.pcolormesh(
        xs,
        ys,
        np.maximum(heights, floor),
        norm=LogNorm(vmin=floor),
        cmap="Greys",
        alpha=0.7,
        rasterized=True,
    )
    ax.figure.colorbar(image, ax=ax, label="loss")
    for index, (label, path) in enumerate(paths.items()):
        path = np.asarray(path)
        ax.plot(*path.T, color=color(index), marker=".", markersize=3, linewidth=0.8, label=label)
        ax.plot(*path[0], color=color(index), marker="o")
    ax.set(xlim=xlim, ylim=ylim, xlabel="w", ylabel="b")
    ax.legend(frameon=True, framealpha=0.9)
    return ax
