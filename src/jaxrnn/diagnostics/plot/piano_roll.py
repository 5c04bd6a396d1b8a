"""Music as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxrnn.cells.checks import require
from jaxrnn.diagnostics.plot.axes import axes_or_new

LOWEST = 21  # MIDI's number of the first key
OCTAVES = {f"C{octave}": 12 * (octave + 1) - LOWEST for octave in range(1, 9)}


def plot_piano_roll(roll: Any, ax: Axes | None = None) -> Axes:
    """Draws which keys of a piano are down.

    Args:
      roll: 1 where a key is down, `[T, 88]`, the lowest key, A0, first.
      ax: where to draw; None makes a figure.

    Returns:
      The axes: frames from left to right, keys from low to high, from one octave below the lowest
      that is used to one above the highest; ticks at the notes C.

    Raises:
      ValueError: if the shape does not fit.
    """
    roll = np.asarray(roll)
    fits = roll.ndim == 2 and roll.shape[1] == 88
    require(fits, "roll", "have the shape [T, 88]", roll.shape)
    ax = axes_or_new(ax, 8, 3)
    ax.imshow(roll.T, origin="lower", aspect="auto", cmap="Greys", interpolation="nearest")
    used = np.flatnonzero(roll.any(axis=0))
    low, high = (used.min(), used.max()) if used.size else (0, 87)
    ax.set(xlabel="frame", ylabel="key", ylim=(max(low - 12, -0.5), min(high + 12, 87.5)))
    ticks = {name: key for name, key in OCTAVES.items() if low - 12 <= key <= high + 12}
    ax.set_yticks([*ticks.values()], [*ticks])
    return ax
