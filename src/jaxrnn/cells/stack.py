"""Deep networks: several cells on top of each other are one cell."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import Cell, Wiring
from jaxrnn.cells.checks import require
from jaxrnn.cells.dropout import input_dropout
from jaxrnn.cells.noise import require_rate, step_with

Connections = Literal["plain", "residual", "skip", "dense"]


def stack(*cells: Cell, connections: Connections = "plain", dropout: float = 0.0) -> Cell:
    """Stacks cells: the output of each is the input of the next.

        carry_t^l, y_t^l = step^l(params^l, carry_{t-1}^l, u_t^l)
        plain:     u^l = y^{l-1},  u^1 = x                 out = y^L
        residual:  u^l = y^{l-1},  y^l = u^l + step's y    out = y^L
        skip:      u^l = y^{l-1}                           out = [y^1, ..., y^L]
        dense:     u^l = [x, y^1, ..., y^{l-1}]            out = [y^1, ..., y^L]

    A step through the stack is a step through every layer. A sequence goes through it layer by
    layer (`unroll` sees `layers`), which gives the same numbers.

    Source: Graves 2013, arXiv:1308.0850 (layers, and skip connections to the output); El Hihi,
    Bengio 1995; He et al. 2015, arXiv:1512.03385 (residual); Huang et al. 2016, arXiv:1608.06993
    (dense).

    Args:
      *cells: one cell for each layer, the lowest first.
      connections: how they are joined. A residual is added in the layers that give as many numbers
        as they take. With "dense", layer l takes the sizes of x and of all outputs below it
        together.
      dropout: rate of `input_dropout` on every layer but the lowest.

    Returns:
      A `Cell` whose params and carry are tuples with one entry for each layer.

    Raises:
      ValueError: if there is no cell, or a layer does not take what the ones below give.

    >>> from jaxrnn.cells.lstm import lstm
    >>> cell = stack(lstm(3, 5), lstm(5, 4))
    >>> cell.in_shape, cell.out_shape
    ((3,), (4,))
    >>> stack(lstm(3, 5), lstm(8, 4), connections="dense").out_shape
    (9,)
    """
    require(len(cells) > 0, "cells", "hold at least one cell", cells)
    for cell in cells:
        require(isinstance(cell, Cell), "cells", "be a Cell each, as in stack(a, b)", repr(cell))
    wirings = ", ".join(map(repr, _WIRINGS))
    require(connections in _WIRINGS, "connections", f"be one of {wirings}", repr(connections))
    require_rate("dropout", dropout)
    wiring = _WIRINGS[connections]
    out_shape = _checked_shapes(cells, wiring, connections)
    if dropout:
        cells = (cells[0], *(input_dropout(cell, dropout) for cell in cells[1:]))

    def init(key: jax.Array) -> tuple[Any, ...]:
        keys = jax.random.split(key, len(cells))
        return tuple(cell.init(k) for cell, k in zip(cells, keys, strict=True))

    def initial_carry(batch_shape: tuple[int, ...] = (), dtype: Any = None) -> tuple[Any, ...]:
        return tuple(cell.initial_carry(batch_shape, dtype) for cell in cells)

    def step(
        params: tuple[Any, ...], carry: tuple[Any, ...], x: jax.Array, masks: Any = None
    ) -> tuple[tuple[Any, ...], jax.Array]:
        carries, seen = [], [x]
        masks = masks or (None,) * len(cells)
        for cell, layer_params, before, mask in zip(cells, params, carry, masks, strict=True):
            u = wiring.into(seen)
            after, y = step_with(cell, layer_params, before, u, mask)
            carries.append(after)
            seen.append(wiring.give(u, y))
        return tuple(carries), wiring.out(seen)

    return Cell(
        init, initial_carry, step, cells[0].in_shape, out_shape, layers=cells, wiring=wiring
    )


def _last(seen: list[jax.Array]) -> jax.Array:
    return seen[-1]


def _all(seen: list[jax.Array]) -> jax.Array:
    return jnp.concatenate(seen, axis=-1)


def _outputs(seen: list[jax.Array]) -> jax.Array:
    return _all(seen[1:])


def _output(u: jax.Array, y: jax.Array) -> jax.Array:
    del u
    return y


def _added(u: jax.Array, y: jax.Array) -> jax.Array:
    return y + u.astype(y.dtype) if u.shape == y.shape else y


_WIRINGS = {
    "plain": Wiring(_last, _output, _last),
    "residual": Wiring(_last, _added, _last),
    "skip": Wiring(_last, _output, _outputs),
    "dense": Wiring(_all, _output, _outputs),
}


def _checked_shapes(
    cells: tuple[Cell, ...], wiring: Wiring, connections: Connections
) -> tuple[int, ...] | None:
    """The shape of the output; ValueError if a layer does not take what the ones below give."""
    shapes = [cells[0].in_shape, *(cell.out_shape for cell in cells)]
    if connections in ("skip", "dense"):
        known = all(shape is not None for shape in shapes)
        require(known, "cells", f"say their shapes for {connections!r} connections", list(cells))
    if connections == "residual":
        fits = any(cell.in_shape == cell.out_shape for cell in cells)
        rule = "hold a layer that gives as many numbers as it takes, for a residual"
        require(fits, "cells", rule, list(cells))
    seen = [None if s is None else jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes]
    for n, above in enumerate(cells[1:], 2):
        if above.in_shape is None or seen[n - 1] is None:
            continue
        below = jax.eval_shape(wiring.into, seen[:n]).shape
        rule = f"fit together: a layer that gives {below} must be under one that takes it"
        require(below == above.in_shape, "cells", rule, above.in_shape)
    return cells[-1].out_shape if seen[-1] is None else jax.eval_shape(wiring.out, seen).shape
