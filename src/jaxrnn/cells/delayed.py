"""Recurrence with longer delays: connections that skip steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell, DenseParts
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate


class DelayedParams(NamedTuple):
    """Parameters of `delayed`; n delays, their kernels one under the other."""

    w_x: jax.Array  # [D, H]
    w_h: jax.Array  # [nH, H]
    b: jax.Array  # [H]


def delayed(
    in_size: int,
    hidden_size: int,
    *,
    delays: Sequence[int] = (1, 4),
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Simple recurrent network with several delays, so that gradients have shorter ways back.

        h_t = φ(x_t W_x + Σ_k h_{t-d_k} W_k + b)
        y_t = h_t

    Over T steps the shortest way back is T / max(d) products instead of T. The carry is the history
    of L = max(d) states, and an engine that keeps the carry of every step keeps L times what it
    keeps of `elman`; `backend=Chunked(keep="borders")` keeps that of one step in each chunk.

    Source: Lin, Horne, Tiňo, Giles 1996, doi:10.1109/72.548162 (NARX networks); El Hihi, Bengio
    1995, "Hierarchical recurrent neural networks for long-term dependencies".

    Args:
      in_size: D.
      hidden_size: H.
      delays: d_k, in steps, increasing.
      activation: φ, any elementwise function.
      kernel_init: initialiser of `w_x [D, H]`.
      recurrent_init: initialiser of each of the n blocks `[H, H]` of `w_h [nH, H]`.
      bias_init: initialiser of `b [H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `DelayedParams` and the carry `[*B, L, H]`, the last state first.

    Raises:
      ValueError: if a size or a delay is not a positive integer, or the delays do not increase.

    >>> cell = delayed(3, 5, delays=(1, 4))
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape, carry.shape, params.w_h.shape
    ((2, 5), (2, 4, 5), (10, 5))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)
    for delay in delays:
        require_size("delays", delay)
    increase = list(delays) == sorted(set(delays)) and len(delays) > 0
    require(increase, "delays", "increase", tuple(delays))

    def init(key: jax.Array) -> DelayedParams:
        key_x, key_h, key_b = jax.random.split(key, 3)
        shape = (hidden_size, hidden_size)
        blocks = [
            recurrent_init(k, shape, param_dtype) for k in jax.random.split(key_h, len(delays))
        ]
        return DelayedParams(
            w_x=kernel_init(key_x, (in_size, hidden_size), param_dtype),
            w_h=jnp.concatenate(blocks),
            b=bias_init(key_b, (hidden_size,), param_dtype),
        )

    def zeros(batch_shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.zeros((*batch_shape, delays[-1], hidden_size), dtype)

    def project(params: DelayedParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def hidden(carry: jax.Array) -> jax.Array:
        return jnp.concatenate([carry[..., delay - 1, :] for delay in delays], axis=-1)

    def pointwise(
        params: DelayedParams, carry: jax.Array, z: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        del params
        h = activation(z + r)
        return jnp.concatenate([h[..., None, :], carry[..., :-1, :]], axis=-2), h

    parts = DenseParts(project, hidden, lambda params: params.w_h, pointwise, additive=True)
    return dense(parts, init=init, zeros=zeros, in_size=in_size, out_size=hidden_size, dtype=dtype)
