"""Antisymmetric networks: small steps of an equation whose state neither grows nor fades."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell, DenseParts
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer


class AntisymmetricParams(NamedTuple):
    """Parameters of `antisymmetric`, G = H, and `antisymmetric_gated`, G = 2H in the order n, z."""

    w_x: jax.Array  # [D, G]
    w_h: jax.Array  # [H, H] the recurrent kernel is w_h - w_hᵀ - γI
    b: jax.Array  # [G]


def antisymmetric(
    in_size: int,
    hidden_size: int,
    *,
    step_size: float = 0.01,
    damping: float = 0.01,
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Antisymmetric RNN: Euler steps of an equation whose linear part only turns the state.

        h_t = h_{t-1} + ε φ(x_t W_x + h_{t-1} (W_h - W_hᵀ - γI) + b)
        y_t = h_t

    The eigenvalues of W_h - W_hᵀ are imaginary, so the state of the continuous system neither
    explodes nor vanishes; γ makes up for what Euler steps of length ε add to it.

    Source: Chang, Chen, Haber, Chi 2019, arXiv:1902.09689.

    Args:
      in_size: D.
      hidden_size: H.
      step_size: ε, greater than 0.
      damping: γ, at least 0.
      activation: φ, any elementwise function.
      kernel_init: initialiser of `w_x [D, H]`.
      recurrent_init: initialiser of `w_h [H, H]`.
      bias_init: initialiser of `b [H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `AntisymmetricParams` and the carry `h [*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer, or ε or γ is out of range.

    >>> cell = antisymmetric(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> kernel = cell.dense.recurrent_kernel(params)
    >>> bool(jnp.allclose(kernel + kernel.T, -0.02 * jnp.eye(5), atol=1e-6))
    True
    """
    init = _initialiser(
        in_size, hidden_size, 1, kernel_init, recurrent_init, bias_init, param_dtype
    )
    kernel = _kernel(step_size, damping)

    def pointwise(
        params: AntisymmetricParams, carry: jax.Array, z: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        del params
        h = carry + step_size * activation(z + r)
        return h, h

    parts = DenseParts(_project, lambda h: h, kernel, pointwise, additive=True)
    return dense(parts, init=init, in_size=in_size, out_size=hidden_size, dtype=dtype)


def antisymmetric_gated(
    in_size: int,
    hidden_size: int,
    *,
    step_size: float = 0.01,
    damping: float = 0.01,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Antisymmetric RNN whose step length is gated; gate and candidate share the recurrent kernel.

        n = tanh(x_t W_xn + h_{t-1} (W_h - W_hᵀ - γI) + b_n)
        z = σ(x_t W_xz + h_{t-1} (W_h - W_hᵀ - γI) + b_z)
        h_t = h_{t-1} + ε z ⊙ n
        y_t = h_t

    Source: Chang, Chen, Haber, Chi 2019, arXiv:1902.09689.

    Args:
      in_size: D.
      hidden_size: H.
      step_size: ε, greater than 0.
      damping: γ, at least 0.
      kernel_init: initialiser of `w_x [D, 2H]`.
      recurrent_init: initialiser of `w_h [H, H]`.
      bias_init: initialiser of `b [2H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `AntisymmetricParams` and the carry `h [*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer, or ε or γ is out of range.

    >>> cell = antisymmetric_gated(3, 5)
    >>> params = cell.init(jax.random.key(0))
    >>> params.w_x.shape, params.w_h.shape
    ((3, 10), (5, 5))
    """
    init = _initialiser(
        in_size, hidden_size, 2, kernel_init, recurrent_init, bias_init, param_dtype
    )
    kernel = _kernel(step_size, damping)

    def pointwise(
        params: AntisymmetricParams, carry: jax.Array, z: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        del params
        z_n, z_z = jnp.split(z, 2, axis=-1)
        h = carry + step_size * jax.nn.sigmoid(z_z + r) * jnp.tanh(z_n + r)
        return h, h

    parts = DenseParts(_project, lambda h: h, kernel, pointwise)
    return dense(parts, init=init, in_size=in_size, out_size=hidden_size, dtype=dtype)


def _initialiser(
    in_size: int,
    hidden_size: int,
    gates: int,
    kernel_init: Initializer,
    recurrent_init: Initializer,
    bias_init: Initializer,
    param_dtype: Any,
) -> Callable[[jax.Array], AntisymmetricParams]:
    """The `init` of a network with so many gates."""
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> AntisymmetricParams:
        key_x, key_h, key_b = jax.random.split(key, 3)
        return AntisymmetricParams(
            w_x=kernel_init(key_x, (in_size, gates * hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, hidden_size), param_dtype),
            b=bias_init(key_b, (gates * hidden_size,), param_dtype),
        )

    return init


def _project(params: AntisymmetricParams, x: jax.Array) -> jax.Array:
    return x @ params.w_x + params.b


def _kernel(step_size: float, damping: float) -> Callable[[AntisymmetricParams], jax.Array]:
    """The antisymmetric kernel, with damping."""
    require(step_size > 0, "step_size", "be greater than 0", step_size)
    require(damping >= 0, "damping", "be at least 0", damping)

    def kernel(params: AntisymmetricParams) -> jax.Array:
        w = params.w_h
        return w - w.T - damping * jnp.eye(len(w), dtype=w.dtype)

    return kernel
