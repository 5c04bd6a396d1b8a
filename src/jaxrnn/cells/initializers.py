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
    each gate only half of that norm. A convolution kernel `[*K, H, G]` is taken as the matrix
    `[K * H, G]`.

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
        require(len(shape) >= 2, "shape", "be that of a kernel, [H, G]", tuple(shape))
        *window, rows, columns = shape
        count = gates or max(columns // rows, 1)
        require(columns % count == 0, "shape", f"hold {count} gates of one width", tuple(shape))
        one = jax.nn.initializers.orthogonal(scale)
        wide = jnp.promote_types(dtype, jnp.float32)  # the decomposition has no narrower form
        gate = (*window, rows, columns // count)
        blocks = [one(k, gate, wide) for k in jax.random.split(key, count)]
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


def spectral_radius(
    radius: float, init: Initializer = jax.nn.initializers.normal(1.0)
) -> Initializer:
    """Scales every square block of a recurrent kernel to a largest absolute eigenvalue, ρ(W).

        W ← radius · W / ρ(W)

    Around h = 0 a tanh network shrinks what it carries by ρ(W) a step, in the long run: below 1 it
    forgets its start, near 1 it does so slowly. The eigenvalues of a matrix that is not symmetric
    need a CPU or a GPU; JAX has none on a TPU.

    Source: Jaeger 2001, "The echo state approach to analysing and training recurrent neural
    networks", GMD Report 148.

    Args:
      radius: ρ of each `[H, H]` block of a kernel `[H, G]`.
      init: what is scaled; a block of zeros stays as it is.

    Raises:
      ValueError: if `radius` is negative, or the kernel is not made of square blocks.

    >>> kernel = spectral_radius(0.9)(jax.random.key(0), (4, 8), float)
    >>> round(float(jnp.abs(jnp.linalg.eigvals(kernel[:, 4:])).max()), 5)
    0.9
    """
    require(radius >= 0, "radius", "not be negative", radius)

    def initializer(key: jax.Array, shape: Any, dtype: Any = float) -> jax.Array:
        square = len(shape) == 2 and shape[1] % shape[0] == 0
        require(square, "shape", "be made of square blocks, [H, n * H]", tuple(shape))
        wide = jnp.promote_types(dtype, jnp.float32)  # the decomposition has no narrower form
        blocks = jnp.split(init(key, shape, wide), shape[1] // shape[0], axis=-1)
        largest = [jnp.abs(jnp.linalg.eigvals(block)).max() for block in blocks]
        scales = [radius / jnp.where(rho > 0, rho, 1) for rho in largest]
        scaled = [scale * block for scale, block in zip(scales, blocks, strict=True)]
        return jnp.concatenate(scaled, axis=-1).astype(dtype)

    return initializer


def chrono_lstm(max_time: float) -> Initializer:
    """Biases of an LSTM whose memory cells last from 1 to `max_time` steps, gates i, f, g, o.

        b_f = log u,   b_i = -log u,   b_g = b_o = 0,   u uniform on [1, max_time - 1]

    A forget gate σ(log u) = u / (1 + u) keeps a memory for about 1 + u steps, and the input gate
    1 / (1 + u) lets in as much as is forgotten. The cell adds its `forget_bias` to what an
    initialiser gives, so switch that off: `lstm(D, H, forget_bias=0.0, bias_init=chrono_lstm(T))`.

    Source: Tallec, Ollivier 2018, arXiv:1804.11188.

    Args:
      max_time: the longest dependency that is expected, in steps.

    Raises:
      ValueError: if `max_time` is not above 2, or the shape is not that of a bias `[4H]`.

    >>> b_i, b_f, b_g, b_o = chrono_lstm(100)(jax.random.key(0), (8,), float).reshape(4, 2)
    >>> bool((b_f > 0).all()), bool((b_i == -b_f).all()), b_g.tolist(), b_o.tolist()
    (True, True, [0.0, 0.0], [0.0, 0.0])
    """
    require(max_time > 2, "max_time", "be more than 2 steps", max_time)

    def initializer(key: jax.Array, shape: Any, dtype: Any = float) -> jax.Array:
        rule = "be that of the bias of an LSTM, [4H]"
        require(len(shape) == 1 and shape[0] % 4 == 0, "shape", rule, tuple(shape))
        log_time = _log_uniform_time(key, shape[0] // 4, max_time, dtype)
        zeros = jnp.zeros_like(log_time)
        return jnp.concatenate([-log_time, log_time, zeros, zeros])

    return initializer


def chrono_gru(max_time: float, hidden_size: int) -> Initializer:
    """Biases of a GRU whose units last from 1 to `max_time` steps, gates r, z, n.

        b_z = log u,   b_r = b_n = b_hn = 0,   u uniform on [1, max_time - 1]

    Our z gates the old state, so it is what the forget gate is in `chrono_lstm`; in the paper z
    gates the new one and b_z has the other sign. `gru` starts both of its biases by the same
    initialiser, `gru(D, H, bias_init=chrono_gru(T, H))`: `b [3H]` gets the times, `b_hn [H]` zeros.

    Source: Tallec, Ollivier 2018, arXiv:1804.11188.

    Args:
      max_time: the longest dependency that is expected, in steps.
      hidden_size: H, by which the two biases are told apart.

    Raises:
      ValueError: if `max_time` is not above 2, or the shape is neither `[3H]` nor `[H]`.

    >>> b_r, b_z, b_n = chrono_gru(100, 2)(jax.random.key(0), (6,), float).reshape(3, 2)
    >>> b_r.tolist(), bool((b_z > 0).all()), b_n.tolist()
    ([0.0, 0.0], True, [0.0, 0.0])
    """
    require(max_time > 2, "max_time", "be more than 2 steps", max_time)
    require_size("hidden_size", hidden_size)

    def initializer(key: jax.Array, shape: Any, dtype: Any = float) -> jax.Array:
        rule = f"be that of a bias of a GRU, ({3 * hidden_size},) or ({hidden_size},)"
        fits = tuple(shape) in [(3 * hidden_size,), (hidden_size,)]
        require(fits, "shape", rule, tuple(shape))
        if shape[0] == hidden_size:
            return jnp.zeros(shape, dtype)
        log_time = _log_uniform_time(key, hidden_size, max_time, dtype)
        zeros = jnp.zeros_like(log_time)
        return jnp.concatenate([zeros, log_time, zeros])

    return initializer


def _log_uniform_time(key: jax.Array, size: int, max_time: float, dtype: Any) -> jax.Array:
    wide = jnp.promote_types(dtype, jnp.float32)
    return jnp.log(jax.random.uniform(key, (size,), wide, 1, max_time - 1)).astype(dtype)
