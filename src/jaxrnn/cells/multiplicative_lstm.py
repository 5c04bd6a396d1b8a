"""Long short-term memory with a recurrent matrix of its own for each input."""

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
from jaxrnn.cells.lstm import LSTMState
from jaxrnn.cells.rules import recurrent_product
from jaxrnn.cells.scanned import scanned


class MultiplicativeLSTMParams(NamedTuple):
    """Parameters of `multiplicative_lstm`; gates in the order i, f, g, o along the last axis."""

    w_mx: jax.Array  # [D, H]
    w_mh: jax.Array  # [H, H]
    w_x: jax.Array  # [D, 4H]
    w_m: jax.Array  # [H, 4H]
    b: jax.Array  # [4H]


def multiplicative_lstm(
    in_size: int,
    hidden_size: int,
    *,
    forget_bias: float = 1.0,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Multiplicative LSTM: the input chooses how the last state enters the gates.

        m_t = (x_t W_mx) ⊙ (h_{t-1} W_mh)
        i, f, g, o = split(x_t W_x + m_t W_m + b)
        c_t = σ(f) ⊙ c_{t-1} + σ(i) ⊙ tanh(g)
        h_t = σ(o) ⊙ tanh(c_t)
        y_t = h_t

    From h_{t-1} to the gates leads W_mh diag(x_t W_mx) W_m, another matrix for each input. It runs
    on the scan, because m_t stands between two matmuls of every step.

    Source: Krause, Lu, Murray, Renals 2016, arXiv:1609.07959. What follows the gates is as in
    `lstm`.

    Args:
      in_size: D.
      hidden_size: H, also the size of m.
      forget_bias: added to the initial bias of the forget gate, as in `lstm`.
      kernel_init: initialiser of `w_mx [D, H]` and `w_x [D, 4H]`.
      recurrent_init: initialiser of `w_mh [H, H]` and `w_m [H, 4H]`.
      bias_init: initialiser of `b [4H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A `Cell` with `MultiplicativeLSTMParams` and the carry `LSTMState(h, c)`, each `[*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = multiplicative_lstm(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape
    (2, 5)
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> MultiplicativeLSTMParams:
        key_mx, key_mh, key_x, key_m, key_b = jax.random.split(key, 5)
        b = bias_init(key_b, (4 * hidden_size,), param_dtype)
        return MultiplicativeLSTMParams(
            w_mx=kernel_init(key_mx, (in_size, hidden_size), param_dtype),
            w_mh=recurrent_init(key_mh, (hidden_size, hidden_size), param_dtype),
            w_x=kernel_init(key_x, (in_size, 4 * hidden_size), param_dtype),
            w_m=recurrent_init(key_m, (hidden_size, 4 * hidden_size), param_dtype),
            b=b.at[hidden_size : 2 * hidden_size].add(forget_bias),
        )

    def zeros(batch_shape: tuple[int, ...], dtype: Any) -> LSTMState:
        shape = (*batch_shape, hidden_size)
        return LSTMState(h=jnp.zeros(shape, dtype), c=jnp.zeros(shape, dtype))

    def step(
        params: MultiplicativeLSTMParams, carry: LSTMState, x: jax.Array
    ) -> tuple[LSTMState, jax.Array]:
        m = (x @ params.w_mx) * recurrent_product(carry.h, params.w_mh, x.dtype)
        z = x @ params.w_x + params.b
        gates = gate_activations(z + recurrent_product(m, params.w_m, x.dtype), "ssts")
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        c = f * carry.c + i * g
        h = o * jnp.tanh(c)
        return LSTMState(h, c), h

    return scanned(
        step, init=init, zeros=zeros, in_shape=(in_size,), out_shape=(hidden_size,), dtype=dtype
    )
