"""A drawing of a network unrolled in time: one box for each layer and step."""

from __future__ import annotations

from collections.abc import Sequence

import jax
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from jaxrnn.cells.cell import Cell
from jaxrnn.cells.checks import require, require_size
from jaxrnn.diagnostics.plot.axes import axes_or_new, color

_ACROSS, _UP = 1.7, 1.25  # from one box to the next
_WIDTH, _HEIGHT = 0.9, 0.55


def draw_unrolled(
    cell: Cell, steps: int = 4, ax: Axes | None = None, *, names: Sequence[str] | None = None
) -> Axes:
    """Draws a cell, or every layer of a stack, unrolled in time.

    Time runs to the right and depth upwards. The arrows from step to step carry the names of the
    leaves of the carry, with the number of steps behind them.

    Args:
      cell: the network; nothing is computed.
      steps: how many steps to show.
      ax: where to draw; None makes a figure of a fitting size.
      names: what is written in the boxes, the lowest layer first; None takes it from the
        parameters, "LSTM" from `LSTMParams`.

    Returns:
      The axes.

    Raises:
      ValueError: if `steps` is not a positive integer, or there is not one name for each layer.
    """
    require_size("steps", steps)
    layers = _layers(cell)
    names = [_name(layer) for layer in layers] if names is None else list(names)
    require(len(names) == len(layers), "names", f"be {len(layers)}, one for each layer", names)
    right, top = (steps - 1) * _ACROSS, (len(layers) - 1) * _UP
    ax = axes_or_new(ax, 1.1 * (right + 3), 1.1 * (top + 2.2))
    for row, (layer, name) in enumerate(zip(layers, names, strict=True)):
        for column in range(steps):
            _box(ax, column, row, name)
        for column in range(-1, steps):
            _carry_arrow(ax, column, row, [f"{leaf}$_{{{column + 1}}}$" for leaf in _leaves(layer)])
    for column in range(steps):
        for row in range(-1, len(layers)):
            _output_arrow(ax, column, row)
        time = f"$_{{{column + 1}}}$"
        ax.text(column * _ACROSS, -0.95, f"x{time}", ha="center", va="top")
        ax.text(column * _ACROSS, top + 0.95, f"y{time}", ha="center", va="bottom")
    ax.set(xlim=(-1.5, right + 1.5), ylim=(-1.3, top + 1.3), aspect="equal")
    ax.axis("off")
    return ax


def _layers(cell: Cell) -> list[Cell]:
    """The cells of a stack, and of stacks in it, the lowest first."""
    return [inner for layer in cell.layers for inner in _layers(layer)] if cell.layers else [cell]


def _name(cell: Cell) -> str:
    """The name of a unit from that of its parameters, which for most is a NamedTuple."""
    params = jax.eval_shape(cell.init, jax.random.key(0))
    name = type(params).__name__
    return name.removesuffix("Params") if name.endswith("Params") else "cell"


def _leaves(cell: Cell) -> list[str]:
    """The names of the leaves of the carry; a carry that is one array is h."""
    carry = jax.eval_shape(lambda: cell.initial_carry())
    paths = [path for path, _ in jax.tree.leaves_with_path(carry)]
    return [jax.tree_util.keystr(path, simple=True, separator=".") or "h" for path in paths]


def _box(ax: Axes, column: int, row: int, name: str) -> None:
    corner = column * _ACROSS - _WIDTH / 2, row * _UP - _HEIGHT / 2
    style, tint = "round,pad=0,rounding_size=0.1", color(row)
    ax.add_patch(FancyBboxPatch(corner, _WIDTH, _HEIGHT, style, fc=tint + "30", ec=tint))
    ax.text(column * _ACROSS, row * _UP, name, ha="center", va="center", fontsize=9)


def _carry_arrow(ax: Axes, column: int, row: int, leaves: list[str]) -> None:
    """From the box in `column` to the next, with the names of what goes along."""
    start, end = column * _ACROSS + _WIDTH / 2, (column + 1) * _ACROSS - _WIDTH / 2
    _arrow(ax, (start, row * _UP), (end, row * _UP))
    middle = (start + end) / 2
    ax.text(middle, row * _UP + 0.06, ", ".join(leaves), ha="center", va="bottom", fontsize=8)


def _output_arrow(ax: Axes, column: int, row: int) -> None:
    """From the box in `row` to the one above; from the input and to the output at the ends."""
    x, gap = column * _ACROSS, _UP - _HEIGHT
    bottom = row * _UP + _HEIGHT / 2
    _arrow(ax, (x, bottom), (x, bottom + gap))


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "0.3", "shrinkB": 1})
