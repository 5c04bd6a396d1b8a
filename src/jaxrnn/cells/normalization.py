"""Layer normalization without its gain and bias, which belong to the cell that uses it."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def normalize(a: jax.Array, epsilon: float) -> jax.Array:
    """Subtracts the mean over the last axis and divides by the standard deviation.

        a' = (a - μ) / √(σ² + ε)

    16-bit input is computed in float32: a mean of squares in bfloat16 has two or three digits.

    Source: Ba, Kiros, Hinton 2016, arXiv:1607.06450.

    >>> normalize(jnp.array([1.0, 3.0]), 0.0).tolist()
    [-1.0, 1.0]
    """
    wide = a.astype(jnp.promote_types(a.dtype, jnp.float32))
    centred = wide - wide.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    return (centred * jax.lax.rsqrt(variance + epsilon)).astype(a.dtype)
