"""Independently recurrent units: each sees of the past only itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal, uniform
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell, DenseParts
from jaxrnn.cells.checks import require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer


class IndRNNParams(NamedTuple):
    """Parameters of `indrnn`."""

    w_x: jax.Array  # [D, H]
    u: jax.Array  # [H] what each unit keeps of itself
    b: jax.Array  # [H]


def indrnn(
    in_size: int,
    hidden_size: int,
    *,
    activation: Callable[[jax.Array], jax.Array] = jax.nn.relu,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = uniform(1.0),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Independently recurrent network: units are mixed by the next layer, not by the next step.

        h_t = φ(x_t W_x + u ⊙ h_{t-1} + b)
        y_t = h_t

    A product of many steps is u^t for each unit, so with relu and |u| at most 2^{1/T} it does not
    explode within T steps; the bound is left to the optimiser (clip `params.u` after an update).

    Source: Li, Li, Cook, Zhu, Gao 2018, arXiv:1803.04831.

    Args:
      in_size: D.
      hidden_size: H.
      activation: φ, any elementwise function.
      kernel_init: initialiser of `w_x [D, H]`.
      recurrent_init: initialiser of `u [H]`; uniform on [0, 1) unless given.
      bias_init: initialiser of `b [H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `IndRNNParams` and the carry `h [*B, H]`. All of the recurrence is in
      the pointwise part; the recurrent kernel has no columns.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = indrnn(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape, params.u.shape
    ((2, 5), (5,))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> IndRNNParams:
        key_x, key_u, key_b = jax.random.split(key, 3)
        return IndRNNParams(
            w_x=kernel_init(key_x, (in_size, hidden_size), param_dtype),
            u=recurrent_init(key_u, (hidden_size,), param_dtype),
            b=bias_init(key_b, (hidden_size,), param_dtype),
        )

    def project(params: IndRNNParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def recurrent_kernel(params: IndRNNParams) -> jax.Array:
        return jnp.zeros((hidden_size, 0), params.u.dtype)

    def pointwise(
        params: IndRNNParams, carry: jax.Array, z: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        del r
        h = activation(z + params.u * carry)
        return h, h

    parts = DenseParts(project, lambda h: h, recurrent_kernel, pointwise)
    return dense(parts, init=init, in_size=in_size, out_size=hidden_size, dtype=dtype)
