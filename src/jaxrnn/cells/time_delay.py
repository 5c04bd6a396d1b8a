"""The time-delay neural network: a layer that sees the last few inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell
from jaxrnn.cells.checks import require_size
from jaxrnn.cells.initializers import Initializer
from jaxrnn.cells.rules import recurrent_product
from jaxrnn.cells.scanned import scanned


class TimeDelayParams(NamedTuple):
    """Parameters of `time_delay`; K is the number of taps."""

    w_x: jax.Array  # [K, D, H] w_x[k] multiplies the input of k steps ago
    b: jax.Array  # [H]


def time_delay(
    in_size: int,
    hidden_size: int,
    taps: int,
    *,
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Time-delay layer: a causal convolution over time that can be run one step at a time.

        h_t = φ(Σ_{k=0}^{K-1} x_{t-k} W_k + b)
        y_t = h_t

    The carry is the window of the last K - 1 inputs, the latest first, so an utterance that comes
    in pieces gives what the whole would. It runs on the scan: nothing of the output comes back, and
    a window of inputs has no recurrent matmul for an engine to take out of the loop.

    Source: Waibel, Hanazawa, Hinton, Shikano, Lang 1989, doi:10.1109/29.21701.

    Args:
      in_size: D.
      hidden_size: H.
      taps: K, how many inputs are seen, the present one included, in steps.
      activation: φ, any elementwise function.
      kernel_init: initialiser of `w_x`, called with the shape `[K * D, H]`.
      bias_init: initialiser of `b [H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A `Cell` with `TimeDelayParams` and the carry `[*B, K - 1, D]`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = time_delay(3, 5, taps=4)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape, carry.shape
    ((2, 5), (2, 3, 3))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)
    require_size("taps", taps)

    def init(key: jax.Array) -> TimeDelayParams:
        key_x, key_b = jax.random.split(key)
        w_x = kernel_init(key_x, (taps * in_size, hidden_size), param_dtype)
        return TimeDelayParams(
            w_x=w_x.reshape(taps, in_size, hidden_size),
            b=bias_init(key_b, (hidden_size,), param_dtype),
        )

    def zeros(batch_shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.zeros((*batch_shape, taps - 1, in_size), dtype)

    def step(params: TimeDelayParams, past: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        wider = jnp.promote_types(past.dtype, x.dtype)
        window = jnp.concatenate([x[..., None, :], past], axis=-2, dtype=wider)
        flat = window.reshape(*x.shape[:-1], taps * in_size)
        kernel = params.w_x.reshape(taps * in_size, hidden_size)
        h = activation(recurrent_product(flat, kernel, x.dtype) + params.b)
        return window[..., : taps - 1, :], h

    return scanned(
        step, init=init, zeros=zeros, in_shape=(in_size,), out_shape=(hidden_size,), dtype=dtype
    )
