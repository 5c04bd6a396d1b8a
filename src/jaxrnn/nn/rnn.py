"""A cell as a Flax module."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require
from jaxrnn.recurrence import Backend, Remat, unroll


class RNN(nnx.Module):
    """Runs any cell over batch-major sequences; the parameters are the module's only state.

    A deep network is `RNN(stack(...))`. The module holds no random stream and changes nothing when
    it is called, so it works as an argument and by closure, under `jax.jit`, `lax.scan`, `jax.vmap`
    and their nnx counterparts alike.

    Attributes:
      cell: the functional cell.
      params: its parameters, `nnx.Param` leaves in the cell's own structure.
      initial_carry: learned state before the first step, `nnx.Param` leaves without batch axes;
        None unless asked for.
      time_major: whether time is the first axis.
      backend: how the cell is run over time.
      remat: what the backward pass runs again.

    >>> from jaxrnn import lstm
    >>> rnn = RNN(lstm(3, 5), rngs=nnx.Rngs(0))
    >>> carry, ys = rnn(jnp.ones((2, 7, 3)))
    >>> ys.shape, carry.h.shape
    ((2, 7, 5), (2, 5))
    """

    def __init__(
        self,
        cell: Cell,
        *,
        rngs: nnx.Rngs,
        learn_initial_carry: bool = False,
        time_major: bool = False,
        backend: Backend = "auto",
        remat: Remat = None,
    ):
        """Draws the parameters.

        Args:
          cell: what to run, for example `lstm(in_size, hidden_size)` or a `stack` of such.
          rngs: its `params` stream gives the key.
          learn_initial_carry: make the state before the first step, which is also the state at a
            reset, a parameter that starts at zero.
          time_major: `xs` is `[T, *B, D]` and not `[*B, T, D]`; likewise outputs and resets.
          backend: how the cell is run, see `jaxrnn.unroll`.
          remat: what the backward pass runs again to save memory, see `jaxrnn.unroll`.
        """
        require(isinstance(cell, Cell), "cell", "be a jaxrnn Cell", type(cell).__name__)
        self.cell = nnx.static(cell)
        self.params = nnx.data(jax.tree.map(nnx.Param, cell.init(rngs.params())))
        learned = jax.tree.map(nnx.Param, cell.initial_carry()) if learn_initial_carry else None
        self.initial_carry = nnx.data(learned)
        self.time_major = time_major
        self.backend: Backend = nnx.static(backend)
        self.remat: Remat = remat

    def __call__(
        self,
        xs: jax.Array,
        *,
        initial_carry: Any = None,
        seq_lengths: jax.Array | None = None,
        resets: jax.Array | None = None,
        reverse: bool = False,
        key: jax.Array | None = None,
    ) -> tuple[Any, jax.Array]:
        """Runs the sequences; see `jaxrnn.unroll` for what lengths, resets and reverse mean.

        Args:
          xs: `[*B, T, D]`.
          initial_carry: state before the first step, leaves `[*B, ...]`. None is the learned one,
            or the cell's own, in at least float32: a bfloat16 sequence keeps a float32 state.
          seq_lengths: real steps of each sequence, `[*B]`.
          resets: true where a sequence starts afresh before the step, `[*B, T]`.
          reverse: run backwards in time.
          key: draws the masks of dropout and the like; None turns them off, as for evaluation.

        Returns:
          The carry after the last real step, and the outputs `[*B, T, H]`.

        Raises:
          ValueError: if a shape or dtype does not fit; the message names the argument.
        """
        xs = jnp.asarray(xs)
        features = 1 if self.cell.in_shape is None else len(self.cell.in_shape)
        time = 0 if self.time_major else xs.ndim - features - 1
        shape = "[T, *B, D]" if self.time_major else "[*B, T, D]"
        require(xs.ndim > features and time >= 0, "xs", f"have the shape {shape}", xs.shape)
        xs = jnp.moveaxis(xs, time, 0)
        if resets is not None and not self.time_major:
            resets = jnp.moveaxis(jnp.asarray(resets), -1, 0)
        start = self._start(xs, features)
        carry, ys = unroll(
            self.cell,
            nnx.as_pure(self.params),
            start if initial_carry is None else initial_carry,
            xs,
            seq_lengths=seq_lengths,
            resets=resets,
            reset_carry=start,
            reverse=reverse,
            key=key,
            backend=self.backend,
            remat=self.remat,
        )
        return carry, jnp.moveaxis(ys, 0, time)

    def _start(self, xs: jax.Array, features: int) -> Any:
        """Returns the state before the first step for `xs [T, *B, D]`."""
        batch_shape = xs.shape[1 : xs.ndim - features]
        dtype = jnp.promote_types(xs.dtype, jnp.float32)
        if self.initial_carry is None:
            return self.cell.initial_carry(batch_shape, dtype)
        learned = nnx.as_pure(self.initial_carry)
        return jax.tree.map(
            lambda leaf: jnp.broadcast_to(leaf.astype(dtype), batch_shape + leaf.shape), learned
        )
