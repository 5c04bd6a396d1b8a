"""The encoder: reads a source of any length, into a memory and a last state."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require
from jaxrnn.models.reader import Reader
from jaxrnn.recurrence.masks import real_steps


class Source(NamedTuple):
    """What a decoder knows of a source."""

    carry: Any  # the state after the last symbol read, leaves [*B, ...]; a pair of two directions
    memory: jax.Array  # [*B, S, M], what the encoder put out at each symbol, zeros in the padding
    lengths: jax.Array  # [*B]


class Encoder(nnx.Module):
    """Reads symbols with recurrent layers.

        one direction    carry_s, m_s = cell(carry_{s-1}, E[x_s])
        two directions   m_s = [forward m_s, backward m_s],   carry = (forward's, backward's)

    Source: Sutskever, Vinyals, Le 2014, arXiv:1409.3215 (deep, and from the last symbol to the
    first); Bahdanau, Cho, Bengio 2015, arXiv:1409.0473 (both directions).

    Attributes:
      memory_size: M.

    >>> from jaxrnn import gru
    >>> encoder = Encoder(gru(4, 5), backward=gru(4, 5), vocabulary_size=9, rngs=nnx.Rngs(0))
    >>> source = encoder(jnp.zeros((2, 7), int), jnp.array([7, 3]))
    >>> source.memory.shape, bool((source.memory[1, 3:] == 0).all())
    ((2, 7, 10), True)
    """

    def __init__(
        self,
        cell: Cell,
        *,
        vocabulary_size: int,
        rngs: nnx.Rngs,
        backward: Cell | None = None,
        reverse: bool = False,
    ):
        """Draws the parameters.

        Args:
          cell: the recurrent layers, one cell or a `stack`; its input size is the embedding's.
          vocabulary_size: symbols of the sources.
          rngs: its `params` stream gives the keys.
          backward: reads in the other direction, beside `cell`; None: nothing does.
          reverse: read from the last symbol to the first. The first symbols, which the first of the
            target mostly depend on, are then the last ones read.

        Raises:
          ValueError: as for `Reader`.
        """
        options: dict[str, Any] = {"backward": backward, "vocabulary_size": vocabulary_size}
        self.reader = Reader(cell, rngs=rngs, reverse=reverse, **options)
        self.memory_size = self.reader.hidden_size

    def initial_carry(self) -> Any:
        """The state before the first symbol, of one source."""
        return self.reader.initial_carry()

    def __call__(
        self,
        symbols: jax.Array,
        lengths: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> Source:
        """Reads sources.

        Args:
          symbols: integers in [0, V), `[*B, S]`; anything in the padding.
          lengths: real symbols of each source, integers `[*B]`; None if all S are.
          key: draws the masks of dropout and the like; None turns them off.

        Raises:
          ValueError: if the symbols are not integers, or the shapes do not fit.
        """
        symbols, lengths, _ = real_symbols("symbols", symbols, lengths)
        carry, memory = self.reader(symbols, lengths, key=key)
        return Source(carry, memory, lengths)


def real_symbols(
    argument: str, symbols: jax.Array, lengths: jax.Array | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Checks symbols `[*B, T]`; returns them, their lengths `[*B]` and the mask `[*B, T]`."""
    symbols = jnp.asarray(symbols)
    integers = symbols.ndim > 0 and jnp.issubdtype(symbols.dtype, jnp.integer)
    described = f"{symbols.dtype}{list(symbols.shape)}"
    require(integers, argument, "hold integers, [*B, T]", described)
    named = f"lengths of {argument}"
    return symbols, *real_steps(lengths, symbols.shape[:-1], symbols.shape[-1], argument=named)
