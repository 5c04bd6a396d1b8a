"""Long short-term memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.activations import gates_of, squashed
from jaxrnn.cells.cell import Cell, DenseParts, PointwiseVJP
from jaxrnn.cells.checks import require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate


class LSTMParams(NamedTuple):
    """Parameters of `lstm`; gates in the order i, f, g, o along the last axis."""

    w_x: jax.Array  # [D, 4H]
    w_h: jax.Array  # [H, 4H]
    b: jax.Array  # [4H]


class LSTMState(NamedTuple):
    """Carry of `lstm`."""

    h: jax.Array  # [*B, H] hidden state, also the output
    c: jax.Array  # [*B, H] cell state


def lstm(
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
    """Long short-term memory with a forget gate, without peepholes.

        i, f, g, o = split(x_t W_x + h_{t-1} W_h + b)
        c_t = σ(f) ⊙ c_{t-1} + σ(i) ⊙ tanh(g)
        h_t = σ(o) ⊙ tanh(c_t)
        y_t = h_t

    Source: Hochreiter, Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; forget gate from Gers,
    Schmidhuber, Cummins 2000, doi:10.1162/089976600300015015; its bias of 1 from Jozefowicz,
    Zaremba, Sutskever 2015.

    Args:
      in_size: D.
      hidden_size: H.
      forget_bias: added to the initial bias of the forget gate (not to the formula), so that the
        cell remembers until it learns to forget.
      kernel_init: initialiser of `w_x [D, 4H]`.
      recurrent_init: initialiser of `w_h [H, 4H]`.
      bias_init: initialiser of `b [4H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `LSTMParams` and the carry `LSTMState(h, c)`, each `[*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = lstm(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape, carry.c.shape
    ((2, 5), (2, 5))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> LSTMParams:
        key_x, key_h, key_b = jax.random.split(key, 3)
        b = bias_init(key_b, (4 * hidden_size,), param_dtype)
        return LSTMParams(
            w_x=kernel_init(key_x, (in_size, 4 * hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, 4 * hidden_size), param_dtype),
            b=b.at[hidden_size : 2 * hidden_size].add(forget_bias),
        )

    def zeros(batch_shape: tuple[int, ...], dtype: Any) -> LSTMState:
        shape = (*batch_shape, hidden_size)
        return LSTMState(h=jnp.zeros(shape, dtype), c=jnp.zeros(shape, dtype))

    def project(params: LSTMParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def forward(
        params: LSTMParams, carry: LSTMState, z: jax.Array, r: jax.Array
    ) -> tuple[LSTMState, jax.Array, jax.Array]:
        del params
        saved = squashed(z + r, "ssts")
        i, f, g, o = gates_of(saved, "ssts")
        c = f * carry.c + i * g
        h = o * jnp.tanh(c)
        return LSTMState(h, c), h, saved

    def backward(
        params: LSTMParams, saved: jax.Array, carry: LSTMState, d_carry: LSTMState, d_y: jax.Array
    ) -> tuple[LSTMState, jax.Array, jax.Array]:
        del params
        i, f, g, o = gates_of(saved, "ssts")
        tanh_c = jnp.tanh(f * carry.c + i * g)
        d_h = d_carry.h + d_y
        d_c = d_carry.c + d_h * o * (1 - tanh_c**2)
        d_i, d_f = d_c * g * i * (1 - i), d_c * carry.c * f * (1 - f)
        d_g, d_o = d_c * i * (1 - g**2), d_h * tanh_c * o * (1 - o)
        d_gates = jnp.concatenate([d_i, d_f, d_g, d_o], axis=-1)
        return LSTMState(None, d_c * f), d_gates, d_gates  # type: ignore

    parts = DenseParts(
        project,
        hidden=lambda carry: carry.h,
        recurrent_kernel=lambda params: params.w_h,
        pointwise=lambda *given: forward(*given)[:2],
        additive=True,
        pointwise_vjp=PointwiseVJP(forward, backward),
    )
    return dense(parts, init=init, zeros=zeros, in_size=in_size, out_size=hidden_size, dtype=dtype)
