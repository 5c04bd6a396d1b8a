"""One vector for a sequence: what its network put out, gathered over the real steps.

A pooling is any function `(ys [*B, T, H], lengths [*B]) -> [*B, H]`; an empty sequence gives zeros,
and NaN in the padding reaches neither a value nor a gradient.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells.checks import require, require_size
from jaxrnn.nn.attention import masked_softmax
from jaxrnn.recurrence.masks import real_steps

Pooling = Callable[[jax.Array, jax.Array | None], jax.Array]


def last_state(ys: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
    """What was put out at the last real step, when everything had been read.

        v = y_{n-1}

    Args:
      ys: outputs `[*B, T, H]`; anything in the padding.
      lengths: n, the real steps of each sequence, integers `[*B]`; None if all T are.

    Returns:
      `[*B, H]`, zero where n = 0.

    Raises:
      ValueError: if a shape does not fit.

    >>> last_state(jnp.arange(6.0).reshape(2, 3, 1), jnp.array([3, 1]))[:, 0].tolist()
    [2.0, 3.0]
    """
    ys, lengths, real = _real(ys, lengths)
    if ys.shape[-2] == 0:
        return jnp.sum(ys, axis=-2)
    last = jnp.maximum(lengths - 1, 0)[..., None, None]
    picked = jnp.take_along_axis(_zero_padding(ys, real), last, axis=-2)
    return picked[..., 0, :]


def end_states(
    ys: jax.Array, lengths: jax.Array | None = None, *, forward_size: int | None = None
) -> jax.Array:
    """The last state of each of two directions, which have both read everything.

        v = [forward y_{n-1}, backward y_0]

    Args:
      ys: outputs of both directions side by side, as `Bidirectional` gives them, `[*B, T, H]`.
      lengths: n, the real steps of each sequence, integers `[*B]`; None if all T are.
      forward_size: how many of the H numbers are the forward direction's; None: half of them.

    Returns:
      `[*B, H]`, zero where n = 0.

    Raises:
      ValueError: if a shape does not fit.

    >>> ys = jnp.arange(6.0).reshape(1, 3, 2)
    >>> end_states(ys, jnp.array([2])).tolist()
    [[2.0, 1.0]]
    """
    ys, lengths, real = _real(ys, lengths)
    size = ys.shape[-1] // 2 if forward_size is None else forward_size
    require(0 <= size <= ys.shape[-1], "forward_size", f"be at most {ys.shape[-1]}", size)
    first = jnp.sum(_zero_padding(ys, real)[..., :1, size:], axis=-2)  # zeros where T = 0
    return jnp.concatenate([last_state(ys[..., :size], lengths), first], axis=-1)


def mean_pooling(ys: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
    """The mean over the real steps.

        v = Σ_t y_t / n

    Args, returns and errors as for `last_state`.

    >>> mean_pooling(jnp.arange(6.0).reshape(2, 3, 1), jnp.array([3, 2]))[:, 0].tolist()
    [1.0, 3.5]
    """
    ys, lengths, real = _real(ys, lengths)
    count = jnp.maximum(lengths, 1)[..., None].astype(ys.dtype)
    return jnp.sum(_zero_padding(ys, real), axis=-2) / count


def max_pooling(ys: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
    """The largest over the real steps, for each of the H numbers by itself.

        v_k = max_t y_{t,k}

    Source: Conneau et al. 2017, arXiv:1705.02364, section 3.2.2.

    Args, returns and errors as for `last_state`.

    >>> max_pooling(-jnp.arange(6.0).reshape(2, 3, 1), jnp.array([3, 0]))[:, 0].tolist()
    [-0.0, 0.0]
    """
    ys, lengths, real = _real(ys, lengths)
    low = jnp.full_like(ys, -jnp.inf)
    largest = jnp.max(jnp.where(real, ys, low), axis=-2, initial=-jnp.inf)
    return jnp.where(lengths[..., None] > 0, largest, jnp.zeros_like(largest))


class AttentionPooling(nnx.Module):
    """A mean whose weights are learned: each step is scored by how well it answers one query.

        u_t = tanh(y_t W + b);   α = softmax(u_t · q) over the real steps;   v = Σ_t α_t y_t

    Source: Yang et al. 2016, "Hierarchical attention networks for document classification",
    doi:10.18653/v1/N16-1174, equations 5 to 7.

    Attributes:
      kernel: W `[H, A]`.
      bias: b `[A]`.
      query: q `[A]`.

    >>> pooling = AttentionPooling(4, rngs=nnx.Rngs(0))
    >>> ys, lengths = jnp.ones((2, 3, 4)), jnp.array([3, 2])
    >>> pooling(ys, lengths).shape, pooling.weights(ys, lengths)[1].tolist()
    ((2, 4), [0.5, 0.5, 0.0])
    """

    def __init__(self, hidden_size: int, *, rngs: nnx.Rngs, size: int | None = None):
        """Draws W and q; b starts at zero.

        Args:
          hidden_size: H.
          rngs: its `params` stream gives the keys.
          size: A; None: as H.

        Raises:
          ValueError: if a size is not positive.
        """
        require_size("hidden_size", hidden_size)
        size = hidden_size if size is None else size
        require_size("size", size)
        init = jax.nn.initializers.lecun_normal()
        self.hidden_size = hidden_size
        self.kernel = nnx.Param(init(rngs.params(), (hidden_size, size)))
        self.bias = nnx.Param(jnp.zeros(size))
        self.query = nnx.Param(init(rngs.params(), (size, 1))[:, 0])

    def __call__(self, ys: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
        """Outputs `[*B, T, H]` to `[*B, H]`; arguments and errors as for `last_state`."""
        weights = self.weights(ys, lengths)
        ys, _, real = _real(ys, lengths)
        return jnp.sum(weights[..., None].astype(ys.dtype) * _zero_padding(ys, real), axis=-2)

    def weights(self, ys: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
        """α `[*B, T]`, which sums to 1 over the real steps: what the network looks at, to plot."""
        ys, _, real = _real(ys, lengths)
        rule = f"have the shape [*B, T, {self.hidden_size}]"
        require(ys.shape[-1] == self.hidden_size, "ys", rule, ys.shape)
        seen = jnp.tanh(_zero_padding(ys, real) @ self.kernel[...] + self.bias[...])
        return masked_softmax(seen @ self.query[...], real[..., 0])


def _real(ys: jax.Array, lengths: jax.Array | None) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Outputs `[*B, T, H]`, lengths `[*B]`, and the mask of the real steps `[*B, T, 1]`."""
    ys = jnp.asarray(ys)
    require(ys.ndim >= 2, "ys", "have the shape [*B, T, H]", ys.shape)
    lengths, real = real_steps(lengths, ys.shape[:-2], ys.shape[-2])
    return ys, lengths, real[..., None]


def _zero_padding(ys: jax.Array, real: jax.Array) -> jax.Array:
    return jnp.where(real, ys, jnp.zeros_like(ys))
