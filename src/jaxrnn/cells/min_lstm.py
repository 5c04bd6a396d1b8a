"""Minimal LSTM: gates that do not see the past."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell, DenseParts
from jaxrnn.cells.checks import require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer


class MinLSTMParams(NamedTuple):
    """Parameters of `min_lstm`; gates in the order i, f, g along the last axis."""

    w_x: jax.Array  # [D, 3H]
    b: jax.Array  # [3H]


def min_lstm(
    in_size: int,
    hidden_size: int,
    *,
    forget_bias: float = 1.0,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Minimal LSTM: input and forget gate share one whole, and neither sees the past.

        i, f, g = split(x_t W_x + b)
        h_t = (σ(f) ⊙ h_{t-1} + σ(i) ⊙ g) / (σ(f) + σ(i))
        y_t = h_t

    The state enters linearly and unit by unit, so there is no product between two steps, and
    nothing explodes.

    Source: Feng, Tung, Ahmed, Bengio, Hajimirsadeghi 2024, arXiv:2410.01201, section 3.2.

    Args:
      in_size: D.
      hidden_size: H.
      forget_bias: added to the initial bias of the forget gate (not to the formula), so that the
        cell remembers until it learns to forget; the paper finds that this speeds training up.
      kernel_init: initialiser of `w_x [D, 3H]`.
      bias_init: initialiser of `b [3H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `MinLSTMParams` and the carry `h [*B, H]`. The recurrent kernel has no
      columns.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = min_lstm(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape, params.w_x.shape
    ((2, 5), (3, 15))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> MinLSTMParams:
        key_x, key_b = jax.random.split(key)
        b = bias_init(key_b, (3 * hidden_size,), param_dtype)
        return MinLSTMParams(
            w_x=kernel_init(key_x, (in_size, 3 * hidden_size), param_dtype),
            b=b.at[hidden_size : 2 * hidden_size].add(forget_bias),
        )

    def project(params: MinLSTMParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def recurrent_kernel(params: MinLSTMParams) -> jax.Array:
        return jnp.zeros((hidden_size, 0), params.w_x.dtype)

    def pointwise(
        params: MinLSTMParams, carry: jax.Array, z: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        del params, r
        i, f, g = jnp.split(z, 3, axis=-1)
        # σ(f) / (σ(f) + σ(i)), which stays exact where both gates are too small for a float.
        kept = jax.nn.sigmoid(jax.nn.softplus(-i) - jax.nn.softplus(-f))
        h = kept * carry + (1 - kept) * g
        return h, h

    parts = DenseParts(project, lambda h: h, recurrent_kernel, pointwise)
    return dense(parts, init=init, in_size=in_size, out_size=hidden_size, dtype=dtype)
