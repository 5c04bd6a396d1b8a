"""The captioner: one to many, a vector says what a sequence is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require, require_size
from jaxrnn.models.decoder import embed_size, output_size
from jaxrnn.models.encoder import real_symbols
from jaxrnn.models.encoder_decoder import Opened, inputs_of
from jaxrnn.models.handover import as_state, state_size
from jaxrnn.nn import RNN, Readout, Softmax


class Condition(Protocol):
    """How a network learns of the vector; made by `condition(cell, vector_size, rngs=rngs)`."""

    beside: int  # C, how much of what the cell takes at each step is not the symbol's

    def __call__(self, rnn: RNN, vectors: jax.Array) -> tuple[Any, jax.Array]:
        """Of vectors `[*B, D]`, the state before the first symbol, and `[*B, C]` beside each."""
        ...


class InitialState(nnx.Module):
    """The network starts from the vector: carry_0 = tanh(W v + b).

    Source: Karpathy, Fei-Fei 2015, arXiv:1412.2306, who add it to the first state's input.
    """

    def __init__(self, cell: Cell, vector_size: int, *, rngs: nnx.Rngs):
        """Draws the layer."""
        self.beside = 0
        self.layer = nnx.Linear(vector_size, state_size(cell.initial_carry()), rngs=rngs)

    def __call__(self, rnn: RNN, vectors: jax.Array) -> tuple[Any, jax.Array]:
        """See `Condition`."""
        return as_state(rnn.cell, jnp.tanh(self.layer(vectors))), vectors[..., :0]


class FirstInput(nnx.Module):
    """The network reads the vector before the first symbol: carry_0 = cell(0, W v + b).

    Source: Vinyals, Toshev, Bengio, Erhan 2015, arXiv:1411.4555.
    """

    def __init__(self, cell: Cell, vector_size: int, *, rngs: nnx.Rngs):
        """Draws the layer."""
        self.beside = 0
        self.layer = nnx.Linear(vector_size, embed_size(cell, 0), rngs=rngs)

    def __call__(self, rnn: RNN, vectors: jax.Array) -> tuple[Any, jax.Array]:
        """See `Condition`."""
        carry, _ = rnn(self.layer(vectors)[..., None, :])
        return carry, vectors[..., :0]


class EveryStep(nnx.Module):
    """The network reads the vector beside every symbol: x_t = [E[w_{t-1}], v].

    Source: Mao et al. 2014, arXiv:1410.1090, where it meets the state one layer later.
    """

    def __init__(self, cell: Cell, vector_size: int, *, rngs: nnx.Rngs):
        """Draws nothing: the cell's own kernel reads the vector."""
        del cell, rngs
        self.beside = vector_size

    def __call__(self, rnn: RNN, vectors: jax.Array) -> tuple[Any, jax.Array]:
        """See `Condition`."""
        return rnn.cell.initial_carry(vectors.shape[:-1], vectors.dtype), vectors


class Captioner(nnx.Module):
    """Writes a sequence about something of which an encoder makes a vector.

        v = encoder(image);   carry_0, c = condition(v)
        carry_t, h_t = cell(carry_{t-1}, [E[w_{t-1}], c]);   p(w_t) = softmax(W h_t + b)

    w_0 and the last symbol of every caption are `end`.

    Source: Vinyals et al. 2015, arXiv:1411.4555; see the conditions for the other ways.

    >>> from jaxrnn import gru
    >>> options = {"vocabulary_size": 9, "vector_size": 5, "rngs": nnx.Rngs(0)}
    >>> model = Captioner(gru(4, 6), condition=FirstInput, **options)
    >>> vectors, captions = jnp.ones((2, 5)), jnp.array([[7, 3, 0], [1, 0, 0]])
    >>> model.nll(vectors, captions, jnp.array([3, 2])).shape
    (2, 3)

    It writes with everything of `jaxrnn.generate`:

    >>> from jaxrnn import generate
    >>> model = functions(model)
    >>> start = model.start(model.params, vectors)
    >>> generate.beam_search(model.step, *start, width=3, length=5, end=0).symbols.shape
    (5, 2, 3)
    """

    def __init__(
        self,
        cell: Cell,
        *,
        vocabulary_size: int,
        vector_size: int,
        rngs: nnx.Rngs,
        encoder: Callable[[jax.Array], jax.Array] | None = None,
        condition: Callable[..., Condition] = InitialState,
        readout: Callable[..., Readout] = Softmax,
        end: int = 0,
    ):
        """Draws the parameters.

        Args:
          cell: the recurrent layers; with `EveryStep` it takes the vector and the embedding.
          vocabulary_size: V.
          vector_size: D, of what the encoder gives.
          rngs: its `params` stream gives the keys.
          encoder: any module from images to vectors `[*B, D]`, trained with the rest. None: vectors
            are given.
          condition: `InitialState`, `FirstInput` or `EveryStep`.
          readout: makes the output layer, as in `LanguageModel`.
          end: the symbol that ends every caption, and is read before its first.

        Raises:
          ValueError: if the cell does not take as much, a size is not positive, or `end` is no
            symbol.
        """
        for name, size in (("vocabulary_size", vocabulary_size), ("vector_size", vector_size)):
            require_size(name, size)
        require(0 <= end < vocabulary_size, "end", f"lie in [0, V={vocabulary_size})", end)
        self.condition: Any = condition(cell, vector_size, rngs=rngs)
        size = embed_size(cell, self.condition.beside)
        self.embed = nnx.Embed(vocabulary_size, size, rngs=rngs)
        self.rnn = RNN(cell, rngs=rngs)
        self.readout: Any = readout(output_size(cell), vocabulary_size, rngs=rngs)
        module = isinstance(encoder, nnx.Module)
        self.encoder: Any = encoder if module else nnx.static(encoder)
        self.vector_size, self.end = vector_size, end

    def nll(
        self,
        images: jax.Array,
        captions: jax.Array,
        lengths: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Measures how little it expected each symbol of the captions.

        Args:
          images: what the encoder takes, or vectors `[*B, D]`.
          captions: integers in [0, V), each row ended by `end`, `[*B, T]`; anything in the padding.
          lengths: real symbols of each caption, its `end` among them, `[*B]`; None if all T are.
          key: draws the masks of dropout and what the output layer samples; None turns dropout off
            and makes the loss exact.

        Returns:
          Nats `[*B, T]`, zero in the padding.

        Raises:
          ValueError: if symbols are not integers, or the shapes do not fit.
        """
        captions, _, mask = real_symbols("captions", captions, lengths)
        carry, context = self.open(images)
        shape = context.shape[:-1]
        require(
            captions.shape[:-1] == shape, "captions", f"be of the batch {shape}", captions.shape
        )
        cell_key, readout_key = (None, None) if key is None else jax.random.split(key)
        inputs = inputs_of(jnp.where(mask, captions, self.end), self.end)
        _, hs = self.read(carry, inputs, context, key=cell_key)
        return self.readout.nll(hs, captions, mask, key=readout_key)

    def open(self, images: jax.Array) -> tuple[Any, jax.Array]:
        """The state before the first symbol, and what goes in beside each, `[*B, C]`."""
        vectors = jnp.asarray(images if self.encoder is None else self.encoder(images))
        fits = vectors.ndim > 0 and vectors.shape[-1] == self.vector_size
        name = "images" if self.encoder is None else "encoder"
        require(fits, name, f"give vectors [*B, {self.vector_size}]", vectors.shape)
        return self.condition(self.rnn, vectors)

    def read(
        self, carry: Any, symbols: jax.Array, context: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[Any, jax.Array]:
        """Reads symbols `[*B, *N, T]`; returns the carry and hidden vectors `[*B, *N, T, H]`."""
        embedded = self.embed(symbols)
        further = tuple(range(context.ndim - 1, embedded.ndim - 1))
        shape = (*embedded.shape[:-1], context.shape[-1])
        context = jnp.broadcast_to(jnp.expand_dims(context, further), shape)
        inputs = jnp.concatenate([embedded, context], axis=-1)
        return self.rnn(inputs, initial_carry=carry, key=key)


class CaptionerFunctions(NamedTuple):
    """A captioner as pure functions of its parameters, for generation."""

    params: Any
    start: Callable[..., tuple[Opened, Any, jax.Array]]
    step: Callable[[Opened, Any, jax.Array], tuple[Any, jax.Array]]


def functions(model: Captioner) -> CaptionerFunctions:
    """Takes a model apart, as `jaxrnn.models.encoder_decoder.functions` does.

    Returns:
      `params`; `start(params, images) -> (opened, carry, prompt [1, *B])`, what every function of
      `jaxrnn.generate` takes after the step; `step(opened, carry, symbols) -> (carry, logits)` for
      these, symbols `[*B]` or `[*B, W]`. What is read at every step lies in `opened`, once.
    """
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    end = model.end

    def start(params: Any, images: jax.Array) -> tuple[Opened, Any, jax.Array]:
        carry, context = nnx.merge(graph, params, rest).open(images)
        return Opened(params, context), carry, jnp.full((1, *context.shape[:-1]), end, jnp.int32)

    def step(opened: Opened, carry: Any, symbols: jax.Array) -> tuple[Any, jax.Array]:
        own = nnx.merge(graph, opened.params, rest)
        carry, hs = own.read(carry, symbols[..., None], opened.view)
        return carry, own.readout(hs[..., 0, :])

    return CaptionerFunctions(params, start, step)
