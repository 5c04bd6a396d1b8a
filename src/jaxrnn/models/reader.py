"""The reader: a recurrent network over symbols or vectors, in one direction or in both."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require, require_floating, require_size
from jaxrnn.nn import RNN, Bidirectional


class Reader(nnx.Module):
    """What a classifier, a tagger and an encoder do first: an output for each step of a sequence.

        e_t = E[x_t] of symbols, x_t itself of vectors;   y = network(e)

    Attributes:
      embed: E, an `nnx.Embed`; None where vectors are read.
      rnn: an `RNN` or a `Bidirectional`.
      forward_size: numbers of an output that the forward direction gives.
      hidden_size: H, numbers of an output.

    >>> from jaxrnn import gru
    >>> reader = Reader(gru(4, 5), backward=gru(4, 6), vocabulary_size=9, rngs=nnx.Rngs(0))
    >>> carry, ys = reader(jnp.zeros((2, 7), int), jnp.array([7, 3]))
    >>> ys.shape, reader.forward_size, reader.hidden_size
    ((2, 7, 11), 5, 11)
    """

    def __init__(
        self,
        cell: Cell,
        *,
        rngs: nnx.Rngs,
        backward: Cell | None = None,
        vocabulary_size: int | None = None,
        reverse: bool = False,
    ):
        """Draws the parameters.

        Args:
          cell: the recurrent layers, one cell or a `stack`; dropout is a matter of the cell, as in
            `input_dropout(cell, rate)`.
          rngs: its `params` stream gives the keys.
          backward: reads from the last step to the first, beside `cell`; None: nothing does, and a
            stream can be read in pieces.
          vocabulary_size: of symbols, which get vectors of the cell's input size; None: it reads
            vectors.
          reverse: read from the last step to the first, in this direction alone.

        Raises:
          ValueError: if a size is not positive, a cell does not take and give vectors, the two
            directions do not take the same ones, or one of two is to be reversed.
        """
        cells = [cell] if backward is None else [cell, backward]
        for name, one in zip(("cell", "backward"), cells, strict=False):
            vectors = isinstance(one, Cell) and one.in_shape is not None and len(one.in_shape) == 1
            require(vectors, name, "take and give vectors", one)
        (size,), other = cell.in_shape or (0,), cells[-1].in_shape
        require(other == (size,), "backward", f"take what `cell` takes, {(size,)}", other)
        symbols = vocabulary_size is not None
        require_size("vocabulary_size", vocabulary_size if symbols else 1)
        require(backward is None or not reverse, "reverse", "be false with `backward`", reverse)
        self.embed = nnx.Embed(vocabulary_size, size, rngs=rngs) if symbols else None
        networks = [RNN(one, rngs=rngs) for one in cells]
        self.rnn: Any = networks[0] if backward is None else Bidirectional(*networks)
        self.cells, self.reverse = nnx.static(tuple(cells)), reverse
        sizes = [(one.out_shape or (0,))[0] for one in cells]
        self.forward_size, self.hidden_size = sizes[0], sum(sizes)

    def __call__(
        self,
        xs: jax.Array,
        lengths: jax.Array | None = None,
        *,
        initial_carry: Any = None,
        key: jax.Array | None = None,
    ) -> tuple[Any, jax.Array]:
        """Reads sequences.

        Args:
          xs: symbols, integers in [0, V), `[*B, T]`, or vectors `[*B, T, D]`; anything in the
            padding.
          lengths: real steps of each sequence, integers `[*B]`; None if all T are.
          initial_carry: the state before the first step; None starts afresh.
          key: draws the masks of dropout and the like; None turns them off.

        Returns:
          The carry after the last real step, a pair of two directions, and the outputs
          `[*B, T, H]`, zero in the padding.

        Raises:
          ValueError: if a shape or dtype does not fit.
        """
        xs = jnp.asarray(xs)
        if self.embed is None:
            require_floating("xs", xs)
        else:
            integers = xs.ndim > 0 and jnp.issubdtype(xs.dtype, jnp.integer)
            described = f"{xs.dtype}{list(xs.shape)}"
            require(integers, "xs", "hold symbols, integers [*B, T]", described)
            if lengths is not None:
                # Outside the vocabulary an embedding is NaN.
                xs = jnp.where(jnp.arange(xs.shape[-1]) < jnp.asarray(lengths)[..., None], xs, 0)
            xs = self.embed(xs)
        how: dict[str, Any] = {"reverse": True} if self.reverse else {}
        return self.rnn(xs, initial_carry=initial_carry, seq_lengths=lengths, key=key, **how)

    def initial_carry(self) -> Any:
        """The state before the first step, of one sequence; a pair of two directions."""
        first, *others = (cell.initial_carry() for cell in self.cells)
        return (first, *others) if others else first
