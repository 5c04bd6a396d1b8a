"""From the last state of an encoder to the first of a decoder."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.models.encoder import Encoder, Source


class Handover(nnx.Module):
    """Hands the state over: as it is where it fits, and through a layer where it does not.

        carry_0 = carry_S                  of one structure and the same shapes
        carry_0 = tanh(W z + b)            else: two directions, other cells or sizes

    z are all the numbers of carry_S in a row.

    Source: Sutskever, Vinyals, Le 2014, arXiv:1409.3215; Bahdanau, Cho, Bengio 2015,
    arXiv:1409.0473, appendix A.2.2 (the layer, there from the backward state alone).

    >>> from jaxrnn import gru, lstm
    >>> rngs = nnx.Rngs(0)
    >>> encoder = Encoder(gru(4, 5), backward=gru(4, 5), vocabulary_size=9, rngs=rngs)
    >>> source = encoder(jnp.zeros((2, 7), int))
    >>> Handover(encoder, lstm(4, 6), rngs=rngs)(source).c.shape
    (2, 6)
    """

    def __init__(self, encoder: Encoder, cell: Cell, *, rngs: nnx.Rngs):
        """Draws the layer if there is to be one.

        Args:
          encoder: whose state is handed over.
          cell: whose state it becomes.
          rngs: its `params` stream gives the key.
        """
        given, wanted = encoder.initial_carry(), cell.initial_carry()
        same = jax.tree.structure(given) == jax.tree.structure(wanted)
        fits = same and _shapes(given) == _shapes(wanted)
        self.cell = nnx.static(cell)
        self.layer = None if fits else nnx.Linear(state_size(given), state_size(wanted), rngs=rngs)

    def __call__(self, source: Source) -> Any:
        """The state of the encoder, leaves `[*B, ...]`, as one of the decoder."""
        if self.layer is None:
            return source.carry
        return as_state(self.cell, jnp.tanh(self.layer(joined(source))))


def joined(source: Source) -> jax.Array:
    """All numbers of the encoder's last state in a row, `[*B, Z]`."""
    batch_shape = source.lengths.shape
    rows = [leaf.reshape(*batch_shape, -1) for leaf in jax.tree.leaves(source.carry)]
    return jnp.concatenate(rows, axis=-1)


def as_state(cell: Cell, numbers: jax.Array) -> Any:
    """Numbers `[*B, Z]` cut into a state of the cell, leaves `[*B, ...]`; undoes `joined`."""
    leaves, structure = jax.tree.flatten(cell.initial_carry())
    ends = list(itertools.accumulate(leaf.size for leaf in leaves))[:-1]
    parts = zip(jnp.split(numbers, ends, axis=-1), leaves, strict=True)
    shaped = [part.reshape(*numbers.shape[:-1], *leaf.shape) for part, leaf in parts]
    return jax.tree.unflatten(structure, shaped)


def state_size(carry: Any) -> int:
    """Z, how many numbers a state without batch axes has."""
    return sum(leaf.size for leaf in jax.tree.leaves(carry))


def _shapes(carry: Any) -> list[tuple[int, ...]]:
    return [leaf.shape for leaf in jax.tree.leaves(carry)]
