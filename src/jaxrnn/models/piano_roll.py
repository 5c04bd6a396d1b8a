"""The piano-roll model: music as frames in which each key is down or up."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import ArrayLike

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require, require_size
from jaxrnn.generate.frames import sample_frames
from jaxrnn.losses import bernoulli_nll
from jaxrnn.nn import RNN
from jaxrnn.recurrence import length_mask, unroll


class PianoRoll(nnx.Module):
    """Says of each key whether it will be down, given all frames before.

        h_t = cell(h_{t-1}, x_{t-1});   p(x_t | past) = Π_k Bernoulli(x_tk; sigmoid(W h_t + b)_k)

    x_0, before the first frame, is silence.

    Source: Boulanger-Lewandowski, Bengio, Vincent 2012, arXiv:1206.6392 (the plain RNN); Bai et al.
    2018, arXiv:1803.01271.

    >>> from jaxrnn import gru
    >>> model = PianoRoll(gru(88, 16), rngs=nnx.Rngs(0))
    >>> model.nll(jnp.zeros((2, 7, 88)), jnp.array([7, 3])).shape
    (2, 7)
    >>> model.compose(5, jax.random.key(0)).shape
    (5, 88)
    """

    def __init__(self, cell: Cell, *, rngs: nnx.Rngs):
        """Draws the parameters.

        Args:
          cell: the recurrent layers; K, the number of keys, is the size of their input.
          rngs: its `params` stream gives the keys.

        Raises:
          ValueError: if `cell` is no cell, or one that reads anything.
        """
        self.rnn = RNN(cell, rngs=rngs)
        require(cell.in_shape is not None, "cell", "say how much it reads", cell.in_shape)
        assert cell.in_shape is not None and cell.out_shape is not None
        (self.keys,) = cell.in_shape
        self.readout = nnx.Linear(cell.out_shape[-1], self.keys, rngs=rngs)

    def __call__(
        self, rolls: jax.Array, lengths: jax.Array | None = None, *, key: jax.Array | None = None
    ) -> jax.Array:
        """Log-odds `[*B, T, K]` of each frame given those before; arguments as for `nll`."""
        fits = rolls.ndim >= 2 and rolls.shape[-1] == self.keys
        require(fits, "rolls", f"have the shape [*B, T, {self.keys}]", rolls.shape)
        rolls = rolls.astype(jnp.promote_types(rolls.dtype, jnp.float32))
        silence = jnp.zeros_like(rolls[..., :1, :])
        before = jnp.concatenate([silence, rolls], axis=-2)[..., : rolls.shape[-2], :]
        return self.readout(self.rnn(before, seq_lengths=lengths, key=key)[1])

    def nll(
        self, rolls: jax.Array, lengths: jax.Array | None = None, *, key: jax.Array | None = None
    ) -> jax.Array:
        """Negative log-likelihood of each frame.

        Args:
          rolls: 1 where a key is down, `[*B, T, K]`; anything in the padding.
          lengths: real frames of each piece, integers `[*B]`; None if all T are.
          key: draws the masks of dropout; None turns it off.

        Returns:
          Nats `[*B, T]`, zero in the padding.

        Raises:
          ValueError: if a shape does not fit.
        """
        logits = self(rolls, lengths, key=key)
        if lengths is None:
            return frame_nats(logits, rolls)
        real = jnp.moveaxis(length_mask(lengths, rolls.shape[-2]), 0, -1)
        return frame_nats(logits, rolls, real)

    def compose(
        self,
        length: int,
        key: jax.Array,
        *,
        beginning: jax.Array | None = None,
        temperature: ArrayLike = 1.0,
    ) -> jax.Array:
        """Draws frames `[length, K]`, that follow the frames `beginning [T, K]` if there are any.

        The temperature is that of `sample_frames`.

        Raises:
          ValueError: if the length or the temperature is not positive or the beginning has another
            shape.
        """
        require_size("length", length)
        start = jnp.zeros((1, self.keys))
        if beginning is not None:
            fits = beginning.ndim == 2 and beginning.shape[1] == self.keys
            require(fits, "beginning", f"have the shape [T, {self.keys}]", beginning.shape)
            start = jnp.concatenate([start, beginning.astype(start.dtype)])
        graph, state = nnx.split(self)

        def step(state: Any, carry: Any, frame: jax.Array) -> tuple[Any, jax.Array]:
            model = nnx.merge(graph, state)
            carry, output = model.rnn.cell.step(nnx.as_pure(model.rnn.params), carry, frame)
            return carry, model.readout(output)

        cell = self.rnn.cell
        carry, _ = unroll(cell, nnx.as_pure(self.rnn.params), cell.initial_carry(), start[:-1])
        how: Any = {"key": key, "length": length, "temperature": temperature}
        return sample_frames(step, state, carry, start[-1], **how)[1]


def frame_nats(logits: jax.Array, rolls: jax.Array, real: jax.Array | None = None) -> jax.Array:
    """Nats of frames under keys that are independent.

        nats_t = Σ_k nats of key k, see `jaxrnn.losses.bernoulli_nll`

    Args:
      logits: log-odds that a key is down, `[*B, T, K]`.
      rolls: 1 where it is, `[*B, T, K]`.
      real: false in the padding, `[*B, T]`; anything may stand there. None: all frames count.

    Returns:
      `[*B, T]`, zero in the padding.

    >>> frame_nats(jnp.zeros((2, 88)), jnp.ones((2, 88))).round(2).tolist()  # 88 log 2
    [61.0, 61.0]
    """
    if real is not None:  # before the sum: 0 * NaN is NaN in a gradient
        logits, rolls = (jnp.where(real[..., None], x, 0) for x in (logits, rolls))
    nats = jnp.sum(bernoulli_nll(logits, rolls), axis=-1)
    return nats if real is None else jnp.where(real, nats, 0)
