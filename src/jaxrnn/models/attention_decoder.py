"""Decoders that look through the source at every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require
from jaxrnn.cells.noise import draw_masks, masks_at, step_with
from jaxrnn.models.decoder import Read, embed_size, output_size
from jaxrnn.models.encoder import Encoder, Source
from jaxrnn.models.handover import Handover
from jaxrnn.nn import RNN, AdditiveScore, Attention, GeneralScore, Memory, Score
from jaxrnn.recurrence import unroll


class Attentive(NamedTuple):
    """The state of a decoder with attention; what is not fed back is None."""

    cell: Any  # state of the recurrent layers
    vector: jax.Array | None  # [*B, O], the last o
    weights: jax.Array | None  # [*B, S], where it last looked


class LuongDecoder(nnx.Module):
    """Looks with what the recurrent layers have put out.

        carry_t, h_t = cell(carry_{t-1}, E[y_{t-1}])
        with input feeding   carry_t, h_t = cell(carry_{t-1}, [E[y_{t-1}], o_{t-1}])
        α_t, c_t = attention(h_t, memory);   o_t = tanh(W [c_t, h_t] + b)

    Without input feeding the recurrence does not depend on the attention: over a known target the
    layers run as one `unroll`, and all steps look at once. What is fed back, the vector o or the
    weights to a score that looks back, makes the steps follow each other.

    Source: Luong, Pham, Manning 2015, arXiv:1508.04025 (global attention, input feeding).

    >>> from jaxrnn import gru
    >>> rngs = nnx.Rngs(0)
    >>> encoder = Encoder(gru(4, 6), vocabulary_size=9, rngs=rngs)
    >>> decoder = LuongDecoder(gru(5, 6), encoder, vocabulary_size=8, rngs=rngs)
    >>> carry, view = decoder.open(encoder(jnp.zeros((2, 7), int)))
    >>> decoder.read(carry, jnp.zeros((2, 3), int), view).weights.shape
    (2, 3, 7)
    """

    def __init__(
        self,
        cell: Cell,
        encoder: Encoder,
        *,
        vocabulary_size: int,
        rngs: nnx.Rngs,
        score: Callable[..., Score] = GeneralScore,
        input_feeding: bool = False,
    ):
        """Draws the parameters.

        Args:
          cell: the recurrent layers, H numbers out; its input size is that of the embedding, with
            input feeding and of o, which has H numbers.
          encoder: of the sources; only its sizes are looked at.
          vocabulary_size: V, symbols of the targets.
          rngs: its `params` stream gives the keys.
          score: of the attention, see `Attention`.
          input_feeding: whether o is read at the next step.

        Raises:
          ValueError: if the cell does not take as much, or a size is not positive.
        """
        hidden_size = output_size(cell)
        size = embed_size(cell, hidden_size if input_feeding else 0)
        self.embed = nnx.Embed(vocabulary_size, size, rngs=rngs)
        self.rnn = RNN(cell, rngs=rngs)
        self.handover = Handover(encoder, cell, rngs=rngs)
        self.attention = Attention(hidden_size, encoder.memory_size, score=score, rngs=rngs)
        self.combine = nnx.Linear(encoder.memory_size + hidden_size, hidden_size, rngs=rngs)
        self.vector_size = hidden_size
        self.input_feeding = input_feeding

    def open(self, source: Source) -> tuple[Attentive, Memory]:
        """See `Decoder`; the view is the memory with its keys."""
        memory = self.attention.prepare(source.memory, source.lengths)
        return _start(self, source, self.input_feeding), memory

    def read(
        self, carry: Attentive, symbols: jax.Array, view: Memory, *, key: jax.Array | None = None
    ) -> Read:
        """See `Decoder`."""
        embedded = self.embed(symbols)
        if carry.vector is not None or carry.weights is not None:
            return _step_by_step(self, carry, embedded, view, key)
        cell_carry, hs = self.rnn(embedded, initial_carry=carry.cell, key=key)
        vectors, weights = self._look(hs, view, None)
        return Read(carry._replace(cell=cell_carry), vectors, weights)

    def step(
        self, carry: Attentive, embedded: jax.Array, view: Memory, masks: Any
    ) -> tuple[Any, jax.Array, jax.Array]:
        """Reads one embedded symbol of each target, `[*B, *N, E]`: cell's state, o and weights."""
        fed = [] if carry.vector is None else [carry.vector]
        inputs = jnp.concatenate([embedded, *fed], axis=-1)
        params = nnx.as_pure(self.rnn.params)
        cell_carry, h = step_with(self.rnn.cell, params, carry.cell, inputs, masks)
        return cell_carry, *self._look(h, view, carry.weights)

    def _look(
        self, hs: jax.Array, view: Memory, previous: jax.Array | None
    ) -> tuple[jax.Array, jax.Array]:
        contexts, weights = self.attention.attend(hs, view, previous)
        return jnp.tanh(self.combine(jnp.concatenate([contexts, hs], axis=-1))), weights


class BahdanauDecoder(nnx.Module):
    """Looks with the state before, and reads what it has seen.

        α_t, c_t = attention(s_{t-1}, memory)
        carry_t, s_t = cell(carry_{t-1}, [E[y_{t-1}], c_t])
        o_t = tanh(W [s_t, c_t, E[y_{t-1}]] + b)

    s is what the cell's recurrent weights see, of a stack the top one's. A layer of tanh stands for
    the maxout layer of the paper.

    Source: Bahdanau, Cho, Bengio 2015, arXiv:1409.0473; with a `LocationScore`: Chorowski et al.
    2015, arXiv:1506.07503.

    >>> from jaxrnn import gru
    >>> rngs = nnx.Rngs(0)
    >>> encoder = Encoder(gru(4, 3), backward=gru(4, 3), vocabulary_size=9, rngs=rngs)
    >>> decoder = BahdanauDecoder(gru(5 + 6, 8), encoder, vocabulary_size=8, rngs=rngs)
    >>> carry, view = decoder.open(encoder(jnp.zeros((2, 7), int)))
    >>> decoder.read(carry, jnp.zeros((2, 3), int), view).weights.shape
    (2, 3, 7)
    """

    def __init__(
        self,
        cell: Cell,
        encoder: Encoder,
        *,
        vocabulary_size: int,
        rngs: nnx.Rngs,
        score: Callable[..., Score] = AdditiveScore,
    ):
        """Draws the parameters.

        Args:
          cell: the recurrent layers, dense; its input size is that of the embedding and of the
            encoder's memory.
          encoder: of the sources; only its sizes are looked at.
          vocabulary_size: V, symbols of the targets.
          rngs: its `params` stream gives the keys.
          score: of the attention, see `Attention`.

        Raises:
          ValueError: if the cell does not take as much or is not dense, or a size is not positive.
        """
        memory_size, hidden_size = encoder.memory_size, output_size(cell)
        size = embed_size(cell, memory_size)
        query_size = _state(cell, cell.initial_carry()).shape[-1]
        self.embed = nnx.Embed(vocabulary_size, size, rngs=rngs)
        self.rnn = RNN(cell, rngs=rngs)
        self.handover = Handover(encoder, cell, rngs=rngs)
        self.attention = Attention(query_size, memory_size, score=score, rngs=rngs)
        self.combine = nnx.Linear(hidden_size + memory_size + size, hidden_size, rngs=rngs)
        self.vector_size = hidden_size

    def open(self, source: Source) -> tuple[Attentive, Memory]:
        """See `Decoder`; the view is the memory with its keys."""
        memory = self.attention.prepare(source.memory, source.lengths)
        return _start(self, source, input_feeding=False), memory

    def read(
        self, carry: Attentive, symbols: jax.Array, view: Memory, *, key: jax.Array | None = None
    ) -> Read:
        """See `Decoder`."""
        return _step_by_step(self, carry, self.embed(symbols), view, key)

    def step(
        self, carry: Attentive, embedded: jax.Array, view: Memory, masks: Any
    ) -> tuple[Any, jax.Array, jax.Array]:
        """Reads one embedded symbol of each target, `[*B, *N, E]`: cell's state, o and weights."""
        cell = self.rnn.cell
        context, weights = self.attention.attend(_state(cell, carry.cell), view, carry.weights)
        inputs = jnp.concatenate([embedded, context], axis=-1)
        cell_carry, s = step_with(cell, nnx.as_pure(self.rnn.params), carry.cell, inputs, masks)
        seen = jnp.concatenate([s, context, embedded], axis=-1)
        return cell_carry, jnp.tanh(self.combine(seen)), weights


def _start(
    decoder: LuongDecoder | BahdanauDecoder, source: Source, input_feeding: bool
) -> Attentive:
    """The state before the first symbol; what is fed back is zero."""
    dtype = jnp.promote_types(source.memory.dtype, jnp.float32)
    *batch_shape, size, _ = source.memory.shape
    vector = jnp.zeros((*batch_shape, decoder.vector_size), dtype) if input_feeding else None
    looks_back = decoder.attention.score.looks_back
    weights = jnp.zeros((*batch_shape, size), dtype) if looks_back else None
    return Attentive(decoder.handover(source), vector, weights)


def _step_by_step(
    decoder: LuongDecoder | BahdanauDecoder,
    carry: Attentive,
    embedded: jax.Array,
    view: Memory,
    key: jax.Array | None,
) -> Read:
    """Reads embedded symbols `[*B, *N, T, E]` one after the other."""
    xs = jnp.moveaxis(embedded, -2, 0)
    cell, steps = decoder.rnn.cell, jnp.arange(xs.shape[0])
    masks = None if key is None else draw_masks(cell, key, xs.shape[0], xs.shape[1:-1])

    def step(
        params: Any, carry: Attentive, inputs: tuple[jax.Array, jax.Array]
    ) -> tuple[Attentive, tuple[jax.Array, jax.Array]]:
        del params  # the decoder's own
        x, t = inputs
        drawn = None if masks is None else masks_at(masks, t)
        cell_carry, vector, weights = decoder.step(carry, x, view, drawn)
        fed = None if carry.vector is None else vector.astype(carry.vector.dtype)
        looked = None if carry.weights is None else weights.astype(carry.weights.dtype)
        return Attentive(cell_carry, fed, looked), (vector, weights)

    carry, (vectors, weights) = unroll(step, (), carry, (xs, steps))
    return Read(carry, jnp.moveaxis(vectors, 0, -2), jnp.moveaxis(weights, 0, -2))


def _state(cell: Cell, carry: Any) -> jax.Array:
    """What the recurrent weights of a cell see, of a stack the top one's, `[*B, H]`."""
    while cell.layers:
        cell, carry = cell.layers[-1], carry[-1]
    require(cell.dense is not None, "cell", "be a dense cell, or a stack of them", cell)
    assert cell.dense is not None
    return cell.dense.hidden(carry)
