"""The adding problem: two marked numbers far apart."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require, require_size
from jaxrnn.data.synthetic.batch import FinalTarget

# Of the constant 1. The sum of two independent numbers, each uniform on [0, 1] with the variance
# 1/12, has the variance 1/6, the 0.167 of Arjovsky, Shah, Bengio 2015. The 0.1767 that Bai, Kolter,
# Koltun 2018, arXiv:1803.01271, give for the same guess on the same numbers is not that variance.
ADDING_BASELINE = 1 / 6


def adding(key: jax.Array, *, batch_size: int, length: int) -> FinalTarget:
    """The adding problem: the sum of the two numbers that are marked.

        target = Σ_t value_t marker_t,   value_t ~ U[0, 1],   Σ_t marker_t = 2

    One marker stands in the first half, one in the second. The best answer that ignores the inputs
    is 1, with the mean squared error `ADDING_BASELINE`, 1/6.

    Source: Hochreiter, Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, with numbers in [0, 1] as
    in Le, Jaitly, Hinton 2015, arXiv:1504.00941, and one marker in each half as in Arjovsky, Shah,
    Bengio 2015, arXiv:1511.06464.

    Args:
      key: random key; consumed.
      batch_size: B.
      length: T, steps, at least 2.

    Returns:
      `FinalTarget`: inputs `[T, B, 2]` (value, marker), targets `[B]` in [0, 2].

    Raises:
      ValueError: if a size is not a positive integer, or `length` is below 2.

    >>> batch = adding(jax.random.key(0), batch_size=4, length=10)
    >>> values, markers = batch.inputs[..., 0], batch.inputs[..., 1]
    >>> bool(jnp.allclose((values * markers).sum(0), batch.targets))
    True
    """
    require_size("batch_size", batch_size)
    require_size("length", length)
    require(length >= 2, "length", "leave room for two markers", length)
    value_key, first_key, second_key = jax.random.split(key, 3)
    half = length // 2
    values = jax.random.uniform(value_key, (length, batch_size))
    first = jax.random.randint(first_key, (batch_size,), 0, half)
    second = jax.random.randint(second_key, (batch_size,), half, length)
    steps = jnp.arange(length)[:, None]
    marked = (steps == first) | (steps == second)
    inputs = jnp.stack([values, marked.astype(values.dtype)], axis=-1)
    targets = jnp.sum(jnp.where(marked, values, 0), axis=0)
    return FinalTarget(inputs, targets, jnp.full((batch_size,), length, jnp.int32))
