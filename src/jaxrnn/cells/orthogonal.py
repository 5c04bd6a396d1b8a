"""Network with an orthogonal recurrent kernel, which it keeps while it learns."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell, DenseParts
from jaxrnn.cells.checks import require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer


class OrthogonalParams(NamedTuple):
    """Parameters of `orthogonal`."""

    w_x: jax.Array  # [D, H]
    a: jax.Array  # [H, H] the recurrent kernel is expm(a - aᵀ)
    b: jax.Array  # [H]


def mod_relu(v: jax.Array, b: jax.Array) -> jax.Array:
    """Shrinks (b < 0) or stretches (b > 0) v, and keeps its sign.

        modReLU(v, b) = sign(v) ⊙ relu(|v| + b)

    Source: Arjovsky, Shah, Bengio 2015, arXiv:1511.06464, for complex v.

    >>> mod_relu(jnp.array([-3.0, 0.5]), jnp.array([-1.0, -1.0])).tolist()
    [-2.0, 0.0]
    """
    return jnp.sign(v) * jax.nn.relu(jnp.abs(v) + b)


def random_rotations(key: jax.Array, shape: Any, dtype: Any = float) -> jax.Array:
    """Initialiser of `a [H, H]` in `orthogonal`: expm(a - aᵀ) turns H/2 planes by random angles.

    Angles are uniform on [-π, π).

    Source: Henaff, Szlam, LeCun 2016, arXiv:1602.06662.

    >>> a = random_rotations(jax.random.key(0), (4, 4))
    >>> jnp.nonzero(a)[0].tolist(), jnp.nonzero(a)[1].tolist()
    ([0, 2], [1, 3])
    """
    size = shape[0]
    angles = jax.random.uniform(key, (size // 2,), dtype, -math.pi, math.pi)
    first = jnp.arange(0, size - 1, 2)
    return jnp.zeros(shape, dtype).at[first, first + 1].set(angles)


def orthogonal(
    in_size: int,
    hidden_size: int,
    *,
    activation: Callable[[jax.Array, jax.Array], jax.Array] = mod_relu,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = random_rotations,
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Orthogonal RNN: its recurrent kernel is a rotation whatever its parameters are (expRNN).

        h_t = φ(x_t W_x + h_{t-1} expm(A - Aᵀ), b)
        y_t = h_t

    The exponential of an antisymmetric matrix is orthogonal, so the linear part keeps the norm of
    states and gradients over any number of steps, and any optimiser may move A. The exponential
    costs O(H³): `unroll` makes and differentiates it once for a sequence, `cell.step` every time.

    Source: Lezcano-Casado, Martínez-Rubio 2019, arXiv:1901.08428.

    Args:
      in_size: D.
      hidden_size: H.
      activation: φ(v, b), elementwise; `mod_relu`, or `lambda v, b: jnp.tanh(v + b)`.
      kernel_init: initialiser of `w_x [D, H]`.
      recurrent_init: initialiser of `a [H, H]`.
      bias_init: initialiser of `b [H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `OrthogonalParams` and the carry `h [*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = orthogonal(3, 5)
    >>> kernel = cell.dense.recurrent_kernel(cell.init(jax.random.key(0)))
    >>> bool(jnp.allclose(kernel.T @ kernel, jnp.eye(5), atol=1e-5))
    True
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)

    def init(key: jax.Array) -> OrthogonalParams:
        key_x, key_a, key_b = jax.random.split(key, 3)
        return OrthogonalParams(
            w_x=kernel_init(key_x, (in_size, hidden_size), param_dtype),
            a=recurrent_init(key_a, (hidden_size, hidden_size), param_dtype),
            b=bias_init(key_b, (hidden_size,), param_dtype),
        )

    def recurrent_kernel(params: OrthogonalParams) -> jax.Array:
        a = params.a.astype(jnp.promote_types(params.a.dtype, jnp.float32))
        return jax.scipy.linalg.expm(a - a.T).astype(params.a.dtype)

    def pointwise(
        params: OrthogonalParams, carry: jax.Array, z: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        del carry
        h = activation(z + r, params.b)
        return h, h

    project = lambda params, x: x @ params.w_x
    parts = DenseParts(project, lambda h: h, recurrent_kernel, pointwise, additive=True)
    return dense(parts, init=init, in_size=in_size, out_size=hidden_size, dtype=dtype)
