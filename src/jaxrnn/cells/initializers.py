"""Initialisers that recurrent networks need beside those of `jax.nn.initializers`.

Each is an `Initializer` as there, `initializer(key, shape, dtype) -> array`, so the two mix freely.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require, require_size

Initializer = Callable[..., jax.Array]


def orthogonal_per_gate(scale: float = 1.0, gates: int | None = None) -> Initializer:
    """One orthogonal matrix for each gate of a recurrent kernel `[H, G]`.

    An orthogonal W keeps the norm of what it carries through time, so products of many steps
    neither explode nor vanish at the start. Orthogonalising the whole `[H, 4H]` instead would give
    each gate only half of that norm.

    Source: Saxe, McClelland, Ganguli 2013, arXiv:1312.6120.

    Args:
      scale: factor on every gate's matrix.
      gates: number of gates along the last axis; None counts square blocks.

    Raises:
      ValueError: if the last axis is not a whole number of gates.

    >>> kernel = orthogonal_per_gate()(jax.random.key(0), (3, 12), float)
    >>> bool(jnp.allclose(kernel[:, 3:6].T @ kernel[:, 3:6], jnp.eye(3), atol=1e-6))
    True
    """

    def initializer(key: jax.Array, shape: Any, dtype: Any = float) -> jax.Array:
        require(len(shape) == 2, "shape", "be that of a kernel, [H, G]", tuple(shape))
        rows, columns = shape
        count = gates or max(columns // rows, 1)
        require(columns % count == 0, "shape", f"hold {count} gates of one width", tuple(shape))
        one = jax.nn.initializers.orthogonal(scale)
        wide = jnp.promote_types(dtype, jnp.float32)  # the decomposition has no narrower form
        blocks = [one(k, (rows, columns // count), wide) for k in jax.random.split(key, count)]
        return jnp.concatenate(blocks, axis=-1).astype(dtype)

    if gates is not None:
        require_size("gates", gates)
    return initializer


def uniform_fan_in(scale: float = 1.0) -> Initializer:
    """Uniform on `(-scale / sqrt(n), scale / sqrt(n))` with n the size of the first axis.

    With scale 1 on a recurrent kernel `[H, G]` it is what PyTorch's recurrent layers start from.

    >>> kernel = uniform_fan_in()(jax.random.key(0), (4, 8), float)
    >>> bool(jnp.abs(kernel).max() <= 0.5)
    True
    """

    def initializer(key: jax.Array, shape: Any, dtype: Any = float) -> jax.Array:
        bound = scale / shape[0] ** 0.5
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return initializer


def identity(scale: float = 1.0) -> Initializer:
    """`scale` times the identity, for the recurrent kernel of an Elman network with relu (IRNN).

    Source: Le, Jaitly, Hinton 2015, arXiv:1504.00941.

    Raises:
      ValueError: if the kernel is not square.

    >>> identity(0.5)(jax.random.key(0), (2, 2), float).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """

    def initializer(key: jax.Array, shape: Any, dtype: Any = float) -> jax.Array:
        del key
        square = len(shape) == 2 and shape[0] == shape[1]
        require(square, "shape", "be square for an identity kernel", tuple(shape))
        return scale * jnp.eye(shape[0], dtype=dtype)

    return initializer
