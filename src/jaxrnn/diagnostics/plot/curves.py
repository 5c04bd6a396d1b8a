"""What happens over time, as curves: gradients, products of Jacobians, exponents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxrnn.diagnostics.jacobians import Spectrum
from jaxrnn.diagnostics.plot.axes import axes_or_new, color


def plot_gradient_norms(norms: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draws the norms of dL / ds_t against t, on a logarithmic axis.

    Args:
      norms: for each label, `[T+1]` or `[T+1, *B]` as `gradient_norms` gives them; a batch is shown
        by its median. Zeros, which have no logarithm, are left out.
      ax: where to draw; None makes a figure.

    Returns:
      The axes.
    """
    ax = axes_or_new(ax)
    for index, (label, values) in enumerate(norms.items()):
        values = np.asarray(values, np.float64)
        curve = np.median(values.reshape(len(values), -1), axis=1)
        ax.plot(np.where(curve > 0, curve, np.nan), color=color(index), label=label)
    ax.set_yscale("log")
    ax.set(xlabel="t (steps)", ylabel=r"$\|\partial L / \partial s_t\|$")
    ax.legend(frameon=False)
    ax.grid(alpha=0.3)
    return ax


def plot_spectrum(spectrum: Spectrum, ax: Axes | None = None) -> Axes:
    """Draws norm and spectral radius of one matrix for each t, as powers of ten.

    Args:
      spectrum: of `[T]`, from `spectrum` or `product_spectrum`; pick a sequence of a batch first.
      ax: where to draw; None makes a figure.

    Returns:
      The axes.
    """
    ax = axes_or_new(ax)
    steps = 1 + np.arange(len(spectrum.log_norm))
    for index, (label, logs) in enumerate(zip(("norm", "spectral radius"), spectrum, strict=True)):
        powers = np.where(np.isfinite(logs), logs, np.nan) / np.log(10)
        ax.plot(steps, powers, color=color(index), linestyle=("-", "--")[index], label=label)
    ax.axhline(0, color="0.6", linewidth=1)
    ax.set(xlabel="t (steps)", ylabel="log₁₀")
    ax.legend(frameon=False)
    ax.grid(alpha=0.3)
    return ax


def plot_exponents(rates: Any, ax: Axes | None = None) -> Axes:
    """Draws the running means of expansion rates, which end at the Lyapunov exponents.

    Args:
      rates: `[T, K]`, as `expansion_rates` gives them for one sequence.
      ax: where to draw; None makes a figure.

    Returns:
      The axes.
    """
    ax = axes_or_new(ax)
    rates = np.asarray(rates)
    steps = 1 + np.arange(len(rates))
    for index, curve in enumerate((np.cumsum(rates, axis=0) / steps[:, None]).T):
        ax.plot(steps, curve, color=color(index), label=f"$\\lambda_{{{index + 1}}}$")
    ax.axhline(0, color="0.6", linewidth=1)
    ax.set(xlabel="t (steps)", ylabel="mean rate (nats per step)")
    ax.legend(frameon=False)
    ax.grid(alpha=0.3)
    return ax
