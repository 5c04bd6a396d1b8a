"""The network of rectified linear units that starts as the identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.nn.initializers import normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell
from jaxrnn.cells.elman import elman
from jaxrnn.cells.initializers import Initializer, identity


def irnn(
    in_size: int,
    hidden_size: int,
    *,
    activation: Callable[[jax.Array], jax.Array] = jax.nn.relu,
    kernel_init: Initializer = normal(1e-3),
    recurrent_init: Initializer = identity(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """IRNN: an `elman` network with relu that begins by adding up its inputs.

        h_t = relu(x_t W_x + h_{t-1} W_h + b),   W_h = I, b = 0 at the start
        y_t = h_t

    Source: Le, Jaitly, Hinton 2015, arXiv:1504.00941, which draws W_x from a normal distribution
    with standard deviation 0.001; for tasks with short memory it scales the identity, which is
    `recurrent_init=initializers.identity(0.01)`.

    Args:
      in_size: D.
      hidden_size: H.
      activation: φ in the place of relu, any elementwise function.
      kernel_init: initialiser of `w_x [D, H]`.
      recurrent_init: initialiser of `w_h [H, H]`.
      bias_init: initialiser of `b [H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `ElmanParams` and the carry `h [*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = irnn(2, 2, kernel_init=identity())
    >>> params = cell.init(jax.random.key(0))
    >>> carry, _ = cell.step(params, jax.numpy.ones(2), jax.numpy.array([0.5, -3.0]))
    >>> carry.tolist()
    [1.5, 0.0]
    """
    return elman(
        in_size,
        hidden_size,
        activation=activation,
        kernel_init=kernel_init,
        recurrent_init=recurrent_init,
        bias_init=bias_init,
        dtype=dtype,
        param_dtype=param_dtype,
    )
