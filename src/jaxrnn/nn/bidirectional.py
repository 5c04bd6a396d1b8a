"""Two networks over the same sequences, one in each direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells.checks import require
from jaxrnn.nn.rnn import RNN


def concatenate(forward: jax.Array, backward: jax.Array) -> jax.Array:
    """Joins the outputs of both directions along the feature axis."""
    return jnp.concatenate([forward, backward], axis=-1)


class Bidirectional(nnx.Module):
    """Runs one `RNN` forwards and one backwards and merges their outputs at each step.

        y_t = merge(forward(x_0 .. x_t), backward(x_{T-1} .. x_t))

    Source: Schuster, Paliwal 1997, doi:10.1109/78.650093.

    A deep bidirectional network in which each layer sees both directions of the layer below is a
    sequence of these; `Bidirectional(RNN(stack(..)), RNN(stack(..)))` keeps the directions apart up
    to the top.

    >>> from jaxrnn import gru
    >>> rngs = nnx.Rngs(0)
    >>> both = Bidirectional(RNN(gru(3, 5), rngs=rngs), RNN(gru(3, 5), rngs=rngs))
    >>> (forward_carry, backward_carry), ys = both(jnp.ones((2, 7, 3)))
    >>> ys.shape
    (2, 7, 10)
    """

    def __init__(
        self,
        forward: RNN,
        backward: RNN,
        *,
        merge: Callable[[jax.Array, jax.Array], jax.Array] = concatenate,
    ):
        """Joins two networks.

        Args:
          forward: runs from the first step to the last.
          backward: runs from the last real step of each sequence to the first.
          merge: `merge(forward_ys, backward_ys) -> ys`, for example `concatenate` or `jnp.add`.
        """
        same = forward.time_major == backward.time_major
        rule = "be the same in both directions"
        require(same, "time_major", rule, (forward.time_major, backward.time_major))
        self.forward = forward
        self.backward = backward
        self.merge = nnx.static(merge)

    def __call__(
        self,
        xs: jax.Array,
        *,
        initial_carry: tuple[Any, Any] | None = None,
        seq_lengths: jax.Array | None = None,
        resets: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> tuple[tuple[Any, Any], jax.Array]:
        """Runs both directions.

        Args:
          xs: `[*B, T, D]`.
          initial_carry: a pair, for the forward and the backward network.
          seq_lengths: real steps of each sequence, `[*B]`; backward starts at the last of them.
          resets: true where a sequence starts afresh, `[*B, T]`; backward keeps to its segments.
          key: draws the masks of dropout and the like, of each direction its own; None turns them
            off.

        Returns:
          The pair of carries, and the merged outputs `[*B, T, ...]`, zero in the padding if
          `merge` keeps zeros.

        Raises:
          ValueError: if a shape or dtype does not fit; the message names the argument.
        """
        first, second = (None, None) if initial_carry is None else initial_carry
        masks: dict[str, Any] = {"seq_lengths": seq_lengths, "resets": resets}
        one, other = (None, None) if key is None else jax.random.split(key)
        forward_carry, forward_ys = self.forward(xs, initial_carry=first, key=one, **masks)
        backward_carry, backward_ys = self.backward(
            xs, initial_carry=second, reverse=True, key=other, **masks
        )
        return (forward_carry, backward_carry), self.merge(forward_ys, backward_ys)
