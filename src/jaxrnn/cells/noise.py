"""Random masks for a cell, drawn before the loop: every way to run it sees the same ones."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import Carry, Cell, DenseParts, Noise, Params
from jaxrnn.cells.checks import require
from jaxrnn.cells.dense import dense


class Masks(NamedTuple):
    """What was drawn for one combinator, over a sequence or for one step of it."""

    steps: Any = None  # leaves [T, *B, ...]; [*B, ...] for one step
    fixed: Any = None  # leaves without time, the same at every step
    inner: Any = None  # the masks of the cell inside


def draw_masks(cell: Cell, key: jax.Array, length: int, batch_shape: tuple[int, ...] = ()) -> Any:
    """Draws every mask of a cell for a sequence, as `unroll(..., key=key)` does.

    Args:
      cell: any cell; what is not random in it takes no mask.
      key: random key; consumed.
      length: T.
      batch_shape: `*B`.

    Returns:
      A pytree for `masks_at`; None if nothing in the cell is random.

    >>> from jaxrnn.cells.lstm import lstm
    >>> from jaxrnn.cells.dropout import input_dropout
    >>> cell = input_dropout(lstm(3, 5), 0.5)
    >>> draw_masks(cell, jax.random.key(0), length=7, batch_shape=(2,)).steps.shape
    (7, 2, 3)
    """
    if cell.noise is not None:
        return cell.noise.draw(key, length, tuple(batch_shape))
    if not cell.layers:
        return None
    keys = jax.random.split(key, len(cell.layers))
    drawn = zip(cell.layers, keys, strict=True)
    masks = tuple(draw_masks(layer, k, length, batch_shape) for layer, k in drawn)
    return None if all(mask is None for mask in masks) else masks


def masks_at(masks: Any, t: Any) -> Any:
    """The masks of one step, the fourth argument of a random cell's `step`.

    >>> from jaxrnn.cells.dropout import input_dropout
    >>> from jaxrnn.cells.gru import gru
    >>> cell = input_dropout(gru(3, 5), 0.5)
    >>> masks = draw_masks(cell, jax.random.key(0), length=7)
    >>> x, params, carry = jnp.ones(3), cell.init(jax.random.key(1)), cell.initial_carry()
    >>> for t in range(7):
    ...     carry, y = cell.step(params, carry, x, masks_at(masks, t))
    """
    return _map_steps(lambda leaf: leaf[t], masks)


def step_with(cell: Cell, params: Any, carry: Any, x: jax.Array, masks: Any) -> tuple[Any, Any]:
    """`cell.step` with the masks of one step; None, or a cell that is not random, takes none."""
    if masks is None or (cell.noise is None and not cell.layers):
        return cell.step(params, carry, x)
    return cell.step(params, carry, x, masks)


def with_noise(quiet: Cell, noise: Noise) -> Cell:
    """The cell `quiet` whose step takes masks, and is `quiet.step` without."""

    def step(params: Params, carry: Carry, x: jax.Array, masks: Any = None) -> tuple[Carry, Any]:
        if masks is None:
            return quiet.step(params, carry, x)
        over_time = _map_steps(lambda leaf: leaf[None], masks)
        params, carry, xs = noise.enter(params, carry, jnp.asarray(x)[None], over_time)
        carry, y = step_with(noise.cell, params, carry, xs[0], masks.inner)
        return noise.leave(carry, y, masks)

    return quiet._replace(step=step, noise=noise)


def settled(cell: Cell) -> Cell:
    """What runs in the end once all masks of a cell have entered."""
    return cell if cell.noise is None else settled(cell.noise.cell)


def around(
    cell: Cell,
    active: Cell,
    *,
    draw: Callable[[jax.Array, int, tuple[int, ...]], Masks],
    enter: Callable[[Any, Any, jax.Array, Masks], tuple[Any, Any, jax.Array]],
    leave: Callable[[Any, Any], tuple[Any, Any]],
) -> Noise:
    """The noise of a combinator whose `active` cell is made around `settled(cell)`.

    What is random in `cell` itself enters first and leaves last.
    """

    def draw_all(key: jax.Array, length: int, batch_shape: tuple[int, ...]) -> Masks:
        own, inner = jax.random.split(key)
        masks = draw(own, length, batch_shape)
        return masks._replace(inner=draw_masks(cell, inner, length, batch_shape))

    def enter_all(params: Any, carry: Any, xs: jax.Array, masks: Masks) -> Any:
        params, carry, xs = _enter(cell, params, carry, xs, masks.inner)
        return enter(params, carry, xs, masks)

    def leave_all(carry: Any, ys: Any, masks: Masks) -> Any:
        carry, ys = leave(carry, ys)
        return _leave(cell, carry, ys, masks.inner)

    return Noise(draw_all, enter_all, active, leave_all)


def _enter(cell: Cell, params: Any, carry: Any, xs: jax.Array, masks: Any) -> Any:
    if cell.noise is None:
        return params, carry, xs
    params, carry, xs = cell.noise.enter(params, carry, xs, masks)
    return _enter(cell.noise.cell, params, carry, xs, masks.inner)


def _leave(cell: Cell, carry: Any, ys: Any, masks: Any) -> Any:
    if cell.noise is None:
        return carry, ys
    carry, ys = _leave(cell.noise.cell, carry, ys, masks.inner)
    return cell.noise.leave(carry, ys, masks)


def _map_steps(function: Callable[[jax.Array], jax.Array], masks: Any) -> Any:
    if isinstance(masks, Masks):
        steps, inner = jax.tree.map(function, masks.steps), _map_steps(function, masks.inner)
        return Masks(steps, masks.fixed, inner)
    if isinstance(masks, tuple):
        return tuple(_map_steps(function, mask) for mask in masks)
    return masks


def dropped(array: jax.Array, keep: jax.Array, rate: float) -> jax.Array:
    """Zero where `keep` is false, and the rest scaled up, so that the expectation stays."""
    return jnp.where(keep, array / (1 - rate), jnp.zeros((), array.dtype))


def require_rate(argument: str, rate: Any) -> None:
    """Raises ValueError unless `rate` is a probability below 1."""
    ok = isinstance(rate, Real) and not isinstance(rate, bool) and 0 <= float(rate) < 1
    require(ok, argument, "be a probability in [0, 1)", repr(rate))


def dense_parts(cell: Cell) -> tuple[DenseParts, DenseParts]:
    """The parts of a dense cell without a key, and once its masks have entered.

    Raises:
      ValueError: if the cell is not dense.
    """
    quiet = cell.dense if isinstance(cell, Cell) else None
    rule = "be a dense cell (in a stack, wrap each layer)"
    require(quiet is not None, "cell", rule, repr(cell))
    active = settled(cell).dense
    assert quiet is not None and active is not None
    return quiet, active


def dense_like(cell: Cell, parts: DenseParts, *, more_inputs: int = 0) -> Cell:
    """A dense cell of other parts, and the sizes of `cell`."""
    assert cell.in_shape is not None and cell.out_shape is not None  # every dense cell says them
    (in_size,), (out_size,) = cell.in_shape, cell.out_shape
    return dense(parts, init=cell.init, in_size=in_size + more_inputs, out_size=out_size)
