"""Minimal GRU: gates that do not see the past."""

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


class MinGRUParams(NamedTuple):
    """Parameters of `min_gru`; gates in the order z, n along the last axis."""

    w_x: jax.Array  # [D, 2H]
    b: jax.Array  # [2H]


def min_gru(
    in_size: int,
    hidden_size: int,
    *,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Minimal GRU: a moving average of projections of the input, at a rate that the input decides.

        z, n = split(x_t W_x + b)
        h_t = (1 - σ(z)) ⊙ h_{t-1} + σ(z) ⊙ n
        y_t = h_t

    The state enters linearly and unit by unit, so there is no product between two steps, and
    nothing explodes. Here z gates the new state, as in the paper, and not the old one as in `gru`.
    The paper's appendix has another form, whose n is positive, for sums in the log domain.

    Source: Feng, Tung, Ahmed, Bengio, Hajimirsadeghi 2024, arXiv:2410.01201, section 3.1.

    Args:
      in_size: D.
      hidden_size: H.
      kernel_init: initialiser of `w_x [D, 2H]`.
      bias_init: initialiser of `b [2H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `MinGRUParams` and the carry `h [*B, H]`. The recurrent kernel has no
      columns.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = min_gru(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape, params.w_x.shape
    ((2, 5), (3, 10))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> MinGRUParams:
        key_x, key_b = jax.random.split(key)
        return MinGRUParams(
            w_x=kernel_init(key_x, (in_size, 2 * hidden_size), param_dtype),
            b=bias_init(key_b, (2 * hidden_size,), param_dtype),
        )

    def project(params: MinGRUParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def recurrent_kernel(params: MinGRUParams) -> jax.Array:
        return jnp.zeros((hidden_size, 0), params.w_x.dtype)

    def pointwise(
        params: MinGRUParams, carry: jax.Array, z: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        del params, r
        gate, n = jnp.split(z, 2, axis=-1)
        rate = jax.nn.sigmoid(gate)
        h = (1 - rate) * carry + rate * n
        return h, h

    parts = DenseParts(project, lambda h: h, recurrent_kernel, pointwise)
    return dense(parts, init=init, in_size=in_size, out_size=hidden_size, dtype=dtype)
