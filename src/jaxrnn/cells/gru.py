"""Gated recurrent unit."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.activations import gates_of, squashed
from jaxrnn.cells.cell import Cell, DenseParts, PointwiseVJP
from jaxrnn.cells.checks import require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate


class GRUParams(NamedTuple):
    """Parameters of `gru`; gates in the order r, z, n along the last axis."""

    w_x: jax.Array  # [D, 3H]
    w_h: jax.Array  # [H, 3H]
    b: jax.Array  # [3H]
    b_hn: jax.Array  # [H] bias inside the reset gate's product


def gru(
    in_size: int,
    hidden_size: int,
    *,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Gated recurrent unit, reset gate after the matmul (the form of cuDNN and PyTorch).

        r = σ(x_t W_xr + h_{t-1} W_hr + b_r)
        z = σ(x_t W_xz + h_{t-1} W_hz + b_z)
        n = tanh(x_t W_xn + b_n + r ⊙ (h_{t-1} W_hn + b_hn))
        h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}
        y_t = h_t

    Source: Cho et al. 2014, arXiv:1406.1078v1, where the reset gate acts after the matmul; z gates
    the old state, as there.

    Args:
      in_size: D.
      hidden_size: H.
      kernel_init: initialiser of `w_x [D, 3H]`.
      recurrent_init: initialiser of `w_h [H, 3H]`.
      bias_init: initialiser of `b [3H]` and `b_hn [H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `GRUParams` and the carry `h [*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = gru(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape
    (2, 5)
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> GRUParams:
        key_x, key_h, key_b, key_bhn = jax.random.split(key, 4)
        return GRUParams(
            w_x=kernel_init(key_x, (in_size, 3 * hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, 3 * hidden_size), param_dtype),
            b=bias_init(key_b, (3 * hidden_size,), param_dtype),
            b_hn=bias_init(key_bhn, (hidden_size,), param_dtype),
        )

    def project(params: GRUParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def forward(
        params: GRUParams, carry: jax.Array, z: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array, tuple[jax.Array, jax.Array]]:
        (z_r, z_u, z_n), (r_r, r_u, r_n) = (jnp.split(each, 3, axis=-1) for each in (z, r))
        saved = [squashed(z_r + r_r, "s"), squashed(z_u + r_u, "s")]
        (reset,), (update,) = (gates_of(each, "s") for each in saved)
        inner = r_n + params.b_hn
        candidate = jnp.tanh(z_n + reset * inner)
        h = (1 - update) * candidate + update * carry
        return h, h, (jnp.concatenate([*saved, candidate], axis=-1), inner)

    def backward(
        params: GRUParams,
        saved: tuple[jax.Array, jax.Array],
        carry: jax.Array,
        d_carry: jax.Array,
        d_y: jax.Array,
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        del params
        gates, inner = saved
        reset, update, candidate = gates_of(gates, "sst")
        d_h = d_carry + d_y
        d_n = d_h * (1 - update) * (1 - candidate**2)
        d_reset = d_n * inner * reset * (1 - reset)
        d_update = d_h * (carry - candidate) * update * (1 - update)
        d_z = jnp.concatenate([d_reset, d_update, d_n], axis=-1)
        d_r = jnp.concatenate([d_reset, d_update, d_n * reset], axis=-1)
        return d_h * update, d_z, d_r

    def parameters(
        params: GRUParams, carry: jax.Array, d_z: jax.Array, d_r: jax.Array
    ) -> GRUParams:
        del carry, d_z
        zeros = jax.tree.map(jnp.zeros_like, params)
        steps = tuple(range(d_r.ndim - 1))
        return zeros._replace(b_hn=d_r[..., 2 * hidden_size :].sum(steps))

    parts = DenseParts(
        project,
        hidden=lambda carry: carry,
        recurrent_kernel=lambda params: params.w_h,
        pointwise=lambda *given: forward(*given)[:2],
        pointwise_vjp=PointwiseVJP(forward, backward, parameters),
    )
    return dense(parts, init=init, in_size=in_size, out_size=hidden_size, dtype=dtype)
