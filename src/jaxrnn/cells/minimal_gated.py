"""Minimal gated unit."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell, DenseParts
from jaxrnn.cells.checks import require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate


class MinimalGatedParams(NamedTuple):
    """Parameters of `minimal_gated`; gates in the order f, n along the last axis."""

    w_x: jax.Array  # [D, 2H]
    w_h: jax.Array  # [H, 2H]
    b: jax.Array  # [2H]
    b_hn: jax.Array  # [H] bias inside the forget gate's product


def minimal_gated(
    in_size: int,
    hidden_size: int,
    *,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Minimal gated unit: a GRU whose two gates are one, applied after the matmul.

        f = σ(x_t W_xf + h_{t-1} W_hf + b_f)
        n = tanh(x_t W_xn + b_n + f ⊙ (h_{t-1} W_hn + b_hn))
        h_t = (1 - f) ⊙ h_{t-1} + f ⊙ n
        y_t = h_t

    The paper gates before the matmul, n = tanh(x_t W_xn + (f ⊙ h_{t-1}) W_hn + b_n), which takes a
    second product between two steps; here, as in `gru`, there is one. f gates the new state, as in
    the paper.

    Source: Zhou, Wu, Zhang, Zhou 2016, arXiv:1603.09420.

    Args:
      in_size: D.
      hidden_size: H.
      kernel_init: initialiser of `w_x [D, 2H]`.
      recurrent_init: initialiser of `w_h [H, 2H]`.
      bias_init: initialiser of `b [2H]` and `b_hn [H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `MinimalGatedParams` and the carry `h [*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = minimal_gated(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape, params.w_h.shape
    ((2, 5), (5, 10))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> MinimalGatedParams:
        key_x, key_h, key_b, key_bhn = jax.random.split(key, 4)
        return MinimalGatedParams(
            w_x=kernel_init(key_x, (in_size, 2 * hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, 2 * hidden_size), param_dtype),
            b=bias_init(key_b, (2 * hidden_size,), param_dtype),
            b_hn=bias_init(key_bhn, (hidden_size,), param_dtype),
        )

    def project(params: MinimalGatedParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def pointwise(
        params: MinimalGatedParams, carry: jax.Array, z: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        (z_f, z_n), (r_f, r_n) = (jnp.split(each, 2, axis=-1) for each in (z, r))
        f = jax.nn.sigmoid(z_f + r_f)
        n = jnp.tanh(z_n + f * (r_n + params.b_hn))
        h = (1 - f) * carry + f * n
        return h, h

    parts = DenseParts(project, lambda h: h, lambda params: params.w_h, pointwise)
    return dense(parts, init=init, in_size=in_size, out_size=hidden_size, dtype=dtype)
