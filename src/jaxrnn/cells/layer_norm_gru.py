"""Gated recurrent unit with layer normalization."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal, ones
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell, DenseParts
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate
from jaxrnn.cells.normalization import normalize


class LayerNormGRUParams(NamedTuple):
    """Parameters of `layer_norm_gru`; gates in the order r, z, n along the last axis."""

    w_x: jax.Array  # [D, 3H]
    w_h: jax.Array  # [H, 3H]
    b: jax.Array  # [3H]
    b_hn: jax.Array  # [H] bias inside the reset gate's product
    gain_x: jax.Array  # [3H]
    gain_h: jax.Array  # [3H]


def layer_norm_gru(
    in_size: int,
    hidden_size: int,
    *,
    epsilon: float = 1e-5,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    gain_init: Initializer = ones,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """GRU whose pre-activations are normalised over the units at each step.

        x_r, x_z, x_n = split(gain_x ⊙ LN(x_t W_x) + b)
        h_r, h_z, h_n = split(gain_h ⊙ LN(h_{t-1} W_h))
        n = tanh(x_n + σ(x_r + h_r) ⊙ (h_n + b_hn))
        h_t = (1 - σ(x_z + h_z)) ⊙ n + σ(x_z + h_z) ⊙ h_{t-1}
        y_t = h_t

    LN normalises the 2H pre-activations of the two gates together and the H of the candidate apart,
    as in the paper, where the reset gate acts after the matmul as well. The paper's z gates the new
    state; here, as in `gru`, it gates the old one. Of the biases that only add up, the sum is b.

    Source: Ba, Kiros, Hinton 2016, arXiv:1607.06450.

    Args:
      in_size: D.
      hidden_size: H.
      epsilon: added to the variance under the root.
      kernel_init: initialiser of `w_x [D, 3H]`.
      recurrent_init: initialiser of `w_h [H, 3H]`.
      bias_init: initialiser of `b [3H]` and `b_hn [H]`.
      gain_init: initialiser of `gain_x [3H]` and `gain_h [3H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `LayerNormGRUParams` and the carry `h [*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer, or epsilon is not positive.

    >>> cell = layer_norm_gru(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape
    (2, 5)
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)
    require(epsilon > 0, "epsilon", "be greater than 0", epsilon)

    def init(key: jax.Array) -> LayerNormGRUParams:
        key_x, key_h, key_b, key_bhn, *keys = jax.random.split(key, 6)
        return LayerNormGRUParams(
            w_x=kernel_init(key_x, (in_size, 3 * hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, 3 * hidden_size), param_dtype),
            b=bias_init(key_b, (3 * hidden_size,), param_dtype),
            b_hn=bias_init(key_bhn, (hidden_size,), param_dtype),
            gain_x=gain_init(keys[0], (3 * hidden_size,), param_dtype),
            gain_h=gain_init(keys[1], (3 * hidden_size,), param_dtype),
        )

    def normalized(a: jax.Array) -> jax.Array:
        gates, candidate = jnp.split(a, [2 * hidden_size], axis=-1)
        both = normalize(gates, epsilon), normalize(candidate, epsilon)
        return jnp.concatenate(both, axis=-1)

    def project(params: LayerNormGRUParams, x: jax.Array) -> jax.Array:
        return params.gain_x * normalized(x @ params.w_x) + params.b

    def pointwise(
        params: LayerNormGRUParams, carry: jax.Array, z: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        x_r, x_z, x_n = jnp.split(z, 3, axis=-1)
        h_r, h_z, h_n = jnp.split(params.gain_h * normalized(r), 3, axis=-1)
        update = jax.nn.sigmoid(x_z + h_z)
        candidate = jnp.tanh(x_n + jax.nn.sigmoid(x_r + h_r) * (h_n + params.b_hn))
        h = (1 - update) * candidate + update * carry
        return h, h

    parts = DenseParts(project, lambda h: h, lambda params: params.w_h, pointwise)
    return dense(parts, init=init, in_size=in_size, out_size=hidden_size, dtype=dtype)
