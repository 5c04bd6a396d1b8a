"""Videos of a shape that moves: no single frame shows where to."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.cells.checks import require, require_size

DIRECTIONS = ("up", "down", "left", "right")

_STEPS = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])  # rows, columns
_SHAPES = np.array(
    [
        [[1, 1, 1], [1, 0, 1], [1, 1, 1]],
        [[0, 1, 0], [1, 1, 1], [0, 1, 0]],
        [[1, 0, 1], [0, 1, 0], [1, 0, 1]],
    ],
    np.float32,
)


class Clips(NamedTuple):
    """Videos, batch-major as the models read them."""

    frames: jax.Array  # [B, T, S, S] float32, from 0 to 1 without noise
    directions: jax.Array  # [B, T] int32, the step that leads to the frame, see `DIRECTIONS`
    shapes: jax.Array  # [B] int32, which shape: a ring, a plus, or a cross


def moving_shapes(
    key: jax.Array,
    *,
    batch_size: int,
    length: int,
    size: int = 8,
    turn: float = 0.0,
    noise: float = 0.0,
) -> Clips:
    """A shape of three by three pixels that moves by one pixel from frame to frame.

        p_0 anywhere;   p_t = (p_{t-1} + step(d_t)) mod size
        d_t = d_{t-1} with the probability 1 - turn, else one of the four at random

    What leaves the picture on one side comes back on the other, so that a place says nothing about
    a direction. With `turn` = 0 the direction is a label of the whole clip, `directions[:, -1]`,
    that takes two frames to see; otherwise it is one of each frame but the first.

    Source: after the moving digits of Srivastava, Mansimov, Salakhutdinov 2015, arXiv:1502.04681.

    Args:
      key: random key; consumed.
      batch_size: B.
      length: T, frames.
      size: S, pixels in a row; at least 4.
      turn: probability of a new direction before a frame, in [0, 1].
      noise: standard deviation of what is added to every pixel.

    Returns:
      `Clips`.

    Raises:
      ValueError: if a size is too small, the probability none, or the noise negative.

    >>> clips = moving_shapes(jax.random.key(0), batch_size=2, length=5)
    >>> clips.frames.shape, clips.directions.shape
    ((2, 5, 8, 8), (2, 5))
    """
    require_size("batch_size", batch_size)
    require_size("length", length)
    require_size("size", size)
    require(size >= 4, "size", "be at least 4, to have room to move", size)
    require(0 <= turn <= 1, "turn", "be a probability between 0 and 1", turn)
    require(noise >= 0, "noise", "not be negative", noise)
    place_key, shape_key, direction_key, turn_key, noise_key = jax.random.split(key, 5)
    places = jax.random.randint(place_key, (batch_size, 2), 0, size)
    shapes = jax.random.randint(shape_key, (batch_size,), 0, len(_SHAPES), jnp.int32)
    drawn = jax.random.randint(direction_key, (batch_size, length), 0, 4, jnp.int32)
    turns = jax.random.bernoulli(turn_key, turn, (batch_size, length)).at[:, 0].set(True)
    # The direction at t is the one drawn at the last turn.
    last = jax.lax.cummax(jnp.where(turns, jnp.arange(length), 0), axis=1)
    directions = jnp.take_along_axis(drawn, last, axis=1)
    path = jnp.cumsum(jnp.asarray(_STEPS)[directions], axis=1) + places[:, None]
    frames = _draw(jnp.asarray(_SHAPES)[shapes], path % size, size)
    frames = frames + noise * jax.random.normal(noise_key, frames.shape)
    return Clips(frames, directions, shapes)


def _draw(shapes: jax.Array, places: jax.Array, size: int) -> jax.Array:
    """Shapes `[B, 3, 3]` with their corner at places `[B, T, 2]`: frames `[B, T, size, size]`."""
    canvas = jnp.pad(shapes, [(0, 0), (0, size - 3), (0, size - 3)])
    roll = lambda picture, place: jnp.roll(picture, place, axis=(0, 1))
    return jax.vmap(jax.vmap(roll, in_axes=(None, 0)))(canvas, places)
