"""Decoders without attention: the source is handed over as a state, or as one vector."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require, require_size
from jaxrnn.models.encoder import Encoder, Source
from jaxrnn.models.handover import Handover, joined, state_size
from jaxrnn.nn import RNN


class Read(NamedTuple):
    """What a decoder makes of the symbols of a target."""

    carry: Any  # after the last symbol
    vectors: jax.Array  # [*B, *N, T, O], for the output layer: what it expects after each symbol
    weights: jax.Array | None  # [*B, *N, T, S], where it looked in the source; None: nowhere


class Decoder(Protocol):
    """Reads the symbols of a target while it knows a source.

    `*N` are axes that the symbols have and the source has not, the hypotheses of a beam.
    """

    embed: nnx.Embed
    vector_size: int  # O

    def open(self, source: Source) -> tuple[Any, Any]:
        """Does all that is done once: the state before the first symbol, and a view of the source.

        The state has leaves `[*B, ...]`. The view is what every step looks at and none changes.
        """
        ...

    def read(
        self, carry: Any, symbols: jax.Array, view: Any, *, key: jax.Array | None = None
    ) -> Read:
        """Reads symbols `[*B, *N, T]` from a state with leaves `[*B, *N, ...]`."""
        ...


class PlainDecoder(nnx.Module):
    """Knows the source by the state that it starts from, and by a vector at every step if asked to.

        carry_t, h_t = cell(carry_{t-1}, E[y_{t-1}]);   o_t = h_t
        with a context   c = tanh(V z)
        carry_t, h_t = cell(carry_{t-1}, [E[y_{t-1}], c]);   o_t = tanh(W [h_t, E[y_{t-1}], c] + b)

    z is the encoder's last state; a layer of tanh stands for the maxout layer of Cho et al.
    Nothing is fed back but the symbols, so a known target is one `unroll`.

    Source: Sutskever, Vinyals, Le 2014, arXiv:1409.3215; with a context: Cho et al. 2014,
    arXiv:1406.1078.

    >>> from jaxrnn import gru
    >>> rngs = nnx.Rngs(0)
    >>> encoder = Encoder(gru(4, 6), vocabulary_size=9, rngs=rngs)
    >>> decoder = PlainDecoder(gru(5, 6), encoder, vocabulary_size=8, rngs=rngs)
    >>> carry, view = decoder.open(encoder(jnp.zeros((2, 7), int)))
    >>> decoder.read(carry, jnp.zeros((2, 3), int), view).vectors.shape
    (2, 3, 6)
    """

    def __init__(
        self,
        cell: Cell,
        encoder: Encoder,
        *,
        vocabulary_size: int,
        rngs: nnx.Rngs,
        context_size: int = 0,
    ):
        """Draws the parameters.

        Args:
          cell: the recurrent layers; its input size is that of the embedding and the context.
          encoder: of the sources; only its sizes are looked at.
          vocabulary_size: V, symbols of the targets.
          rngs: its `params` stream gives the keys.
          context_size: numbers of c; 0: no context.

        Raises:
          ValueError: if the cell does not take as much, or a size is not positive.
        """
        if context_size != 0:
            require_size("context_size", context_size)
        size, hidden_size = embed_size(cell, context_size), output_size(cell)
        self.embed = nnx.Embed(vocabulary_size, size, rngs=rngs)
        self.rnn = RNN(cell, rngs=rngs)
        self.handover = Handover(encoder, cell, rngs=rngs)
        self.vector_size = hidden_size
        summary = combine = None
        if context_size:
            from_size = state_size(encoder.initial_carry())
            summary = nnx.Linear(from_size, context_size, use_bias=False, rngs=rngs)
            combine = nnx.Linear(hidden_size + size + context_size, hidden_size, rngs=rngs)
        self.summary, self.combine = summary, combine

    def open(self, source: Source) -> tuple[Any, Any]:
        """See `Decoder`; the view is c, or None."""
        context = None if self.summary is None else jnp.tanh(self.summary(joined(source)))
        return self.handover(source), context

    def read(
        self, carry: Any, symbols: jax.Array, view: Any, *, key: jax.Array | None = None
    ) -> Read:
        """See `Decoder`."""
        embedded = self.embed(symbols)
        if self.combine is None:
            carry, hs = self.rnn(embedded, initial_carry=carry, key=key)
            return Read(carry, hs, None)
        further = tuple(range(view.ndim - 1, embedded.ndim - 1))
        shape = (*embedded.shape[:-1], view.shape[-1])
        context = jnp.broadcast_to(jnp.expand_dims(view, further), shape)
        inputs = jnp.concatenate([embedded, context], axis=-1)
        carry, hs = self.rnn(inputs, initial_carry=carry, key=key)
        vectors = jnp.tanh(self.combine(jnp.concatenate([hs, inputs], axis=-1)))
        return Read(carry, vectors, None)


def embed_size(cell: Cell, beside: int) -> int:
    """What a cell takes besides `beside` numbers that are not the embedding's."""
    vectors = cell.in_shape is not None and len(cell.in_shape) == 1
    require(vectors, "cell", "take and give vectors", cell)
    (size,) = cell.in_shape or (0,)
    require(size > beside, "cell", f"take {beside} numbers and those of the embedding", size)
    return size - beside


def output_size(cell: Cell) -> int:
    """What a cell gives."""
    vectors = cell.out_shape is not None and len(cell.out_shape) == 1
    require(vectors, "cell", "take and give vectors", cell)
    return (cell.out_shape or (0,))[0]
