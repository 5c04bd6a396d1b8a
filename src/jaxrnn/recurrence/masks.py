"""Which steps are real and where a sequence starts, as booleans over time."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require


def length_mask(seq_lengths: jax.Array, length: int) -> jax.Array:
    """True at the real steps of padded sequences: `mask[t, b] = t < seq_lengths[b]`.

    Args:
      seq_lengths: number of real steps of each sequence, `[*B]`.
      length: T, the padded length in steps.

    Returns:
      Boolean mask `[T, *B]`.

    >>> length_mask(jnp.array([2, 0, 3]), 3).T.astype(int).tolist()
    [[1, 1, 0], [0, 0, 0], [1, 1, 1]]
    """
    seq_lengths = jnp.asarray(seq_lengths)
    steps = jnp.arange(length).reshape((length,) + (1,) * seq_lengths.ndim)
    return steps < seq_lengths


def real_steps(
    lengths: jax.Array | None, batch_shape: tuple[int, ...], size: int, *, argument: str = "lengths"
) -> tuple[jax.Array, jax.Array]:
    """The lengths of batch-major sequences `[*B, T]`, and which of their steps are real.

    Args:
      lengths: real steps of each sequence, `[*B]`; None if all T are.
      batch_shape: `*B`.
      size: T.
      argument: what the caller calls the lengths.

    Returns:
      Lengths `[*B]`, and a mask `[*B, T]`.

    Raises:
      ValueError: if the lengths have another shape.

    >>> real_steps(jnp.array([2, 0]), (2,), 3)[1].astype(int).tolist()
    [[1, 1, 0], [0, 0, 0]]
    """
    lengths = jnp.full(batch_shape, size) if lengths is None else jnp.asarray(lengths)
    rule = f"have the shape {tuple(batch_shape)}"
    require(lengths.shape == tuple(batch_shape), argument, rule, lengths.shape)
    return lengths, jnp.arange(size) < lengths[..., None]


def reversed_resets(resets: jax.Array, valid: jax.Array | None) -> jax.Array:
    """The resets of the same segments when time runs backwards.

    A segment that starts at t ends, seen from the other side, at t - 1: that is where the backward
    pass enters it. A start in the padding bounds nothing.

    Args:
      resets: true where a segment starts, `[T, *B]`.
      valid: true at real steps, `[T, *B]`; None if all are.
    """
    if valid is not None:
        resets = resets & valid
    return jnp.concatenate([resets[1:], jnp.zeros_like(resets[:1])])


def select(mask: jax.Array, where_true: jax.Array, where_false: jax.Array) -> jax.Array:
    """`jnp.where` with a mask `[*B]` over arrays `[*B, ...]`.

    Selecting, and not multiplying by the mask, is what keeps a NaN in the padding out of values and
    gradients.
    """
    trailing = (1,) * (jnp.ndim(where_true) - mask.ndim)
    return jnp.where(mask.reshape(mask.shape + trailing), where_true, where_false)


def masked(array: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Zeros where the mask is false, so that NaN in the padding goes no further; None: as it is."""
    return array if mask is None else select(mask, array, jnp.zeros_like(array))
