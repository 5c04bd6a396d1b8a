"""The simple recurrent network of Elman."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell, DenseParts
from jaxrnn.cells.checks import require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate


class ElmanParams(NamedTuple):
    """Parameters of `elman`."""

    w_x: jax.Array  # [D, H]
    w_h: jax.Array  # [H, H]
    b: jax.Array  # [H]


def elman(
    in_size: int,
    hidden_size: int,
    *,
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Elman network, the plain recurrent unit.

        h_t = φ(x_t W_x + h_{t-1} W_h + b)
        y_t = h_t

    Source: Elman 1990, "Finding structure in time", doi:10.1207/s15516709cog1402_1. With
    `activation=jax.nn.relu` and `recurrent_init=initializers.identity()` it is the IRNN of Le,
    Jaitly, Hinton 2015, arXiv:1504.00941.

    Args:
      in_size: D.
      hidden_size: H.
      activation: φ, any elementwise function.
      kernel_init: initialiser of `w_x [D, H]`.
      recurrent_init: initialiser of `w_h [H, H]`.
      bias_init: initialiser of `b [H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `ElmanParams` and the carry `h [*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = elman(3, 5, activation=jax.nn.relu)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape
    (2, 5)
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> ElmanParams:
        key_x, key_h, key_b = jax.random.split(key, 3)
        return ElmanParams(
            w_x=kernel_init(key_x, (in_size, hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, hidden_size), param_dtype),
            b=bias_init(key_b, (hidden_size,), param_dtype),
        )

    def project(params: ElmanParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def pointwise(
        params: ElmanParams, carry: jax.Array, z: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        del params, carry
        h = activation(z + r)
        return h, h

    parts = DenseParts(project, lambda h: h, lambda params: params.w_h, pointwise, additive=True)
    return dense(parts, init=init, in_size=in_size, out_size=hidden_size, dtype=dtype)
