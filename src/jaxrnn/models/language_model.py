"""The recurrent language model: embedding, recurrent layers, softmax over the next symbol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cells.noise import dropped, require_rate
from jaxrnn.nn import RNN, Readout, Softmax


class LanguageModel(nnx.Module):
    """Predicts the next symbol of each sequence from all before it.

        e_t = E[w_t];   carry_t, h_t = cell(carry_{t-1}, e_t);   logits_t = h_t W_oᵀ + b_o

    Source: Mikolov et al. 2010, "Recurrent neural network based language model"; tied vectors,
    W_o = E: Press, Wolf 2017, arXiv:1608.05859 and Inan et al. 2017, arXiv:1611.01462; dropped
    words: Gal, Ghahramani 2016, arXiv:1512.05287 and Merity et al. 2017, arXiv:1708.02182.

    Time-major, because its sequences are the segments of truncated backpropagation.

    >>> from jaxrnn import lstm
    >>> model = LanguageModel(lstm(8, 16), vocabulary_size=20, rngs=nnx.Rngs(0))
    >>> carry, logits = model(jnp.zeros((7, 2), int))
    >>> logits.shape
    (7, 2, 20)

    An output layer for a large vocabulary, and vectors that are also the embedding's:

    >>> from functools import partial
    >>> from jaxrnn.nn import SampledSoftmax
    >>> sampled = partial(SampledSoftmax, samples=64)
    >>> options = {"readout": sampled, "tied": True, "rngs": nnx.Rngs(0)}
    >>> model = LanguageModel(lstm(16, 16), vocabulary_size=5000, **options)
    >>> tokens, targets = jnp.zeros((7, 2), int), jnp.ones((7, 2), int)
    >>> carry, nats = model.nll(tokens, targets, key=jax.random.key(0))
    >>> nats.shape
    (7, 2)
    """

    def __init__(
        self,
        cell: Cell,
        *,
        vocabulary_size: int,
        rngs: nnx.Rngs,
        readout: Callable[..., Readout] = Softmax,
        tied: bool = False,
        embed_dropout: float = 0.0,
    ):
        """Draws the parameters.

        Args:
          cell: the recurrent layers, one cell or a `stack`; its input size is the embedding's.
          vocabulary_size: V.
          rngs: its `params` stream gives the keys.
          readout: makes the output layer, `readout(hidden_size, vocabulary_size, rngs=rngs)`;
            `functools.partial(AdaptiveSoftmax, cutoffs=...)` gives it options.
          tied: the output layer's vectors are the embedding's, one parameter.
          embed_dropout: probability with which a symbol is dropped from a whole segment, wherever
            it stands in it; in [0, 1).

        Raises:
          ValueError: if the cell does not take and give vectors, a size is not positive, the
            probability is none, or the vectors cannot be tied.
        """
        require_size("vocabulary_size", vocabulary_size)
        require_rate("embed_dropout", embed_dropout)
        vectors = cell.in_shape is not None and len(cell.in_shape) == 1
        require(vectors, "cell", "take and give vectors", cell)
        (embed_size,), (hidden_size,) = cell.in_shape or (0,), cell.out_shape or (0,)
        self.embed = nnx.Embed(vocabulary_size, embed_size, rngs=rngs)
        self.rnn = RNN(cell, rngs=rngs, time_major=True)
        self.readout: Any = readout(hidden_size, vocabulary_size, rngs=rngs)
        self.embed_dropout = embed_dropout
        if tied:
            rule = "give vectors of the size that it takes, for tied vectors"
            sizes = f"{embed_size} in, {hidden_size} out"
            require(embed_size == hidden_size, "cell", rule, sizes)
            _tie(self.readout, self.embed)

    def __call__(
        self,
        tokens: jax.Array,
        *,
        initial_carry: Any = None,
        resets: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> tuple[Any, jax.Array]:
        """Reads symbols and predicts, at each step, the one after.

        Args:
          tokens: symbols, integers in [0, V), `[T, *B]`.
          initial_carry: state before the first symbol; None starts afresh.
          resets: true where a text starts, `[T, *B]`.
          key: draws the masks of dropout, in the cell and of symbols; None turns it off.

        Returns:
          The carry after the last symbol, and logits `[T, *B, V]`.
        """
        carry, hs = self._read(tokens, initial_carry, resets, Keys.split(key))
        return carry, self.readout(hs)

    def nll(
        self,
        tokens: jax.Array,
        targets: jax.Array,
        mask: jax.Array | None = None,
        *,
        initial_carry: Any = None,
        resets: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> tuple[Any, jax.Array]:
        """Reads symbols and measures how little it expected the one after each.

        The logits of all V symbols are computed only if the output layer needs them.

        Args:
          tokens: symbols, integers in [0, V), `[T, *B]`.
          targets: the symbol after each, `[T, *B]`.
          mask: true at real targets, `[T, *B]`; elsewhere they may hold anything.
          initial_carry: state before the first symbol; None starts afresh.
          resets: true where a text starts, `[T, *B]`.
          key: draws the masks of dropout and what the output layer samples; None turns dropout off
            and makes the loss exact.

        Returns:
          The carry after the last symbol, and nats `[T, *B]`, zero where `mask` is false.
        """
        keys = Keys.split(key)
        carry, hs = self._read(tokens, initial_carry, resets, keys)
        return carry, self.readout.nll(hs, targets, mask, key=keys.readout)

    def _read(
        self, tokens: jax.Array, carry: Any, resets: jax.Array | None, keys: Keys
    ) -> tuple[Any, jax.Array]:
        """The carry after the last symbol, and hidden vectors `[T, *B, H]`."""
        embedded = self.embed(tokens)
        if keys.embed is not None and self.embed_dropout > 0:
            symbols = (self.embed.num_embeddings, 1)
            keep = jax.random.bernoulli(keys.embed, 1 - self.embed_dropout, symbols)
            embedded = dropped(embedded, keep[tokens], self.embed_dropout)
        return self.rnn(embedded, initial_carry=carry, resets=resets, key=keys.cell)


class Keys(NamedTuple):
    """The key of a call, split among those who draw; None for each if there is none."""

    embed: jax.Array | None = None  # which symbols are dropped
    cell: jax.Array | None = None  # masks of the recurrent layers
    readout: jax.Array | None = None  # what the output layer samples

    @classmethod
    def split(cls, key: jax.Array | None) -> Keys:
        """Gives each a key of its own."""
        return cls() if key is None else cls(*jax.random.split(key, len(cls._fields)))


def _tie(readout: Any, embed: nnx.Embed) -> None:
    """Makes the embedding's vectors those of the output layer.

    Both start with a variance of 1 / H, so the first loss stays near log V.
    """
    own = getattr(readout, "vectors", None)
    fits = isinstance(own, nnx.Param) and own.shape == embed.embedding.shape
    rule = f"have `vectors` {embed.embedding.shape}, to be tied"
    require(fits, "readout", rule, type(readout).__name__)
    readout.vectors = embed.embedding


class LanguageModelFunctions(NamedTuple):
    """A language model as pure functions of its parameters, for training and generation."""

    params: Any
    loss: Callable[[Any, Any, Any, jax.Array | None], tuple[jax.Array, jax.Array, Any]]
    step: Callable[[Any, Any, jax.Array], tuple[Any, jax.Array]]
    initial_carry: Callable[[int], Any]
    nll: Callable[[Any, Any, Any, jax.Array | None], tuple[jax.Array, Any]]


def functions(model: LanguageModel) -> LanguageModelFunctions:
    """Takes a model apart into its parameters and pure functions of them.

    Returns:
      `params`; `loss(params, carry, segment, key) -> (total nats, symbols, carry)` over a segment
      with `inputs`, `targets`, `mask` and `resets`, each `[T, B]`, as truncated BPTT wants it, with
      dropout, and a sampled loss, only where there is a key;
      `step(params, carry, tokens [B]) -> (carry, logits [B, V])` for generation;
      `initial_carry(batch_size)`;
      `nll(params, carry, segment, key) -> (nats [T, B], carry)`, of which `loss` is the sum.
    """
    graph, params = nnx.split(model, nnx.Param)
    cell = model.rnn.cell

    def nll(params: Any, carry: Any, segment: Any, key: jax.Array | None) -> tuple[jax.Array, Any]:
        read = nnx.merge(graph, params)
        texts = (segment.inputs, segment.targets, segment.mask)
        carry, nats = read.nll(*texts, initial_carry=carry, resets=segment.resets, key=key)
        return nats, carry

    def loss(
        params: Any, carry: Any, segment: Any, key: jax.Array | None
    ) -> tuple[jax.Array, jax.Array, Any]:
        nats, carry = nll(params, carry, segment, key)
        return jnp.sum(nats), jnp.sum(segment.mask), carry

    def step(params: Any, carry: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        carry, logits = nnx.merge(graph, params)(tokens[None], initial_carry=carry)
        return carry, logits[0]

    start = lambda size: cell.initial_carry((size,))
    return LanguageModelFunctions(params, loss, step, start, nll)
