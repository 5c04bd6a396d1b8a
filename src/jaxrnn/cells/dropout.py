"""Dropout on what goes into a cell and on what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from jaxrnn.cells.cell import Cell, Noise
from jaxrnn.cells.checks import require
from jaxrnn.cells.noise import Masks, draw_masks, dropped, require_rate, with_noise


def input_dropout(cell: Cell, rate: float, *, same_over_time: bool = False) -> Cell:
    """Sets inputs to zero at random.

        x̃_t = m_t ⊙ x_t / (1 - rate),   m_t ~ Bernoulli(1 - rate)

    On an upper layer of a stack it is dropout between layers. Without a key nothing is dropped.

    Source: Zaremba, Sutskever, Vinyals 2014, arXiv:1409.2329 (a fresh mask at each step); Gal,
    Ghahramani 2016, arXiv:1512.05287 (one mask for the sequence).

    Args:
      cell: any cell that says its input shape.
      rate: probability of a zero, in [0, 1).
      same_over_time: one mask for all steps of a sequence, a different one for each sequence.

    Returns:
      A `Cell` with the params and the carry of `cell`, random where `unroll` is given a `key`.

    Raises:
      ValueError: if the rate is no probability, or the cell does not say its input shape.

    >>> from jaxrnn.cells.gru import gru
    >>> cell = input_dropout(gru(3, 5), 0.5)
    >>> cell.in_shape, cell.out_shape
    ((3,), (5,))
    """
    require_rate("rate", rate)
    known = isinstance(cell, Cell) and cell.in_shape is not None
    require(known, "cell", "be a Cell that says its in_shape", repr(cell))

    draw = _drawing(cell, rate, cell.in_shape or (), same_over_time)

    def enter(params: Any, carry: Any, xs: jax.Array, masks: Masks) -> tuple[Any, Any, jax.Array]:
        return params, carry, _drop(xs, masks, rate)

    leave = lambda carry, ys, masks: (carry, ys)
    return with_noise(cell, Noise(draw, enter, cell, leave))


def output_dropout(cell: Cell, rate: float, *, same_over_time: bool = False) -> Cell:
    """Sets outputs to zero at random; the carry keeps all.

        ỹ_t = m_t ⊙ y_t / (1 - rate),   m_t ~ Bernoulli(1 - rate)

    Without a key nothing is dropped. Args, source, and errors as for `input_dropout`.

    >>> from jaxrnn.cells.gru import gru
    >>> output_dropout(gru(3, 5), 0.5).out_shape
    (5,)
    """
    require_rate("rate", rate)
    known = isinstance(cell, Cell) and cell.out_shape is not None
    require(known, "cell", "be a Cell that says its out_shape", repr(cell))

    draw = _drawing(cell, rate, cell.out_shape or (), same_over_time)

    enter = lambda params, carry, xs, masks: (params, carry, xs)

    def leave(carry: Any, ys: jax.Array, masks: Masks) -> tuple[Any, jax.Array]:
        return carry, _drop(ys, masks, rate)

    return with_noise(cell, Noise(draw, enter, cell, leave))


def _drawing(
    cell: Cell, rate: float, shape: tuple[int, ...], same_over_time: bool
) -> Callable[[jax.Array, int, tuple[int, ...]], Masks]:
    """The function that draws a mask of `shape` for each sequence, and the masks of `cell`."""

    def draw(key: jax.Array, length: int, batch_shape: tuple[int, ...]) -> Masks:
        own, inner = jax.random.split(key)
        masks = draw_masks(cell, inner, length, batch_shape)
        one = (*batch_shape, *shape)
        if same_over_time:
            return Masks(fixed=jax.random.bernoulli(own, 1 - rate, one), inner=masks)
        return Masks(steps=jax.random.bernoulli(own, 1 - rate, (length, *one)), inner=masks)

    return draw


def _drop(array: jax.Array, masks: Masks, rate: float) -> jax.Array:
    return dropped(array, masks.fixed if masks.steps is None else masks.steps, rate)
