"""Running sums, and which of two is larger."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require_size
from jaxrnn.data.synthetic.batch import StepTargets


def summation(key: jax.Array, *, batch_size: int, length: int) -> StepTargets:
    """Summation: the sum of all numbers so far.

        target_t = x_1 + ... + x_t,   x ~ U[-1, 1]

    One linear unit solves it at any length.

    Args:
      key: random key; consumed.
      batch_size: B.
      length: T.

    Returns:
      `StepTargets`: inputs `[T, B, 1]`, targets `[T, B]`. Every step counts.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> batch = summation(jax.random.key(0), batch_size=2, length=5)
    >>> bool(jnp.allclose(batch.targets[-1], batch.inputs.sum(0)[:, 0]))
    True
    """
    numbers = _numbers(key, batch_size, length, 1)
    return StepTargets(numbers, jnp.cumsum(numbers[..., 0], axis=0), _all_steps(numbers))


def summation_baseline(length: int) -> float:
    """Mean squared error of the constant 0: the variance t / 3 of a sum of t, averaged over t.

        (1 / T) Σ_t t / 3 = (T + 1) / 6

    >>> summation_baseline(5)
    1.0
    """
    require_size("length", length)
    return (length + 1) / 6


def comparison(key: jax.Array, *, batch_size: int, length: int) -> StepTargets:
    """Summation and comparison: whether the first of two running sums is the larger one.

        target_t = [x_1 + ... + x_t > y_1 + ... + y_t],   x, y ~ U[-1, 1]

    One linear unit for the difference and a threshold solve it at any length. The best answer that
    ignores the inputs is right half the time: ln 2 nats.

    Args:
      key: random key; consumed.
      batch_size: B.
      length: T.

    Returns:
      `StepTargets`: inputs `[T, B, 2]`, targets `[T, B]` in {0, 1}. Every step counts.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> batch = comparison(jax.random.key(0), batch_size=2, length=5)
    >>> first, second = batch.inputs.sum(0).T
    >>> bool((batch.targets[-1] == (first > second)).all())
    True
    """
    numbers = _numbers(key, batch_size, length, 2)
    sums = jnp.cumsum(numbers, axis=0)
    targets = (sums[..., 0] > sums[..., 1]).astype(jnp.int32)
    return StepTargets(numbers, targets, _all_steps(numbers))


def _numbers(key: jax.Array, batch_size: int, length: int, count: int) -> jax.Array:
    require_size("batch_size", batch_size)
    require_size("length", length)
    return jax.random.uniform(key, (length, batch_size, count), minval=-1.0)


def _all_steps(numbers: jax.Array) -> jax.Array:
    return jnp.ones(numbers.shape[:2], bool)
