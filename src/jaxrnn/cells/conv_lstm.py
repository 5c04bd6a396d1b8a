"""Long short-term memory over images, with convolutions in the place of its matmuls."""

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
from jaxrnn.cells.lstm import LSTMState
from jaxrnn.cells.scanned import scanned


class ConvLSTMParams(NamedTuple):
    """Parameters of `conv_lstm`; gates in the order i, f, g, o along the last axis."""

    w_x: jax.Array  # [*K, D, 4H]
    w_h: jax.Array  # [*K, H, 4H]
    b: jax.Array  # [4H]


def conv_lstm(
    spatial_shape: tuple[int, ...],
    in_channels: int,
    channels: int,
    kernel_size: int | tuple[int, ...],
    *,
    forget_bias: float = 1.0,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Convolutional LSTM for sequences of images (or of anything on a grid of 1 to 3 axes).

        i, f, g, o = split(x_t ∗ W_x + h_{t-1} ∗ W_h + b)        ∗ a convolution
        c_t = σ(f) ⊙ c_{t-1} + σ(i) ⊙ tanh(g)
        h_t = σ(o) ⊙ tanh(c_t)
        y_t = h_t

    Both convolutions have "same" padding: outside of the image x and h are zero. The peepholes of
    the paper are left out, as in `lstm` (and in Keras). It runs on the scan, because its recurrent
    product is a convolution and not a matmul.

    Source: Shi et al. 2015, arXiv:1506.04214.

    Args:
      spatial_shape: S, the size of the image, such as (height, width).
      in_channels: D.
      channels: H, the channels of the state and the output.
      kernel_size: K, of both convolutions, in pixels: one size or one for each axis.
      forget_bias: added to the initial bias of the forget gate, as in `lstm`.
      kernel_init: initialiser of `w_x [*K, D, 4H]`.
      recurrent_init: initialiser of `w_h [*K, H, 4H]`.
      bias_init: initialiser of `b [4H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A `Cell` that takes x `[*B, *S, D]` and gives y `[*B, *S, H]`, with `ConvLSTMParams` and the
      carry `LSTMState(h, c)`, each `[*B, *S, H]`.

    Raises:
      ValueError: if a size is not a positive integer, or `kernel_size` does not fit the axes.

    >>> cell = conv_lstm((8, 6), 3, 5, kernel_size=3)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 8, 6, 3)))
    >>> y.shape
    (2, 8, 6, 5)
    """
    require_size("in_channels", in_channels)
    require_size("channels", channels)
    window = window_of(spatial_shape, kernel_size)
    in_shape, out_shape = (*spatial_shape, in_channels), (*spatial_shape, channels)

    def init(key: jax.Array) -> ConvLSTMParams:
        key_x, key_h, key_b = jax.random.split(key, 3)
        b = bias_init(key_b, (4 * channels,), param_dtype)
        return ConvLSTMParams(
            w_x=kernel_init(key_x, (*window, in_channels, 4 * channels), param_dtype),
            w_h=recurrent_init(key_h, (*window, channels, 4 * channels), param_dtype),
            b=b.at[channels : 2 * channels].add(forget_bias),
        )

    def zeros(batch_shape: tuple[int, ...], dtype: Any) -> LSTMState:
        shape = (*batch_shape, *out_shape)
        return LSTMState(h=jnp.zeros(shape, dtype), c=jnp.zeros(shape, dtype))

    def step(params: ConvLSTMParams, carry: LSTMState, x: jax.Array) -> tuple[LSTMState, jax.Array]:
        z = convolve(x, params.w_x) + params.b
        gates = gate_activations(z + convolve(carry.h, params.w_h), "ssts")
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        c = f * carry.c + i * g
        h = o * jnp.tanh(c)
        return LSTMState(h, c), h

    return scanned(
        step, init=init, zeros=zeros, in_shape=in_shape, out_shape=out_shape, dtype=dtype
    )
