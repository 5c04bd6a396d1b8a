"""Clockwork network: groups of units that run at different speeds."""

from __future__ import annotations

import math
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


class ClockworkParams(NamedTuple):
    """Parameters of `clockwork`."""

    w_x: jax.Array  # [D, H]
    w_h: jax.Array  # [H, H]; what goes from a faster to a slower group is not used
    b: jax.Array  # [H]


class ClockworkState(NamedTuple):
    """Carry of `clockwork`."""

    h: jax.Array  # [*B, H] hidden state, also the output
    t: jax.Array  # [*B] steps so far, modulo the least common multiple of the periods


def clockwork(
    in_size: int,
    hidden_size: int,
    *,
    periods: Sequence[int] = (1, 2, 4, 8),
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Clockwork RNN: group k of the units runs every T_k steps and keeps its state between.

        h_t^k = φ(x_t W_x + h_{t-1} W_h + b)^k   if t mod T_k = 0
        h_t^k = h_{t-1}^k                        otherwise
        y_t = h_t

    W_h leads from slower groups to faster ones and within a group, never from faster to slower. The
    first step has t = 0, so all groups run at it. All units are computed at every step, so this
    form saves gradients their way, not work.

    Source: Koutník, Greff, Gomez, Schmidhuber 2014, arXiv:1402.3511.

    Args:
      in_size: D.
      hidden_size: H, the same number of units for each period.
      periods: T_1 < T_2 < ..., in steps.
      activation: φ, any elementwise function.
      kernel_init: initialiser of `w_x [D, H]`.
      recurrent_init: initialiser of `w_h [H, H]`.
      bias_init: initialiser of `b [H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `ClockworkParams` and the carry `ClockworkState(h [*B, H], t [*B])`.

    Raises:
      ValueError: if a size or a period is not a positive integer, the periods do not increase or do
        not divide H, or the dtype of a carry cannot count to their least common multiple (bfloat16
        counts to 256).

    >>> cell = clockwork(3, 4, periods=(1, 3))
    >>> params = cell.init(jax.random.key(0))
    >>> cell.dense.recurrent_kernel(params)[:2, 2:].tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)
    of_units = _period_of_each_unit(periods, hidden_size)
    cycle = math.lcm(*of_units)

    def init(key: jax.Array) -> ClockworkParams:
        key_x, key_h, key_b = jax.random.split(key, 3)
        return ClockworkParams(
            w_x=kernel_init(key_x, (in_size, hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, hidden_size), param_dtype),
            b=bias_init(key_b, (hidden_size,), param_dtype),
        )

    def zeros(batch_shape: tuple[int, ...], dtype: Any) -> ClockworkState:
        exact = 2 / float(jnp.finfo(dtype).eps)
        require(cycle <= exact, "dtype", f"count to {cycle} without rounding", dtype)
        return ClockworkState(
            jnp.zeros((*batch_shape, hidden_size), dtype), jnp.zeros(batch_shape, dtype)
        )

    def project(params: ClockworkParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def recurrent_kernel(params: ClockworkParams) -> jax.Array:
        period = jnp.asarray(of_units)
        return jnp.where(period[:, None] >= period, params.w_h, 0)

    def pointwise(
        params: ClockworkParams, carry: ClockworkState, z: jax.Array, r: jax.Array
    ) -> tuple[ClockworkState, jax.Array]:
        del params
        t = carry.t[..., None]
        active = jnp.round(t) % jnp.asarray(of_units, t.dtype) == 0
        h = jnp.where(active, activation(z + r), carry.h)
        return ClockworkState(h, (carry.t + 1) % cycle), h

    parts = DenseParts(project, lambda carry: carry.h, recurrent_kernel, pointwise, additive=True)
    return dense(parts, init=init, zeros=zeros, in_size=in_size, out_size=hidden_size, dtype=dtype)


def _period_of_each_unit(periods: Sequence[int], hidden_size: int) -> list[int]:
    for period in periods:
        require_size("periods", period)
    increase = list(periods) == sorted(set(periods)) and len(periods) > 0
    require(increase, "periods", "increase", tuple(periods))
    rule = f"be a multiple of the number of periods, {len(periods)}"
    require(hidden_size % len(periods) == 0, "hidden_size", rule, hidden_size)
    return [int(period) for period in periods for _ in range(hidden_size // len(periods))]
