"""The plain output layer: a score for every symbol."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells.checks import require_size
from jaxrnn.losses import nll
from jaxrnn.nn.readout import masked_nats, require_hidden

# Of variance 1 / H, as in `nnx.Linear`; the rows of a kernel `[V, H]` are its outputs.
fan_in_init = jax.nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)


class Softmax(nnx.Module):
    """Scores every symbol by a vector of its own.

        logits = h Wᵀ + b,   p(v | h) = exp(logits_v) / Σ_u exp(logits_u)

    The vectors lie in rows, as in an embedding, so that they can be the embedding's: set `vectors`
    to the `nnx.Param` of an `nnx.Embed` and both are one parameter (`LanguageModel(tied=True)`).
    On a CPU this layout is also no slower than a kernel `[H, V]`, and faster at large V.

    Attributes:
      vectors: W `[V, H]`.
      bias: b `[V]`.

    >>> readout = Softmax(16, 20, rngs=nnx.Rngs(0))
    >>> readout(jnp.ones((7, 2, 16))).shape
    (7, 2, 20)
    >>> readout.nll(jnp.ones((7, 2, 16)), jnp.zeros((7, 2), int)).shape
    (7, 2)
    """

    def __init__(self, hidden_size: int, vocabulary_size: int, *, rngs: nnx.Rngs):
        """Draws the vectors; the bias starts at zero.

        Args:
          hidden_size: H.
          vocabulary_size: V.
          rngs: its `params` stream gives the key.
        """
        require_size("hidden_size", hidden_size)
        require_size("vocabulary_size", vocabulary_size)
        self.hidden_size = hidden_size
        self.vocabulary_size = vocabulary_size
        self.vectors = nnx.Param(fan_in_init(rngs.params(), (vocabulary_size, hidden_size)))
        self.bias = nnx.Param(jnp.zeros(vocabulary_size))

    def __call__(self, hs: jax.Array) -> jax.Array:
        """Hidden vectors `[*B, H]` to logits `[*B, V]`."""
        hs = jnp.asarray(hs)
        require_hidden(hs, self.hidden_size)
        # In one row: with its gradient the product takes a tenth less time than over two axes.
        logits = scores(hs.reshape(-1, self.hidden_size), self.vectors[...], self.bias[...])
        return logits.reshape(*hs.shape[:-1], self.vocabulary_size)

    def nll(
        self,
        hs: jax.Array,
        targets: jax.Array,
        mask: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Negative log-likelihood of the targets, `[*B]`; see `Readout.nll`. Nothing is drawn."""
        del key
        return masked_nats(self._exact, hs, targets, mask, self.hidden_size)

    def _exact(self, hs: jax.Array, targets: jax.Array) -> jax.Array:
        return nll(scores(hs, self.vectors[...], self.bias[...]), targets)


def scores(hs: jax.Array, vectors: jax.Array, bias: jax.Array) -> jax.Array:
    """`hs [N, H]` against `vectors [V, H]`: logits `[N, V]`."""
    return hs @ vectors.T + bias
