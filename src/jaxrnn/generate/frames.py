"""Generation of frames: at each step several outputs at once, each of them on or off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxrnn.cells.checks import require, require_size


def sample_frames(
    step: Callable[[Any, Any, jax.Array], tuple[Any, jax.Array]],
    params: Any,
    carry: Any,
    first: jax.Array,
    *,
    key: jax.Array,
    length: int,
    temperature: ArrayLike = 1.0,
) -> tuple[Any, jax.Array]:
    """Draws frame after frame, each read before the next one.

        carry_t, logits_t = step(params, carry_{t-1}, x_{t-1})
        x_tk ~ Bernoulli(sigmoid(logits_tk / τ))

    Source: Boulanger-Lewandowski, Bengio, Vincent 2012, arXiv:1206.6392 (the plain RNN).

    Args:
      step: `step(params, carry, frames) -> (carry, logits)`, both `[*B, K]`.
      params: its parameters.
      carry: state before `first` is read.
      first: the frames that are read first, `[*B, K]`; not among those returned.
      key: draws.
      length: T, number of frames.
      temperature: τ > 0; below 1 the outputs do what is more probable of each more often, which
        keeps outputs together that the model can only predict one by one.

    Returns:
      The carry before the last frame is read, and the frames `[T, *B, K]`, zeros and ones in the
      dtype of `first`.

    Raises:
      ValueError: if the length or the temperature is not positive.

    >>> import jax.numpy as jnp
    >>> always = lambda params, carry, frames: (carry, jnp.full_like(frames, 99))
    >>> _, frames = sample_frames(always, (), (), jnp.zeros(3), key=jax.random.key(0), length=2)
    >>> frames.tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    require_size("length", length)
    if not isinstance(temperature, Tracer):
        known = bool(np.asarray(temperature) > 0)
        require(known, "temperature", "be positive", temperature)

    def draw(state: tuple[Any, jax.Array], key: jax.Array) -> tuple[Any, jax.Array]:
        carry, logits = step(params, *state)
        frame = jax.random.bernoulli(key, jax.nn.sigmoid(logits / temperature)).astype(first.dtype)
        return (carry, frame), frame

    (carry, _), frames = jax.lax.scan(draw, (carry, first), jax.random.split(key, length))
    return carry, frames
