"""The tagger: many to many, aligned, a tag for each step of a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require_size
from jaxrnn.losses import nll
from jaxrnn.models.reader import Reader
from jaxrnn.nn import CRF, Softmax
from jaxrnn.recurrence.masks import real_steps


class Tagger(nnx.Module):
    """Gives every step one of K tags: words their part of speech, frames of a video what happens.

        y = network(x);   scores_t = y_t W_oᵀ + b
        softmax   p(tags | x) = Π_t softmax(scores_t)_{tag_t}
        CRF       p(tags | x) ∝ exp(Σ_t scores_{t,tag_t} + Σ_t between_{tag_{t-1},tag_t})

    A softmax decides for each step by itself, a CRF for the sequence. With one direction and a
    softmax a stream can be tagged as it comes: `scores` hands the carry on.

    Source: Graves, Schmidhuber 2005, doi:10.1016/j.neunet.2005.06.042 (both directions, a softmax);
    Huang, Xu, Yu 2015, arXiv:1508.01991 (CRF).

    >>> from jaxrnn import lstm
    >>> options = {"backward": lstm(6, 8), "vocabulary_size": 30, "rngs": nnx.Rngs(0)}
    >>> model = Tagger(lstm(6, 8), tags=5, crf=CRF, **options)
    >>> words, lengths = jnp.zeros((2, 7), int), jnp.array([7, 3])
    >>> model.tags(words, lengths).shape
    (2, 7)
    >>> model.nll(words, jnp.zeros((2, 7), int), lengths).shape
    (2,)
    """

    def __init__(
        self,
        cell: Cell,
        *,
        tags: int,
        rngs: nnx.Rngs,
        backward: Cell | None = None,
        vocabulary_size: int | None = None,
        crf: Callable[..., CRF] | None = None,
    ):
        """Draws the parameters.

        Args:
          cell: the recurrent layers, one cell or a `stack`; dropout is a matter of the cell.
          tags: K.
          rngs: its `params` stream gives the keys.
          backward: reads from the last step to the first, beside `cell`; None: nothing does.
          vocabulary_size: of symbols; None: it reads vectors.
          crf: makes the layer that knows the tags' neighbours, `crf(tags, rngs=rngs)`: `CRF`, or
            `partial(CRF, allowed=bio_allowed(labels))`. None: a softmax at each step.

        Raises:
          ValueError: as for `Reader`, and if the number of tags is not positive.
        """
        require_size("tags", tags)
        self.reader = Reader(cell, rngs=rngs, backward=backward, vocabulary_size=vocabulary_size)
        self.readout = Softmax(self.reader.hidden_size, tags, rngs=rngs)
        self.crf = None if crf is None else crf(tags, rngs=rngs)

    def scores(
        self,
        xs: jax.Array,
        lengths: jax.Array | None = None,
        *,
        initial_carry: Any = None,
        key: jax.Array | None = None,
    ) -> tuple[Any, jax.Array]:
        """Scores every tag at every step.

        Args:
          xs: symbols, integers `[*B, T]`, or vectors `[*B, T, D]`; anything in the padding.
          lengths: real steps of each sequence, integers `[*B]`; None if all T are.
          initial_carry: the state before the first step, for a stream that is read in pieces.
          key: draws the masks of dropout; None turns it off.

        Returns:
          The carry after the last real step, and scores `[*B, T, K]`.

        Raises:
          ValueError: if a shape or dtype does not fit.
        """
        carry, ys = self.reader(xs, lengths, initial_carry=initial_carry, key=key)
        return carry, self.readout(ys)

    def nll(
        self,
        xs: jax.Array,
        tags: jax.Array,
        lengths: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Negative log-likelihood of whole sequences of tags.

        Args:
          xs: as for `scores`.
          tags: integers in [0, K), `[*B, T]`; anything in the padding.
          lengths: as for `scores`.
          key: as for `scores`.

        Returns:
          Nats for each sequence, `[*B]`; 0 for an empty one. Divided by the sum of the lengths they
          are nats per step.
        """
        _, scores = self.scores(xs, lengths, key=key)
        if self.crf is not None:
            return self.crf.nll(scores, tags, lengths)
        _, real = real_steps(lengths, scores.shape[:-2], scores.shape[-2])
        return jnp.sum(nll(scores, tags, real), axis=-1)

    def tags(self, xs: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
        """The most probable tags, int32 `[*B, T]`, 0 in the padding; of a CRF by Viterbi."""
        _, scores = self.scores(xs, lengths)
        if self.crf is not None:
            return self.crf.viterbi(scores, lengths).tags
        best = jnp.argmax(scores, axis=-1).astype(jnp.int32)
        _, real = real_steps(lengths, best.shape[:-1], best.shape[-1])
        return jnp.where(real, best, 0)
