"""An output layer that spends on a symbol by how often it comes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells.checks import require, require_size
from jaxrnn.nn.members import nats_of_members
from jaxrnn.nn.readout import masked_nats, require_hidden
from jaxrnn.nn.softmax import Softmax, fan_in_init, scores

# Logits that are held at once in a tail cluster: 16 MiB of float32.
_LOGITS = 2**22


class TailWeights(NamedTuple):
    """What scores the symbols of one tail cluster of n symbols, in M dimensions."""

    projection: jax.Array  # [H, M]
    vectors: jax.Array  # [n, M]
    bias: jax.Array  # [n]


class AdaptiveSoftmax(nnx.Module):
    """A softmax over frequent symbols and clusters, and one in each cluster of rare symbols.

        p(v | h) = p_head(v | h)                     v in the head, of full width H
        p(v | h) = p_head(i | h) p_i(v | h P_i)      v in tail cluster i = 1, 2, ..

    where P_i `[H, M_i]` projects to M_i = max(1, ⌊H / shrink^i⌋) dimensions. Exact: the
    probabilities sum to one. The loss computes the head at every position, and a tail cluster at
    those positions alone whose target lies in it, in blocks: time follows their number, and memory
    is that of one block. So it expects symbols **sorted by falling frequency**, as
    `jaxrnn.data.WordTokenizer` numbers them (its symbol 0 is the unknown word).

    Its loss has a gradient (reverse mode, once) and no forward-mode derivative; `__call__` has all.

    Source: Grave, Joulin, Cissé, Grangier, Jégou 2017, arXiv:1609.04309.

    Attributes:
      head: a `Softmax` over the symbols below the first cutoff and the tail clusters.
      tails: a `TailWeights` of `nnx.Param` for each tail cluster.
      bounds: first symbol of each tail cluster, and V.

    >>> readout = AdaptiveSoftmax(16, 1000, cutoffs=(50, 200), rngs=nnx.Rngs(0))
    >>> log_probabilities = readout(jnp.ones(16))
    >>> log_probabilities.shape, round(float(jnp.exp(log_probabilities).sum()), 4)
    ((1000,), 1.0)
    >>> readout.nll(jnp.ones((7, 2, 16)), jnp.full((7, 2), 300)).shape
    (7, 2)
    """

    def __init__(
        self,
        hidden_size: int,
        vocabulary_size: int,
        *,
        cutoffs: Sequence[int],
        rngs: nnx.Rngs,
        shrink: int = 4,
        block_size: int | None = None,
    ):
        """Draws the vectors; biases start at zero.

        Args:
          hidden_size: H.
          vocabulary_size: V.
          cutoffs: first symbol of each tail cluster, rising; `zipf_cutoffs` finds some.
          rngs: its `params` stream gives the keys.
          shrink: how many times fewer dimensions each cluster has than the one before.
          block_size: positions of a tail cluster that are computed at once; None takes fewer the
            more symbols the cluster has.
        """
        require_size("shrink", shrink)
        if block_size is not None:
            require_size("block_size", block_size)
        bounds = (0, *cutoffs, vocabulary_size)
        rising = len(bounds) > 2 and all(a < b for a, b in itertools.pairwise(bounds))
        rule = f"be integers that rise between 0 and the {vocabulary_size} symbols"
        require(rising, "cutoffs", rule, tuple(cutoffs))
        for cutoff in cutoffs:
            require_size("cutoffs", cutoff)
        self.hidden_size = hidden_size
        self.bounds = tuple(map(int, bounds[1:]))
        self.block_size = block_size
        self.head = Softmax(hidden_size, cutoffs[0] + len(cutoffs), rngs=rngs)
        sizes = [after - first for first, after in itertools.pairwise(self.bounds)]
        tails = [
            _draw_tail(hidden_size, max(1, hidden_size // shrink**i), size, rngs)
            for i, size in enumerate(sizes, start=1)
        ]
        self.tails = nnx.data(jax.tree.map(nnx.Param, tails))

    def __call__(self, hs: jax.Array) -> jax.Array:
        """Hidden vectors `[*B, H]` to log-probabilities `[*B, V]`, which are logits too."""
        hs = jnp.asarray(hs)
        require_hidden(hs, self.hidden_size)
        rows = hs.reshape(-1, self.hidden_size)
        head = jax.nn.log_softmax(self.head(rows))
        parts = [head[:, : self.bounds[0]]]
        for i, tail in enumerate(nnx.as_pure(self.tails)):
            cluster = head[:, self.bounds[0] + i, None]
            parts.append(cluster + _tail_log_probabilities(tail, rows))
        return jnp.concatenate(parts, axis=-1).reshape(*hs.shape[:-1], self.bounds[-1])

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
        entries, nats = targets, jnp.zeros(())
        tails = zip(nnx.as_pure(self.tails), itertools.pairwise(self.bounds), strict=True)
        for i, (tail, (first, after)) in enumerate(tails):
            member = (targets >= first) & (targets < after)
            entries = jnp.where(member, self.bounds[0] + i, entries)
            block = self.block_size or min(max(_LOGITS // (after - first), 8), 128)
            nats += nats_of_members(_tail_nats, tail, hs, targets - first, member, block_size=block)
        # What is no symbol must not be taken for a cluster.
        known = (targets >= 0) & (targets < self.bounds[-1])
        entries = jnp.where(known, entries, self.head.vocabulary_size)
        return self.head.nll(hs, entries) + nats


def zipf_cutoffs(vocabulary_size: int, *, tails: int = 2, head: float = 0.8) -> tuple[int, ...]:
    """Cutoffs that share the symbols of a text out, if their frequencies follow Zipf's law.

        P(v < c) = log(c + 1) / log(V + 1);   the head takes the share `head`, the tails equal ones

    Of 267,735 words (WikiText-103) 22 thousand are in the head, about as many as published models
    put there. The least arithmetic would be a head of some hundred, but all other words would then
    have fewer dimensions.

    Args:
      vocabulary_size: V.
      tails: how many cutoffs.
      head: share of the symbols of a text, not of the vocabulary, that the head takes.

    Raises:
      ValueError: if an argument is out of range, or the vocabulary too small for so many tails.

    >>> zipf_cutoffs(10_000), zipf_cutoffs(267_735)
    ((1584, 3980), (21986, 76724))
    """
    require_size("vocabulary_size", vocabulary_size)
    require_size("tails", tails)
    require(0 < head < 1, "head", "lie between 0 and 1", head)
    shares = [head + (1 - head) * i / tails for i in range(tails)]
    cutoffs = tuple(round((vocabulary_size + 1) ** share - 1) for share in shares)
    rising = all(a < b for a, b in itertools.pairwise((0, *cutoffs, vocabulary_size)))
    require(rising, "vocabulary_size", f"be larger for {tails} tail clusters", vocabulary_size)
    return cutoffs


def _draw_tail(hidden_size: int, width: int, symbols: int, rngs: nnx.Rngs) -> TailWeights:
    projection = fan_in_init(rngs.params(), (width, hidden_size)).T
    vectors = fan_in_init(rngs.params(), (symbols, width))
    return TailWeights(projection, vectors, jnp.zeros(symbols))


def _tail_log_probabilities(tail: TailWeights, hs: jax.Array) -> jax.Array:
    """Within the cluster: `hs [N, H]` to `[N, n]`."""
    return jax.nn.log_softmax(scores(hs @ tail.projection, tail.vectors, tail.bias))


def _tail_nats(tail: TailWeights, hs: jax.Array, targets: jax.Array) -> jax.Array:
    """Within the cluster: `hs [K, H]` and `targets [K]` to nats `[K]`."""
    # Few positions and many symbols: as [n, K] all three products, gradients included, take half
    # the time that they take as [K, n].
    logits = tail.vectors @ (hs @ tail.projection).T + tail.bias[:, None]
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    picked = jnp.take_along_axis(logits, targets[None], axis=0)[0]
    return jax.nn.logsumexp(logits, axis=0) - picked
