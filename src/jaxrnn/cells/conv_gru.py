"""Gated recurrent unit over images, with convolutions in the place of its matmuls."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.activations import gate_activations
from jaxrnn.cells.cell import Cell
from jaxrnn.cells.checks import require_size
from jaxrnn.cells.convolution import convolve, window_of
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate
from jaxrnn.cells.scanned import scanned


class ConvGRUParams(NamedTuple):
    """Parameters of `conv_gru`; gates in the order r, z, n along the last axis."""

    w_x: jax.Array  # [*K, D, 3H]
    w_h: jax.Array  # [*K, H, 3H]
    b: jax.Array  # [3H]


def conv_gru(
    spatial_shape: tuple[int, ...],
    in_channels: int,
    channels: int,
    kernel_size: int | tuple[int, ...],
    *,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Convolutional gated recurrent unit for sequences of images, reset before the convolution.

        r = σ(x_t ∗ W_xr + h_{t-1} ∗ W_hr + b_r)        ∗ a convolution
        z = σ(x_t ∗ W_xz + h_{t-1} ∗ W_hz + b_z)
        n = tanh(x_t ∗ W_xn + (r ⊙ h_{t-1}) ∗ W_hn + b_n)
        h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}
        y_t = h_t

    Both convolutions have "same" padding: outside of the image x and h are zero. It runs on the
    scan, because its recurrent product is a convolution and not a matmul.

    Source: Ballas, Yao, Pal, Courville 2016, arXiv:1511.06432 (their z is 1 - z here: ours gates
    the old state in every unit).

    Args:
      spatial_shape: S, the size of the image, such as (height, width).
      in_channels: D.
      channels: H, the channels of the state and the output.
      kernel_size: K, of both convolutions, in pixels: one size or one for each axis.
      kernel_init: initialiser of `w_x [*K, D, 3H]`.
      recurrent_init: initialiser of `w_h [*K, H, 3H]`.
      bias_init: initialiser of `b [3H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A `Cell` that takes x `[*B, *S, D]` and gives y `[*B, *S, H]`, with `ConvGRUParams` and the
      carry `h [*B, *S, H]`.

    Raises:
      ValueError: if a size is not a positive integer, or `kernel_size` does not fit the axes.

    >>> cell = conv_gru((10,), 3, 5, kernel_size=3)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 10, 3)))
    >>> y.shape
    (2, 10, 5)
    """
    require_size("in_channels", in_channels)
    require_size("channels", channels)
    window = window_of(spatial_shape, kernel_size)

    def init(key: jax.Array) -> ConvGRUParams:
        key_x, key_h, key_b = jax.random.split(key, 3)
        return ConvGRUParams(
            w_x=kernel_init(key_x, (*window, in_channels, 3 * channels), param_dtype),
            w_h=recurrent_init(key_h, (*window, channels, 3 * channels), param_dtype),
            b=bias_init(key_b, (3 * channels,), param_dtype),
        )

    def step(params: ConvGRUParams, h: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        x_gates, x_n = jnp.split(convolve(x, params.w_x) + params.b, [2 * channels], axis=-1)
        w_gates, w_n = jnp.split(params.w_h, [2 * channels], axis=-1)
        gates = gate_activations(x_gates + convolve(h, w_gates), "ss")
        r, z = jnp.split(gates, 2, axis=-1)
        n = jnp.tanh(x_n + convolve(r * h, w_n))
        h = (1 - z) * n + z * h
        return h, h

    return scanned(
        step,
        init=init,
        in_shape=(*spatial_shape, in_channels),
        out_shape=(*spatial_shape, channels),
        dtype=dtype,
    )
