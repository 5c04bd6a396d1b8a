"""The scalar memory of xLSTM."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell, DenseParts
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate


class SLSTMParams(NamedTuple):
    """Parameters of `slstm` with N heads; gates in the order i, f, g, o along the last axis."""

    w_x: jax.Array  # [D, 4H]
    w_h: jax.Array  # [N, H/N, 4H/N] one kernel for each head
    b: jax.Array  # [4H]


class SLSTMState(NamedTuple):
    """Carry of `slstm`."""

    h: jax.Array  # [*B, H] hidden state, also the output
    c: jax.Array  # [*B, H] cell state, times exp(-m)
    n: jax.Array  # [*B, H] normaliser, times exp(-m)
    m: jax.Array  # [*B, H] stabiliser


def slstm(
    in_size: int,
    hidden_size: int,
    *,
    heads: int = 1,
    forget_gate: Literal["sigmoid", "exponential"] = "sigmoid",
    forget_bias: float = 1.0,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """sLSTM: an LSTM with an exponential input gate, so that it can overwrite what it stored.

        i, f, g, o = split(x_t W_x + h_{t-1} W_h + b)
        f' = log σ(f), or f' = f with an exponential forget gate
        m_t = max(f' + m_{t-1}, i)
        c_t = exp(f' + m_{t-1} - m_t) ⊙ c_{t-1} + exp(i - m_t) ⊙ tanh(g)
        n_t = exp(f' + m_{t-1} - m_t) ⊙ n_{t-1} + exp(i - m_t)
        h_t = σ(o) ⊙ c_t / max(n_t, 1)
        y_t = h_t

    m cancels in c / n and keeps every exponent at or below 0. While nothing is stored, n_{t-1} = 0,
    the past has no weight: exp(f' + m_{t-1}) counts as 0. From the initial carry on n_t is then at
    least 1, so `max` guards only against a carry that was made in another way. W_h mixes
    units within a head only; it is multiplied as one kernel `[H, 4H]` with zeros between heads. The
    normalization, convolution and projections of the paper's block around this unit are not in it.

    Source: Beck, Pöppel, Spanring, Auer, Prudnikova, Kopp, Klambauer, Brandstetter, Hochreiter
    2024, arXiv:2405.04517.

    Args:
      in_size: D.
      hidden_size: H.
      heads: N, a divisor of H.
      forget_gate: "sigmoid" or "exponential", both in the paper.
      forget_bias: added to the initial bias of the forget gate, as in `lstm`.
      kernel_init: initialiser of `w_x [D, 4H]`.
      recurrent_init: initialiser of the kernel `[H/N, 4H/N]` of each head.
      bias_init: initialiser of `b [4H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `SLSTMParams` and the carry `SLSTMState(h, c, n, m)`, each `[*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer, `heads` does not divide H, or the forget gate
        has another name.

    >>> cell = slstm(3, 6, heads=2)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape, params.w_h.shape, bool((carry.n >= 1).all())
    ((2, 6), (2, 3, 12), True)
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)
    require_size("heads", heads)
    require(hidden_size % heads == 0, "heads", f"divide `hidden_size`, {hidden_size}", heads)
    named = forget_gate in ("sigmoid", "exponential")
    require(named, "forget_gate", 'be "sigmoid" or "exponential"', repr(forget_gate))
    size = hidden_size // heads

    def init(key: jax.Array) -> SLSTMParams:
        key_x, key_h, key_b = jax.random.split(key, 3)
        keys = jax.random.split(key_h, heads)
        b = bias_init(key_b, (4 * hidden_size,), param_dtype)
        return SLSTMParams(
            w_x=kernel_init(key_x, (in_size, 4 * hidden_size), param_dtype),
            w_h=jnp.stack([recurrent_init(k, (size, 4 * size), param_dtype) for k in keys]),
            b=b.at[hidden_size : 2 * hidden_size].add(forget_bias),
        )

    def zeros(batch_shape: tuple[int, ...], dtype: Any) -> SLSTMState:
        return SLSTMState(*(jnp.zeros((*batch_shape, hidden_size), dtype) for _ in range(4)))

    def project(params: SLSTMParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def recurrent_kernel(params: SLSTMParams) -> jax.Array:
        of_heads = params.w_h.reshape(heads, size, 4, size)
        same_head = jnp.eye(heads, dtype=of_heads.dtype)
        # Rows: head, unit; columns: gate, head, unit.
        blocks = jnp.einsum("kugv,kl->kuglv", of_heads, same_head)
        return blocks.reshape(hidden_size, 4 * hidden_size)

    def pointwise(
        params: SLSTMParams, carry: SLSTMState, z: jax.Array, r: jax.Array
    ) -> tuple[SLSTMState, jax.Array]:
        del params
        i, f, g, o = jnp.split(z + r, 4, axis=-1)
        f = jax.nn.log_sigmoid(f) if forget_gate == "sigmoid" else f
        # Zeros carried on from m = 0 would push i, if it is small, below what exp can hold.
        past = jnp.where(carry.n == 0, -jnp.inf, f + carry.m)
        m = jnp.maximum(past, i)
        keep, add = jnp.exp(past - m), jnp.exp(i - m)
        c = keep * carry.c + add * jnp.tanh(g)
        n = keep * carry.n + add
        h = jax.nn.sigmoid(o) * c / jnp.maximum(n, 1)
        return SLSTMState(h, c, n, m), h

    parts = DenseParts(project, lambda carry: carry.h, recurrent_kernel, pointwise, additive=True)
    return dense(parts, init=init, zeros=zeros, in_size=in_size, out_size=hidden_size, dtype=dtype)
