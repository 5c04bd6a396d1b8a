"""Deep networks: several cells on top of each other are one cell."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax

from jaxrnn.cells.cell import Cell
from jaxrnn.cells.checks import require


def stack(*cells: Cell) -> Cell:
    """Stacks cells: the output of each is the input of the next.

        carry_t^l, y_t^l = step^l(params^l, carry_{t-1}^l, y_t^{l-1}),   y_t^0 = x_t

    A step through the stack is a step through every layer. A sequence goes through it layer by
    layer (`unroll` sees `layers`), which gives the same numbers.

    Source: Graves 2013, arXiv:1308.0850; El Hihi, Bengio 1995.

    Args:
      *cells: one cell for each layer, the lowest first.

    Returns:
      A `Cell` whose params and carry are tuples with one entry for each layer.

    Raises:
      ValueError: if there is no cell, or a layer does not take what the one below gives.

    >>> from jaxrnn.cells.lstm import lstm
    >>> cell = stack(lstm(3, 5), lstm(5, 4))
    >>> cell.in_shape, cell.out_shape
    ((3,), (4,))
    """
    require(len(cells) > 0, "cells", "hold at least one cell", cells)
    for cell in cells:
        require(isinstance(cell, Cell), "cells", "be a Cell each, as in stack(a, b)", repr(cell))
    for below, above in pairwise(cells):
        known = below.out_shape is not None and above.in_shape is not None
        rule = f"fit together: a layer that gives {below.out_shape} must be under one that takes it"
        require(not known or below.out_shape == above.in_shape, "cells", rule, above.in_shape)

    def init(key: jax.Array) -> tuple[Any, ...]:
        keys = jax.random.split(key, len(cells))
        return tuple(cell.init(k) for cell, k in zip(cells, keys, strict=True))

    def initial_carry(batch_shape: tuple[int, ...] = (), dtype: Any = None) -> tuple[Any, ...]:
        return tuple(cell.initial_carry(batch_shape, dtype) for cell in cells)

    def step(
        params: tuple[Any, ...], carry: tuple[Any, ...], x: jax.Array
    ) -> tuple[tuple[Any, ...], jax.Array]:
        carries = []
        for cell, layer_params, layer_carry in zip(cells, params, carry, strict=True):
            layer_carry, x = cell.step(layer_params, layer_carry, x)
            carries.append(layer_carry)
        return tuple(carries), x

    return Cell(
        init, initial_carry, step, cells[0].in_shape, cells[-1].out_shape, layers=tuple(cells)
    )
