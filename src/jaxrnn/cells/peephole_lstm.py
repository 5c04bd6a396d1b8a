"""Long short-term memory whose gates see the cell state."""

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


class PeepholeLSTMParams(NamedTuple):
    """Parameters of `peephole_lstm`; gates in the order i, f, g, o along the last axis."""

    w_x: jax.Array  # [D, 4H]
    w_h: jax.Array  # [H, 4H]
    b: jax.Array  # [4H]
    p: jax.Array  # [3H] peepholes of i, f, o, each a diagonal


def peephole_lstm(
    in_size: int,
    hidden_size: int,
    *,
    forget_bias: float = 1.0,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    peephole_init: Initializer = zeros_init,
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """LSTM with peepholes: its gates see the cell state even while the output gate is closed.

        i, f, g, o = split(x_t W_x + h_{t-1} W_h + b)
        c_t = σ(f + p_f ⊙ c_{t-1}) ⊙ c_{t-1} + σ(i + p_i ⊙ c_{t-1}) ⊙ tanh(g)
        h_t = σ(o + p_o ⊙ c_t) ⊙ tanh(c_t)
        y_t = h_t

    Source: Gers, Schmidhuber 2000, doi:10.1109/IJCNN.2000.861302; in this form Graves 2013,
    arXiv:1308.0850.

    Args:
      in_size: D.
      hidden_size: H.
      forget_bias: added to the initial bias of the forget gate, as in `lstm`.
      kernel_init: initialiser of `w_x [D, 4H]`.
      recurrent_init: initialiser of `w_h [H, 4H]`.
      peephole_init: initialiser of `p [3H]`; from zeros the cell starts as an `lstm`.
      bias_init: initialiser of `b [4H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `PeepholeLSTMParams` and the carry `LSTMState(h, c)`, each `[*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = peephole_lstm(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape, carry.c.shape, params.p.shape
    ((2, 5), (2, 5), (15,))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> PeepholeLSTMParams:
        key_x, key_h, key_p, key_b = jax.random.split(key, 4)
        b = bias_init(key_b, (4 * hidden_size,), param_dtype)
        return PeepholeLSTMParams(
            w_x=kernel_init(key_x, (in_size, 4 * hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, 4 * hidden_size), param_dtype),
            b=b.at[hidden_size : 2 * hidden_size].add(forget_bias),
            p=peephole_init(key_p, (3 * hidden_size,), param_dtype),
        )

    def zeros(batch_shape: tuple[int, ...], dtype: Any) -> LSTMState:
        shape = (*batch_shape, hidden_size)
        return LSTMState(h=jnp.zeros(shape, dtype), c=jnp.zeros(shape, dtype))

    def project(params: PeepholeLSTMParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def pointwise(
        params: PeepholeLSTMParams, carry: LSTMState, z: jax.Array, r: jax.Array
    ) -> tuple[LSTMState, jax.Array]:
        gates, o = jnp.split(z + r, [3 * hidden_size], axis=-1)
        p_i, p_f, p_o = jnp.split(params.p, 3)
        seen = [p_i * carry.c, p_f * carry.c, jnp.zeros_like(carry.c)]
        i, f, g = jnp.split(
            gate_activations(gates + jnp.concatenate(seen, axis=-1), "sst"), 3, axis=-1
        )
        c = f * carry.c + i * g
        h = jax.nn.sigmoid(o + p_o * c) * jnp.tanh(c)
        return LSTMState(h, c), h

    parts = DenseParts(
        project, lambda carry: carry.h, lambda params: params.w_h, pointwise, additive=True
    )
    return dense(parts, init=init, zeros=zeros, in_size=in_size, out_size=hidden_size, dtype=dtype)
