"""Long short-term memory whose hidden state is a projection to fewer numbers."""

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


class ProjectedLSTMParams(NamedTuple):
    """Parameters of `projected_lstm`; gates in the order i, f, g, o along the last axis."""

    w_x: jax.Array  # [D, 4H]
    w_h: jax.Array  # [P, 4H]
    b: jax.Array  # [4H]
    w_p: jax.Array  # [H, P] projection


def projected_lstm(
    in_size: int,
    hidden_size: int,
    projection_size: int,
    *,
    forget_bias: float = 1.0,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(gates=4),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Long short-term memory with a recurrent projection (LSTMP; `proj_size` of PyTorch).

        i, f, g, o = split(x_t W_x + h_{t-1} W_h + b)
        c_t = σ(f) ⊙ c_{t-1} + σ(i) ⊙ tanh(g)
        h_t = (σ(o) ⊙ tanh(c_t)) W_p
        y_t = h_t

    With P < H the recurrent kernel is `[P, 4H]` instead of `[H, 4H]`, so the same number of
    parameters has more memory cells. It runs on the scan, because the projection is a second matmul
    between one step and the next.

    Source: Sak, Senior, Beaufays 2014, arXiv:1402.1128; without its peepholes and its second
    projection, which goes to the output only.

    Args:
      in_size: D.
      hidden_size: H, the number of memory cells.
      projection_size: P, the size of h and of the output.
      forget_bias: added to the initial bias of the forget gate, as in `lstm`.
      kernel_init: initialiser of `w_x [D, 4H]` and `w_p [H, P]`.
      recurrent_init: initialiser of `w_h [P, 4H]`.
      bias_init: initialiser of `b [4H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A `Cell` with `ProjectedLSTMParams` and the carry `LSTMState(h [*B, P], c [*B, H])`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = projected_lstm(3, 5, 2)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((4,)), jnp.ones((4, 3)))
    >>> y.shape, carry.c.shape
    ((4, 2), (4, 5))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)
    require_size("projection_size", projection_size)

    def init(key: jax.Array) -> ProjectedLSTMParams:
        key_x, key_h, key_b, key_p = jax.random.split(key, 4)
        b = bias_init(key_b, (4 * hidden_size,), param_dtype)
        return ProjectedLSTMParams(
            w_x=kernel_init(key_x, (in_size, 4 * hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (projection_size, 4 * hidden_size), param_dtype),
            b=b.at[hidden_size : 2 * hidden_size].add(forget_bias),
            w_p=kernel_init(key_p, (hidden_size, projection_size), param_dtype),
        )

    def zeros(batch_shape: tuple[int, ...], dtype: Any) -> LSTMState:
        h, c = ((*batch_shape, size) for size in (projection_size, hidden_size))
        return LSTMState(h=jnp.zeros(h, dtype), c=jnp.zeros(c, dtype))

    def step(
        params: ProjectedLSTMParams, carry: LSTMState, x: jax.Array
    ) -> tuple[LSTMState, jax.Array]:
        z = x @ params.w_x + params.b
        gates = gate_activations(z + recurrent_product(carry.h, params.w_h, x.dtype), "ssts")
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        c = f * carry.c + i * g
        h = recurrent_product(o * jnp.tanh(c), params.w_p, x.dtype)
        return LSTMState(h, c), h

    return scanned(
        step, init=init, zeros=zeros, in_shape=(in_size,), out_shape=(projection_size,), dtype=dtype
    )
