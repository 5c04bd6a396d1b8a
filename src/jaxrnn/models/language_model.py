"""The recurrent language model: embedding, recurrent layers, softmax over the next symbol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require, require_size
from jaxrnn.losses import nll
from jaxrnn.nn import RNN


class LanguageModel(nnx.Module):
    """Predicts the next symbol of each sequence from all before it.

        e_t = E[w_t];   carry_t, h_t = cell(carry_{t-1}, e_t);   logits_t = h_t W_o + b_o

    Source: Mikolov et al. 2010, "Recurrent neural network based language model".

    Time-major, because its sequences are the segments of truncated backpropagation.

    >>> from jaxrnn import lstm
    >>> model = LanguageModel(lstm(8, 16), vocabulary_size=20, rngs=nnx.Rngs(0))
    >>> carry, logits = model(jnp.zeros((7, 2), int))
    >>> logits.shape
    (7, 2, 20)
    """

    def __init__(self, cell: Cell, *, vocabulary_size: int, rngs: nnx.Rngs):
        """Draws the parameters.

        Args:
          cell: the recurrent layers, one cell or a `stack`; its input size is the embedding's.
          vocabulary_size: V.
          rngs: its `params` stream gives the keys.
        """
        require_size("vocabulary_size", vocabulary_size)
        vectors = cell.in_shape is not None and len(cell.in_shape) == 1
        require(vectors, "cell", "take and give vectors", cell)
        (embed_size,), (hidden_size,) = cell.in_shape or (0,), cell.out_shape or (0,)
        self.embed = nnx.Embed(vocabulary_size, embed_size, rngs=rngs)
        self.rnn = RNN(cell, rngs=rngs, time_major=True)
        self.readout = nnx.Linear(hidden_size, vocabulary_size, rngs=rngs)

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
          key: draws the masks of dropout in the cell; None turns it off.

        Returns:
          The carry after the last symbol, and logits `[T, *B, V]`.
        """
        embedded = self.embed(tokens)
        carry, hs = self.rnn(embedded, initial_carry=initial_carry, resets=resets, key=key)
        return carry, self.readout(hs)


class LanguageModelFunctions(NamedTuple):
    """A language model as pure functions of its parameters, for training and generation."""

    params: Any
    loss: Callable[[Any, Any, Any, jax.Array | None], tuple[jax.Array, jax.Array, Any]]
    step: Callable[[Any, Any, jax.Array], tuple[Any, jax.Array]]
    initial_carry: Callable[[int], Any]


def functions(model: LanguageModel) -> LanguageModelFunctions:
    """Takes a model apart into its parameters and pure functions of them.

    Returns:
      `params`; `loss(params, carry, segment, key) -> (total nats, symbols, carry)` over a segment
      with `inputs`, `targets`, `mask` and `resets`, each `[T, B]`, as truncated BPTT wants it, with
      dropout only where there is a key;
      `step(params, carry, tokens [B]) -> (carry, logits [B, V])` for generation;
      `initial_carry(batch_size)`.
    """
    graph, params = nnx.split(model, nnx.Param)
    cell = model.rnn.cell

    def loss(
        params: Any, carry: Any, segment: Any, key: jax.Array | None
    ) -> tuple[jax.Array, jax.Array, Any]:
        read = nnx.merge(graph, params)
        carry, logits = read(segment.inputs, initial_carry=carry, resets=segment.resets, key=key)
        total = jnp.sum(nll(logits, segment.targets, segment.mask))
        return total, jnp.sum(segment.mask), carry

    def step(params: Any, carry: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        carry, logits = nnx.merge(graph, params)(tokens[None], initial_carry=carry)
        return carry, logits[0]

    return LanguageModelFunctions(params, loss, step, lambda size: cell.initial_carry((size,)))
