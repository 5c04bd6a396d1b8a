"""The recurrent attention model: it reads an image by a few glimpses and learns where to look."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require, require_size
from jaxrnn.models.retina import retina
from jaxrnn.nn import Softmax
from jaxrnn.recurrence import unroll


class Glimpses(NamedTuple):
    """Where a model has looked, and what it made of it."""

    locations: jax.Array  # [T, *B, 2] row and column from -1 to 1; the first one is (0, 0)
    outputs: jax.Array  # [T, *B, H] of the cell after each glimpse


class GlimpseClassifier(nnx.Module):
    """Classifies images, seeing only a patch at a time.

        g_t = relu(W_p relu(A retina(x, l_t)) + W_l relu(L l_t) + b)
        h_t = cell(h_{t-1}, g_t);   l_{t+1} ~ N(tanh(W_m h_t + b_m), σ²)
        p(k | x) = softmax(V h_T)

    What a glimpse shows cannot be differentiated by its place, so the mean of the places is learned
    by REINFORCE from the reward r = [the class was right], against a learned baseline b_t:

        loss = -log p(k | x) - Σ_t (r - b_t) log N(l_{t+1}; mean_t, σ²) + Σ_t (r - b_t)²

    Only W_m and b_m learn from the second term and only the baseline from the third; the rest from
    the first. Places outside of the image stand in the loss as drawn and are looked at on its edge.

    Source: Mnih et al. 2014, arXiv:1406.6247; Ba, Mnih, Kavukcuoglu 2015, arXiv:1412.7755.

    >>> from jaxrnn import lstm
    >>> model = GlimpseClassifier(lstm(8, 16), classes=10, size=4, glimpses=3, rngs=nnx.Rngs(0))
    >>> images, labels = jnp.ones((2, 8, 8)), jnp.array([3, 1])
    >>> model.loss(images, labels, jax.random.key(0)).shape
    (2,)
    >>> model.look(images).locations.shape
    (3, 2, 2)
    """

    def __init__(
        self,
        cell: Cell,
        *,
        classes: int,
        size: int,
        glimpses: int,
        rngs: nnx.Rngs,
        scales: int = 1,
        deviation: float = 0.2,
    ):
        """Draws the parameters.

        Args:
          cell: reads vectors, for example `lstm(in_size, hidden_size)`.
          classes: K.
          size: pixels along the side of a patch.
          glimpses: T, how often it looks; the first time at the centre.
          rngs: its `params` stream gives the keys.
          scales: patches of each glimpse, see `retina`.
          deviation: σ, where 2 is the side of the image.

        Raises:
          ValueError: if a size or the deviation is not positive.
        """
        sizes = {"classes": classes, "size": size, "glimpses": glimpses, "scales": scales}
        for name, value in sizes.items():
            require_size(name, value)
        require(deviation > 0, "deviation", "be positive", deviation)
        require(isinstance(cell, Cell), "cell", "be a jaxrnn Cell", type(cell).__name__)
        require(cell.in_shape is not None, "cell", "say how much it reads", cell.in_shape)
        assert cell.in_shape is not None and cell.out_shape is not None
        self.cell = nnx.static(cell)
        self.params = nnx.data(jax.tree.map(nnx.Param, cell.init(rngs.params())))
        (width,), hidden = cell.in_shape, cell.out_shape[-1]
        self.what = nnx.Linear(scales * size * size, width, rngs=rngs)
        self.where = nnx.Linear(2, width, rngs=rngs)
        self.both = nnx.Linear(2 * width, width, rngs=rngs)
        self.mean = nnx.Linear(hidden, 2, rngs=rngs)
        self.baseline = nnx.Linear(hidden, 1, rngs=rngs)
        self.readout = Softmax(hidden, classes, rngs=rngs)
        self.size, self.scales = size, scales
        self.glimpses, self.deviation = glimpses, deviation

    def look(self, images: jax.Array, *, key: jax.Array | None = None) -> Glimpses:
        """Takes the glimpses at images `[*B, R, C]`.

        Args:
          images: of any size.
          key: draws the places around their means; None: looks at the means.
        """
        require(images.ndim >= 2, "images", "have the shape [*B, R, C]", images.shape)
        batch = images.shape[:-2]
        noise = jnp.zeros((self.glimpses, *batch, 2), images.dtype)
        if key is not None:
            noise = self.deviation * jax.random.normal(key, noise.shape, noise.dtype)
        graph, state = nnx.split(self)

        def step(state: Any, carry: Any, noise: jax.Array) -> tuple[Any, Any]:
            return nnx.merge(graph, state)._step(images, carry, noise)

        carry = self.cell.initial_carry(batch, images.dtype), jnp.zeros_like(noise[0])
        return unroll(step, state, carry, noise)[1]

    def _step(
        self, images: jax.Array, carry: tuple[Any, jax.Array], noise: jax.Array
    ) -> tuple[Any, Glimpses]:
        """One glimpse at the place in the carry, and the choice of the next place."""
        carry, location = carry
        seen = jnp.clip(location, -1, 1)
        patches = retina(images, seen, size=self.size, scales=self.scales)
        what = jax.nn.relu(self.what(patches.reshape(*seen.shape[:-1], -1)))
        where = jax.nn.relu(self.where(seen))
        glimpse = jax.nn.relu(self.both(jnp.concatenate([what, where], axis=-1)))
        carry, output = self.cell.step(nnx.as_pure(self.params), carry, glimpse)
        following = jax.lax.stop_gradient(self._mean(output) + noise)
        return (carry, following), Glimpses(location, output)

    def _mean(self, outputs: jax.Array) -> jax.Array:
        """Mean of the next place; what comes before is learned from the classes alone."""
        return jnp.tanh(self.mean(jax.lax.stop_gradient(outputs)))

    def __call__(self, images: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        """Logits `[*B, K]` after the last glimpse; arguments as for `look`."""
        return self.readout(self.look(images, key=key).outputs[-1])

    def nll(
        self, images: jax.Array, labels: jax.Array, *, key: jax.Array | None = None
    ) -> jax.Array:
        """Nats `[*B]` of the labels `[*B]`, without what the places are learned by."""
        return self.readout.nll(self.look(images, key=key).outputs[-1], labels)

    def loss(
        self, images: jax.Array, labels: jax.Array, key: jax.Array, *, samples: int = 1
    ) -> jax.Array:
        """What is minimised, `[*B]`, a mean over paths of glimpses.

        Args:
          images: `[*B, R, C]`.
          labels: `[*B]`, integers in [0, K).
          key: draws the paths.
          samples: paths of each image.

        Raises:
          ValueError: if a shape does not fit or `samples` is not positive.
        """
        require_size("samples", samples)
        images = jnp.broadcast_to(images, (samples, *images.shape))
        labels = jnp.broadcast_to(labels, (samples, *labels.shape))
        locations, outputs = self.look(images, key=key)
        reward = jnp.argmax(self.readout(outputs[-1]), axis=-1) == labels
        baselines = self.baseline(jax.lax.stop_gradient(outputs[:-1]))[..., 0]
        distances = (locations[1:] - self._mean(outputs[:-1])) / self.deviation
        log_likelihoods = -jnp.sum(distances**2, axis=-1) / 2  # but for a constant
        terms = reinforce(log_likelihoods, reward.astype(baselines.dtype), baselines)
        return jnp.mean(self.readout.nll(outputs[-1], labels) + jnp.sum(terms, axis=0), axis=0)


def reinforce(log_likelihoods: jax.Array, rewards: jax.Array, baselines: jax.Array) -> jax.Array:
    """A loss whose gradient is that of REINFORCE, and the error of the baseline.

        loss = -(r - b) log π + (r - b)²,   (r - b) constant in the first and π in the second term

    The baseline must not depend on the action: then it changes the variance of the gradient alone.

    Source: Williams 1992, doi:10.1007/BF00992696.

    Args:
      log_likelihoods: log π of what was done, `[T, *B]`.
      rewards: `[*B]` or `[T, *B]`, no gradient is taken.
      baselines: what is expected as the reward, `[T, *B]`.

    Returns:
      `[T, *B]`.

    >>> float(jax.grad(reinforce)(jnp.float32(-1), jnp.float32(1), jnp.float32(0.25)))
    -0.75
    """
    advantages = jax.lax.stop_gradient(rewards) - baselines
    return advantages**2 - jax.lax.stop_gradient(advantages) * log_likelihoods
