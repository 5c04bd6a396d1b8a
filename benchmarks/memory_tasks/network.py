"""A recurrent layer and a linear readout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn import Cell, elman, gru, initializers, irnn, lstm, recipes, unroll

UNITS: dict[str, Callable[..., Cell]] = {"tanh": elman, "irnn": irnn, "gru": gru, "lstm": lstm}


def lasting(unit: str, in_size: int, hidden_size: int, length: int) -> Cell:
    """A unit whose gates, where it has any, start so that it remembers up to `length` steps.

    The tanh network is the one of those papers and starts small; orthogonal weights, which `elman`
    has by default, are a cure of their own.
    """
    if unit == "lstm":
        bias = initializers.chrono_lstm(length)
        return lstm(in_size, hidden_size, forget_bias=0.0, bias_init=bias)
    if unit == "gru":
        return gru(in_size, hidden_size, bias_init=initializers.chrono_gru(length, hidden_size))
    if unit == "tanh":
        return elman(in_size, hidden_size, **recipes.pytorch(hidden_size)._asdict())
    return UNITS[unit](in_size, hidden_size)


class Network(NamedTuple):
    """One layer, and a linear map from its outputs."""

    cell: Cell
    outputs: int

    def init(self, key: jax.Array) -> dict[str, Any]:
        """Parameters; the readout starts at zero."""
        (hidden,) = self.cell.out_shape or (0,)
        readout = jnp.zeros((hidden, self.outputs)), jnp.zeros(self.outputs)
        return {"cell": self.cell.init(key), "readout": readout}

    def at_each_step(self, params: dict[str, Any], xs: jax.Array) -> jax.Array:
        """Outputs `[T, B, outputs]` for inputs `[T, B, D]`."""
        return self._read(params, self._run(params, xs))

    def at_the_end(
        self, params: dict[str, Any], xs: jax.Array, seq_lengths: jax.Array
    ) -> jax.Array:
        """Outputs `[B, outputs]` at the last step of each sequence."""
        ys = self._run(params, xs)
        return self._read(params, ys[seq_lengths - 1, jnp.arange(xs.shape[1])])

    def _run(self, params: dict[str, Any], xs: jax.Array) -> jax.Array:
        carry = self.cell.initial_carry(xs.shape[1:2])
        return unroll(self.cell, params["cell"], carry, xs)[1]

    def _read(self, params: dict[str, Any], ys: jax.Array) -> jax.Array:
        weights, bias = params["readout"]
        return ys @ weights + bias
