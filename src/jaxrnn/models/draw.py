"""DRAW: an image is painted little by little, each time where the network chooses to look."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require, require_size
from jaxrnn.losses import bernoulli_nll
from jaxrnn.models.decoder import output_size
from jaxrnn.models.window import Window, read_window, window_of, write_window
from jaxrnn.recurrence import unroll


class Painting(NamedTuple):
    """How an image came to be."""

    canvases: jax.Array  # [T, *B, R, C], after each step; log-odds that a pixel is ink
    windows: Window  # leaves [T, *B], where each step has painted
    nats: jax.Array  # [T, *B], what the code of each step tells of the image; 0 if imagined


class Draw(nnx.Module):
    """Paints images in T steps, and learns to from images.

        x̂_t = x - sigmoid(c_{t-1});   r_t = [read(x), read(x̂_t)], by the window W_r h_{t-1} + b_r
        e_t = encoder(e_{t-1}, [r_t, h_{t-1}]);   z_t ~ q_t = N(W_m e_t + b_m, exp(W_s e_t + b_s)²)
        h_t = decoder(h_{t-1}, z_t)
        c_t = c_{t-1} + write(W_w h_t + b_w), by the window V h_t + b_v

    What is minimised is an upper bound of -log p(x), in which the image is told in T codes, and
    then its pixels given the last canvas:

        loss = -log Bernoulli(x; sigmoid(c_T)) + Σ_t KL(q_t ‖ N(0, 1))

    To imagine an image, the codes are drawn from N(0, 1) and there is nothing to read.

    Source: Gregor et al. 2015, arXiv:1502.04623, who learn the first canvas; here it is zero, even
    chances for each pixel, and so are the first states.

    >>> from jaxrnn import lstm
    >>> sizes = {"shape": (8, 8), "codes": 4, "steps": 3, "read_size": 3, "write_size": 2}
    >>> model = Draw(lstm(2 * 3 * 3 + 16, 16), lstm(4, 16), **sizes, rngs=nnx.Rngs(0))
    >>> model.loss(jnp.ones((2, 8, 8)), jax.random.key(0)).shape
    (2,)
    >>> model.imagine(jax.random.key(1), (5,)).canvases.shape
    (3, 5, 8, 8)
    """

    def __init__(
        self,
        encoder: Cell,
        decoder: Cell,
        *,
        shape: tuple[int, int],
        codes: int,
        steps: int,
        read_size: int,
        write_size: int,
        rngs: nnx.Rngs,
        deviation: float = 1.0,
    ):
        """Draws the parameters.

        Args:
          encoder: a cell that reads 2 N² + H numbers, H what the decoder puts out.
          decoder: a cell that reads Z numbers.
          shape: R rows and C columns of the images.
          codes: Z, numbers that tell of the image at each step.
          steps: T.
          read_size: N, numbers along the side of the window that reads.
          write_size: and of the one that writes.
          rngs: its `params` stream gives the keys.
          deviation: of the filters of both windows before it has learned anything, in pixels; as
            wide as the finest details.

        Raises:
          ValueError: if a size or the deviation is not positive, or a cell reads another number of
            numbers.
        """
        sizes = {"codes": codes, "steps": steps, "read_size": read_size, "write_size": write_size}
        for name, value in {"shape[0]": shape[0], "shape[1]": shape[1], **sizes}.items():
            require_size(name, value)
        require(deviation > 0, "deviation", "be positive", deviation)
        for name, cell in (("encoder", encoder), ("decoder", decoder)):
            require(isinstance(cell, Cell), name, "be a jaxrnn Cell", type(cell).__name__)
        read, hidden = output_size(encoder), output_size(decoder)
        for name, cell, size in (
            ("encoder", encoder, 2 * read_size**2 + hidden),
            ("decoder", decoder, codes),
        ):
            require(cell.in_shape == (size,), name, f"read {size} numbers", cell.in_shape)
        self.encoder, self.decoder = nnx.static(encoder), nnx.static(decoder)
        params = encoder.init(rngs.params()), decoder.init(rngs.params())
        self.params = nnx.data(jax.tree.map(nnx.Param, params))
        # Windows that jump before anything is learned make the gradients noise.
        steady = {
            "kernel_init": jax.nn.initializers.variance_scaling(0.01, "fan_in", "normal"),
            "bias_init": lambda *_: jnp.array([0, 0, 2 * math.log(deviation), 0, 0], jnp.float32),
        }
        self.where_to_read = nnx.Linear(hidden, 5, **steady, rngs=rngs)
        self.mean = nnx.Linear(read, codes, rngs=rngs)
        self.log_deviation = nnx.Linear(read, codes, rngs=rngs)
        self.where_to_write = nnx.Linear(hidden, 5, **steady, rngs=rngs)
        self.what_to_write = nnx.Linear(hidden, write_size**2, rngs=rngs)
        self.shape, self.codes, self.steps = shape, codes, steps
        self.read_size, self.write_size = read_size, write_size

    def loss(self, images: jax.Array, key: jax.Array) -> jax.Array:
        """Nats `[*B]` that images `[*B, R, C]` take at most, by codes that the key draws."""
        painting = self.paint(images, key)
        pixels = jnp.sum(bernoulli_nll(painting.canvases[-1], images), axis=(-2, -1))
        return pixels + jnp.sum(painting.nats, axis=0)

    def paint(self, images: jax.Array, key: jax.Array) -> Painting:
        """Paints images again, looking at them.

        Args:
          images: from 0 to 1, `[*B, R, C]`.
          key: draws the codes.

        Raises:
          ValueError: if the images have another shape.
        """
        fits = images.ndim >= 2 and images.shape[-2:] == self.shape
        require(
            fits, "images", f"have the shape [*B, {self.shape[0]}, {self.shape[1]}]", images.shape
        )
        return self._paint(images, images.shape[:-2], key)

    def imagine(self, key: jax.Array, batch_shape: tuple[int, ...] = ()) -> Painting:
        """Paints images that nobody has seen, `[*B]` of them."""
        return self._paint(None, batch_shape, key)

    def _paint(
        self, images: jax.Array | None, batch_shape: tuple[int, ...], key: jax.Array
    ) -> Painting:
        noise = jax.random.normal(key, (self.steps, *batch_shape, self.codes))
        graph, state = nnx.split(self)

        def step(state: Any, carry: Any, noise: jax.Array) -> tuple[Any, Painting]:
            return nnx.merge(graph, state)._step(images, carry, noise)

        dtype = noise.dtype
        cells = [cell.initial_carry(batch_shape, dtype) for cell in (self.encoder, self.decoder)]
        shown = jnp.zeros((*batch_shape, output_size(self.decoder)), dtype)
        carry = *cells, shown, jnp.zeros((*batch_shape, *self.shape), dtype)
        return unroll(step, state, carry, noise)[1]

    def _step(self, images: jax.Array | None, carry: Any, noise: jax.Array) -> tuple[Any, Painting]:
        """Looks, if there is something to look at; decides on a code; and paints."""
        encoder, decoder = nnx.as_pure(self.params)
        read, written, shown, canvas = carry
        codes, nats = noise, jnp.zeros(noise.shape[:-1], noise.dtype)
        if images is not None:
            window = window_of(self.where_to_read(shown), self.shape, self.read_size)
            missing = images - jax.nn.sigmoid(canvas)
            seen = [read_window(each, window, self.read_size) for each in (images, missing)]
            flat = [each.reshape(*shown.shape[:-1], -1) for each in seen]
            read, told = self.encoder.step(encoder, read, jnp.concatenate([*flat, shown], axis=-1))
            mean, log_deviation = self.mean(told), self.log_deviation(told)
            codes = mean + jnp.exp(log_deviation) * noise
            nats = _divergence(mean, log_deviation)
        written, shown = self.decoder.step(decoder, written, codes)
        window = window_of(self.where_to_write(shown), self.shape, self.write_size)
        patch = self.what_to_write(shown).reshape(*shown.shape[:-1], *2 * (self.write_size,))
        canvas = canvas + write_window(patch, window, self.shape)
        return (read, written, shown, canvas), Painting(canvas, window, nats)


def _divergence(mean: jax.Array, log_deviation: jax.Array) -> jax.Array:
    """KL(N(mean, exp(log_deviation)²) ‖ N(0, 1)), summed over the last axis."""
    variance = jnp.exp(2 * log_deviation)
    return jnp.sum(mean**2 + variance - 2 * log_deviation - 1, axis=-1) / 2
