"""Long short-term memory that writes as much as it forgets."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.activations import gate_activations
from jaxrnn.cells.cell import Cell, DenseParts
from jaxrnn.cells.checks import require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate
from jaxrnn.cells.lstm import LSTMState


class CoupledLSTMParams(NamedTuple):
    """Parameters of `coupled_lstm`; gates in the order f, g, o along the last axis."""

    w_x: jax.Array  # [D, 3H]
    w_h: jax.Array  # [H, 3H]
    b: jax.Array  # [3H]


def coupled_lstm(
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
    """LSTM with input and forget gate coupled, i = 1 - f (CIFG): three gates' worth of weights.

        f, g, o = split(x_t W_x + h_{t-1} W_h + b)
        c_t = σ(f) ⊙ c_{t-1} + (1 - σ(f)) ⊙ tanh(g)
        h_t = σ(o) ⊙ tanh(c_t)
        y_t = h_t

    The cell state is an average of values in (-1, 1), so it never leaves that interval.

    Source: Greff, Srivastava, Koutník, Steunebrink, Schmidhuber 2015, arXiv:1503.04069, which
    writes f = 1 - i and has peepholes; there are none here.

    Args:
      in_size: D.
      hidden_size: H.
      forget_bias: added to the initial bias of the forget gate, as in `lstm`.
      kernel_init: initialiser of `w_x [D, 3H]`.
      recurrent_init: initialiser of `w_h [H, 3H]`.
      bias_init: initialiser of `b [3H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `CoupledLSTMParams` and the carry `LSTMState(h, c)`, each `[*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = coupled_lstm(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape, params.w_h.shape
    ((2, 5), (5, 15))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> CoupledLSTMParams:
        key_x, key_h, key_b = jax.random.split(key, 3)
        b = bias_init(key_b, (3 * hidden_size,), param_dtype)
        return CoupledLSTMParams(
            w_x=kernel_init(key_x, (in_size, 3 * hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, 3 * hidden_size), param_dtype),
            b=b.at[:hidden_size].add(forget_bias),
        )

    def zeros(batch_shape: tuple[int, ...], dtype: Any) -> LSTMState:
        shape = (*batch_shape, hidden_size)
        return LSTMState(h=jnp.zeros(shape, dtype), c=jnp.zeros(shape, dtype))

    def project(params: CoupledLSTMParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def pointwise(
        params: CoupledLSTMParams, carry: LSTMState, z: jax.Array, r: jax.Array
    ) -> tuple[LSTMState, jax.Array]:
        del params
        f, g, o = jnp.split(gate_activations(z + r, "sts"), 3, axis=-1)
        c = f * carry.c + (1 - f) * g
        h = o * jnp.tanh(c)
        return LSTMState(h, c), h

    parts = DenseParts(
        project, lambda carry: carry.h, lambda params: params.w_h, pointwise, additive=True
    )
    return dense(parts, init=init, zeros=zeros, in_size=in_size, out_size=hidden_size, dtype=dtype)
