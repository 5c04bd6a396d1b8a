"""The classifier: many to one, a class for a whole sequence."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require, require_size
from jaxrnn.models.reader import Reader
from jaxrnn.nn import Pooling, Softmax, end_states, last_state


class Classifier(nnx.Module):
    """Reads a sequence of symbols or of vectors and says which of K classes it is of.

        y = network(x);   v = pooling(y);   p(k | x) = softmax(v W_oᵀ + b)_k

    Source: Graves 2012, doi:10.1007/978-3-642-24797-2 (chapter 2, sequence classification).

    An image is a sequence of its rows, or of its pixels; a text one of words or characters.

    >>> from jaxrnn import gru, lstm
    >>> model = Classifier(lstm(8, 16), classes=10, rngs=nnx.Rngs(0))
    >>> model(jnp.ones((2, 7, 8)), jnp.array([7, 3])).shape
    (2, 10)

    Of symbols, in both directions, with a pooling that has parameters of its own:

    >>> from jaxrnn.nn import AttentionPooling
    >>> rngs = nnx.Rngs(0)
    >>> pooling = AttentionPooling(12, rngs=rngs)
    >>> options = {"classes": 2, "vocabulary_size": 30, "pooling": pooling, "rngs": rngs}
    >>> model = Classifier(gru(5, 6), backward=gru(5, 6), **options)
    >>> model.nll(jnp.zeros((2, 7), int), jnp.array([0, 1]), jnp.array([7, 3])).shape
    (2,)
    """

    def __init__(
        self,
        cell: Cell,
        *,
        classes: int,
        rngs: nnx.Rngs,
        backward: Cell | None = None,
        vocabulary_size: int | None = None,
        pooling: Pooling | None = None,
    ):
        """Draws the parameters.

        Args:
          cell: the recurrent layers, one cell or a `stack`; dropout is a matter of the cell.
          classes: K.
          rngs: its `params` stream gives the keys.
          backward: reads from the last step to the first, beside `cell`; None: nothing does.
          vocabulary_size: of symbols; None: it reads vectors.
          pooling: makes one vector of the outputs, `pooling(ys, lengths)`: `last_state`,
            `end_states`, `mean_pooling`, `max_pooling`, or a module such as `AttentionPooling`.
            None: the last state of each direction.

        Raises:
          ValueError: as for `Reader`, and if the number of classes is not positive.
        """
        require_size("classes", classes)
        self.reader = Reader(cell, rngs=rngs, backward=backward, vocabulary_size=vocabulary_size)
        if pooling is None:
            both = partial(end_states, forward_size=self.reader.forward_size)
            pooling = last_state if backward is None else both
        self.pooling: Any = pooling if isinstance(pooling, nnx.Module) else nnx.static(pooling)
        self.readout = Softmax(self.reader.hidden_size, classes, rngs=rngs)

    def __call__(
        self, xs: jax.Array, lengths: jax.Array | None = None, *, key: jax.Array | None = None
    ) -> jax.Array:
        """Reads sequences and scores the classes.

        Args:
          xs: symbols, integers `[*B, T]`, or vectors `[*B, T, D]`; anything in the padding.
          lengths: real steps of each sequence, integers `[*B]`; None if all T are.
          key: draws the masks of dropout; None turns it off.

        Returns:
          Logits `[*B, K]`.

        Raises:
          ValueError: if a shape or dtype does not fit.
        """
        return self.readout(self.vector(xs, lengths, key=key))

    def nll(
        self,
        xs: jax.Array,
        labels: jax.Array,
        lengths: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Negative log-likelihood of the labels `[*B]`, integers in [0, K): nats `[*B]`."""
        return self.readout.nll(self.vector(xs, lengths, key=key), labels)

    def vector(
        self, xs: jax.Array, lengths: jax.Array | None = None, *, key: jax.Array | None = None
    ) -> jax.Array:
        """The sequence as one vector, `[*B, H]`; arguments as for a call."""
        _, ys = self.reader(xs, lengths, key=key)
        vector = self.pooling(ys, lengths)
        shape = (*ys.shape[:-2], self.reader.hidden_size)
        require(vector.shape == shape, "pooling", f"give the shape {shape}", vector.shape)
        return vector

    def classes(self, xs: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
        """The most probable class of each sequence, int32 `[*B]`."""
        return jnp.argmax(self(xs, lengths), axis=-1).astype(jnp.int32)
