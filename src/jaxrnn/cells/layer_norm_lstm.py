"""Long short-term memory with layer normalization."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal, ones
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.activations import gate_activations
from jaxrnn.cells.cell import Cell, DenseParts
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate
from jaxrnn.cells.lstm import LSTMState
from jaxrnn.cells.normalization import normalize


class LayerNormLSTMParams(NamedTuple):
    """Parameters of `layer_norm_lstm`; gates in the order i, f, g, o along the last axis."""

    w_x: jax.Array  # [D, 4H]
    w_h: jax.Array  # [H, 4H]
    b: jax.Array  # [4H]
    gain_x: jax.Array  # [4H]
    gain_h: jax.Array  # [4H]
    gain_c: jax.Array  # [H]
    b_c: jax.Array  # [H] bias of the normalised cell state


def layer_norm_lstm(
    in_size: int,
    hidden_size: int,
    *,
    forget_bias: float = 1.0,
    epsilon: float = 1e-5,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    gain_init: Initializer = ones,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """LSTM whose pre-activations and cell state are normalised over the units at each step.

        i, f, g, o = split(gain_x ⊙ LN(x_t W_x) + gain_h ⊙ LN(h_{t-1} W_h) + b)
        c_t = σ(f) ⊙ c_{t-1} + σ(i) ⊙ tanh(g)
        h_t = σ(o) ⊙ tanh(gain_c ⊙ LN(c_t) + b_c)
        y_t = h_t

    LN normalises over all 4H pre-activations, and for c over its H units. The paper has a bias for
    each of the two LNs under the gates and one of the cell; only their sum matters, and is b.

    Source: Ba, Kiros, Hinton 2016, arXiv:1607.06450.

    Args:
      in_size: D.
      hidden_size: H.
      forget_bias: added to the initial bias of the forget gate, as in `lstm`.
      epsilon: added to the variance under the root.
      kernel_init: initialiser of `w_x [D, 4H]`.
      recurrent_init: initialiser of `w_h [H, 4H]`.
      bias_init: initialiser of `b [4H]` and `b_c [H]`.
      gain_init: initialiser of `gain_x [4H]`, `gain_h [4H]` and `gain_c [H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `LayerNormLSTMParams` and the carry `LSTMState(h, c)`, each `[*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer, or epsilon is not positive.

    >>> cell = layer_norm_lstm(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape, carry.c.shape
    ((2, 5), (2, 5))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)
    require(epsilon > 0, "epsilon", "be greater than 0", epsilon)

    def init(key: jax.Array) -> LayerNormLSTMParams:
        key_x, key_h, key_b, key_bc, *keys = jax.random.split(key, 7)
        b = bias_init(key_b, (4 * hidden_size,), param_dtype)
        return LayerNormLSTMParams(
            w_x=kernel_init(key_x, (in_size, 4 * hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, 4 * hidden_size), param_dtype),
            b=b.at[hidden_size : 2 * hidden_size].add(forget_bias),
            gain_x=gain_init(keys[0], (4 * hidden_size,), param_dtype),
            gain_h=gain_init(keys[1], (4 * hidden_size,), param_dtype),
            gain_c=gain_init(keys[2], (hidden_size,), param_dtype),
            b_c=bias_init(key_bc, (hidden_size,), param_dtype),
        )

    def zeros(batch_shape: tuple[int, ...], dtype: Any) -> LSTMState:
        shape = (*batch_shape, hidden_size)
        return LSTMState(h=jnp.zeros(shape, dtype), c=jnp.zeros(shape, dtype))

    def project(params: LayerNormLSTMParams, x: jax.Array) -> jax.Array:
        return params.gain_x * normalize(x @ params.w_x, epsilon) + params.b

    def pointwise(
        params: LayerNormLSTMParams, carry: LSTMState, z: jax.Array, r: jax.Array
    ) -> tuple[LSTMState, jax.Array]:
        gates = gate_activations(z + params.gain_h * normalize(r, epsilon), "ssts")
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        c = f * carry.c + i * g
        h = o * jnp.tanh(params.gain_c * normalize(c, epsilon) + params.b_c)
        return LSTMState(h, c), h

    parts = DenseParts(project, lambda carry: carry.h, lambda params: params.w_h, pointwise)
    return dense(parts, init=init, zeros=zeros, in_size=in_size, out_size=hidden_size, dtype=dtype)
