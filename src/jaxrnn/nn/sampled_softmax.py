"""An output layer whose loss looks at a sample of the vocabulary."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells.checks import require_size
from jaxrnn.losses import nll
from jaxrnn.nn.readout import masked_nats
from jaxrnn.nn.softmax import Softmax, scores


class SampledSoftmax(Softmax):
    """A softmax whose sum over the vocabulary is estimated from symbols drawn at random.

        P(k) = (log(k + 2) - log(k + 1)) / log(V + 1)           the proposals, S draws of them
        π(k) = 1 - (1 - P(k))^S                                 k is among the distinct ones, D
        nll ≈ log (exp(s_t) + Σ_{k ∈ D, k ≠ t} exp(s_k) / π(k)) - s_t,   s = h Wᵀ + b

    One sample serves all positions of a call. The target t is always there, so it is left out of
    the sample. The sum is unbiased; its logarithm, and so the loss and its gradient, is not, but
    converges to that of the full softmax as S grows (the loss is too low on average, by about
    half the relative variance of the sum). Without a key, as for evaluation, it is exact.

    The proposals follow Zipf's law over symbols **sorted by falling frequency**, as
    `jaxrnn.data.WordTokenizer` numbers them (its symbol 0 is the unknown word). Any other order
    gives the same limit and a larger error.

    Source: Bengio, Senécal 2003, "Quick training of probabilistic neural nets by importance
    sampling"; Jean et al. 2015, arXiv:1412.2007 (one sample for many positions); Horvitz, Thompson
    1952, doi:10.1080/01621459.1952.10483446 (weights of distinct draws).

    Attributes:
      vectors: W `[V, H]`; can be tied as those of `Softmax`.
      bias: b `[V]`.
      samples: S.

    >>> readout = SampledSoftmax(16, 1000, samples=64, rngs=nnx.Rngs(0))
    >>> hs, targets = jnp.ones((7, 2, 16)), jnp.zeros((7, 2), int)
    >>> readout.nll(hs, targets, key=jax.random.key(0)).shape
    (7, 2)
    """

    def __init__(self, hidden_size: int, vocabulary_size: int, *, samples: int, rngs: nnx.Rngs):
        """Draws the vectors; the bias starts at zero.

        Args:
          hidden_size: H.
          vocabulary_size: V.
          samples: S, how many symbols are drawn for the loss of a call.
          rngs: its `params` stream gives the key.
        """
        require_size("samples", samples)
        super().__init__(hidden_size, vocabulary_size, rngs=rngs)
        self.samples = samples

    def nll(
        self,
        hs: jax.Array,
        targets: jax.Array,
        mask: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Estimates the negative log-likelihood of the targets, `[*B]`; see `Readout.nll`.

        Args:
          hs: hidden vectors `[*B, H]`.
          targets: symbols, integers in [0, V), `[*B]`.
          mask: true at real positions, `[*B]`.
          key: draws the sample; None is the exact loss.
        """
        nats_of = self._exact if key is None else partial(self._estimate, key)
        return masked_nats(nats_of, hs, targets, mask, self.hidden_size)

    def _estimate(self, key: jax.Array, hs: jax.Array, targets: jax.Array) -> jax.Array:
        drawn = jnp.sort(draw_log_uniform(key, self.samples, self.vocabulary_size))
        repeated = jnp.concatenate([jnp.zeros(1, bool), drawn[1:] == drawn[:-1]])
        # Gathered together, so that the gradient is scattered into one array [V, H] and not two.
        symbols = jnp.concatenate([drawn, targets])
        vectors = self.vectors.at[symbols].get(mode="fill")  # NaN for what is no symbol
        bias = self.bias.at[symbols].get(mode="fill")
        own = jnp.sum(hs * vectors[self.samples :], axis=-1) + bias[self.samples :]
        others = scores(hs, vectors[: self.samples], bias[: self.samples])
        others -= log_inclusion(drawn, self.samples, self.vocabulary_size)
        left_out = repeated | (drawn == targets[:, None])
        others = jnp.where(left_out, -jnp.inf, others)
        logits = jnp.concatenate([own[:, None], others], axis=-1)
        return nll(logits, jnp.zeros_like(targets))


def draw_log_uniform(key: jax.Array, count: int, vocabulary_size: int) -> jax.Array:
    """Draws symbols from Zipf's law P(k) = (log(k + 2) - log(k + 1)) / log(V + 1), `[count]`.

    >>> draws = draw_log_uniform(jax.random.key(0), 1000, 50)
    >>> bool((draws >= 0).all() & (draws < 50).all())
    True
    """
    # log(k + 2) / log(V + 1) is the distribution function, so k + 1 = floor(exp(u log(V + 1))).
    # A float32 u has steps of 2^-23, which at V = 10^6 leave out rare symbols: a second u fills
    # them, by exp(d) = 1 + d.
    scale = jnp.log(jnp.float32(vocabulary_size + 1))
    coarse, fine = jax.random.uniform(key, (2, count), jnp.float32)
    ranks = jnp.exp(coarse * scale) * (1 + fine * 2.0**-23 * scale)
    return jnp.clip(ranks.astype(jnp.int32) - 1, 0, vocabulary_size - 1)


def log_inclusion(symbols: jax.Array, samples: int, vocabulary_size: int) -> jax.Array:
    """log π(k) = log(1 - (1 - P(k))^S): that S draws hold a symbol at least once."""
    probability = jnp.log1p(1 / (symbols + jnp.float32(1))) / jnp.log(
        jnp.float32(vocabulary_size + 1)
    )
    return jnp.log(-jnp.expm1(samples * jnp.log1p(-probability)))
