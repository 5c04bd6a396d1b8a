"""Gated recurrent unit with the reset gate before the matmul."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.activations import gate_activations
from jaxrnn.cells.cell import Cell
from jaxrnn.cells.checks import require_size
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate
from jaxrnn.cells.rules import recurrent_product
from jaxrnn.cells.scanned import scanned


class GRUResetBeforeParams(NamedTuple):
    """Parameters of `gru_reset_before`; gates in the order r, z, n along the last axis."""

    w_x: jax.Array  # [D, 3H]
    w_h: jax.Array  # [H, 3H]
    b: jax.Array  # [3H]


def gru_reset_before(
    in_size: int,
    hidden_size: int,
    *,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Gated recurrent unit, reset gate before the matmul (Keras' `reset_after=False`, Haiku).

        r = σ(x_t W_xr + h_{t-1} W_hr + b_r)
        z = σ(x_t W_xz + h_{t-1} W_hz + b_z)
        n = tanh(x_t W_xn + (r ⊙ h_{t-1}) W_hn + b_n)
        h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}
        y_t = h_t

    It runs on the scan, because W_hn multiplies what the gates have already touched: two matmuls in
    a row at every step, where `gru` needs one.

    Source: Cho et al. 2014, arXiv:1406.1078v3; z gates the old state, as there (in Haiku it gates
    the new one).

    Args:
      in_size: D.
      hidden_size: H.
      kernel_init: initialiser of `w_x [D, 3H]`.
      recurrent_init: initialiser of `w_h [H, 3H]`.
      bias_init: initialiser of `b [3H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A `Cell` with `GRUResetBeforeParams` and the carry `h [*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = gru_reset_before(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape
    (2, 5)
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> GRUResetBeforeParams:
        key_x, key_h, key_b = jax.random.split(key, 3)
        return GRUResetBeforeParams(
            w_x=kernel_init(key_x, (in_size, 3 * hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, 3 * hidden_size), param_dtype),
            b=bias_init(key_b, (3 * hidden_size,), param_dtype),
        )

    def step(
        params: GRUResetBeforeParams, h: jax.Array, x: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        x_gates, x_n = jnp.split(x @ params.w_x + params.b, [2 * hidden_size], axis=-1)
        w_gates, w_n = jnp.split(params.w_h, [2 * hidden_size], axis=-1)
        gates = gate_activations(x_gates + recurrent_product(h, w_gates, x.dtype), "ss")
        r, z = jnp.split(gates, 2, axis=-1)
        n = jnp.tanh(x_n + recurrent_product(r * h, w_n, x.dtype))
        h = (1 - z) * n + z * h
        return h, h

    return scanned(step, init=init, in_shape=(in_size,), out_shape=(hidden_size,), dtype=dtype)
