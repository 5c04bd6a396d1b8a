"""The conditional random field over a chain: an output layer that knows which tags go together."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells.checks import require, require_size
from jaxrnn.nn.chain import Chain, TagPath, log_partition, path_score, viterbi

# The score of what is not allowed. Its exponential is 0 in every precision; infinity itself would
# make the gradient of log(0), where no way leads to a tag, NaN.
_IMPOSSIBLE = -1e4


class CRF(nnx.Module):
    """Scores whole sequences of tags: each tag at its step, and beside its neighbours.

        s(y) = start_{y_0} + Σ_t scores_{t, y_t} + Σ_{t>0} between_{y_{t-1}, y_t} + end_{y_{n-1}}
        p(y | scores) = exp s(y) / Σ_y' exp s(y')

    Source: Lafferty, McCallum, Pereira 2001, "Conditional random fields"; on top of a recurrent
    network Huang, Xu, Yu 2015, arXiv:1508.01991, and Lample et al. 2016, arXiv:1603.01360.

    Attributes:
      start, between, end: `[K]`, `[K, K]` from a tag to the next, `[K]`. At zero, where they begin,
        the tags are independent, as those of a softmax at each step are.

    >>> crf = CRF(4, rngs=nnx.Rngs(0))
    >>> scores, lengths = jnp.zeros((2, 3, 4)), jnp.array([3, 1])
    >>> nats = crf.nll(scores, jnp.zeros((2, 3), int), lengths)
    >>> bool(jnp.allclose(nats, jnp.log(4.0) * lengths))
    True
    >>> crf.viterbi(scores, lengths).tags.shape
    (2, 3)
    """

    def __init__(self, tags: int, *, rngs: nnx.Rngs, allowed: Chain | None = None):
        """Starts at zero; nothing is drawn.

        Args:
          tags: K.
          rngs: as every module has.
          allowed: what may stand first, beside each other and last, a `Chain` of booleans, for
            example `bio_allowed(labels)`: all other sequences have probability 0. A target that is
            not allowed costs ten thousand nats at each place. None allows everything.

        Raises:
          ValueError: if the size is not positive or the shapes of `allowed` are others.
        """
        del rngs
        require_size("tags", tags)
        self.start = nnx.Param(jnp.zeros(tags))
        self.between = nnx.Param(jnp.zeros((tags, tags)))
        self.end = nnx.Param(jnp.zeros(tags))
        if allowed is not None:
            allowed = Chain(*(jnp.asarray(part, bool) for part in allowed))
            shapes = tuple(part.shape for part in allowed)
            wanted = ((tags,), (tags, tags), (tags,))
            require(shapes == wanted, "allowed", f"have the shapes {wanted}", shapes)
        self.allowed = nnx.data(allowed)

    def chain(self) -> Chain:
        """The scores of neighbours, with what is not allowed far below all others."""
        learned = Chain(self.start[...], self.between[...], self.end[...])
        if self.allowed is None:
            return learned
        pairs = zip(self.allowed, learned, strict=True)
        return Chain(*(jnp.where(may, score, _IMPOSSIBLE) for may, score in pairs))

    def log_partition(self, scores: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
        """log Σ_y exp s(y), `[*B]`; see `jaxrnn.nn.chain.log_partition`."""
        return log_partition(self.chain(), scores, lengths)

    def nll(
        self, scores: jax.Array, tags: jax.Array, lengths: jax.Array | None = None
    ) -> jax.Array:
        """Negative log-likelihood of whole sequences of tags: log Σ_y' exp s(y') - s(y).

        Args:
          scores: of each tag at each step, `[*B, T, K]`; anything in the padding.
          tags: integers in [0, K), `[*B, T]`; anything in the padding.
          lengths: real steps of each sequence, integers `[*B]`; None if all T are.

        Returns:
          Nats for each sequence, `[*B]`; 0 for an empty one.

        Raises:
          ValueError: if a shape does not fit or the tags are not integers.
        """
        chain = self.chain()
        # First, because it checks the tags.
        score = path_score(chain, scores, tags, lengths)
        return log_partition(chain, scores, lengths) - score

    def viterbi(self, scores: jax.Array, lengths: jax.Array | None = None) -> TagPath:
        """The most probable sequence of tags; see `jaxrnn.nn.chain.viterbi`."""
        return viterbi(self.chain(), scores, lengths)

    def marginals(self, scores: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
        """The probability of each tag at each step, over all sequences that have it there.

            p(y_t = k | scores) = ∂ log Z / ∂ scores_{t,k}

        Args:
          scores: `[*B, T, K]`.
          lengths: real steps of each sequence, `[*B]`; None if all T are.

        Returns:
          `[*B, T, K]`, zero in the padding.
        """
        return jax.grad(lambda scores: jnp.sum(self.log_partition(scores, lengths)))(scores)
