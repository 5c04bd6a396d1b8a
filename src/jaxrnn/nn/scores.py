"""Scores of attention: how well each vector of a memory answers a query."""

from __future__ import annotations

from typing import Protocol

import jax
import jax.numpy as jnp
from flax import nnx

from jaxrnn.cells.checks import require, require_size


class Score(Protocol):
    """Compares N queries with the S vectors of each memory."""

    @property
    def looks_back(self) -> bool:
        """Whether the weights of the step before enter, so that steps must follow each other."""
        ...

    def keys(self, memory: jax.Array) -> jax.Array:
        """The part that no query enters: `memory [*B, S, M]` to keys `[*B, S, A]`."""
        ...

    def __call__(
        self, queries: jax.Array, keys: jax.Array, previous: jax.Array | None = None
    ) -> jax.Array:
        """Scores queries `[*B, N, H]` against keys `[*B, S, A]`: `[*B, N, S]`.

        `previous` are the weights of the step before, `[*B, N, S]`; None means zeros.
        """
        ...


class DotScore(nnx.Module):
    """The inner product; it has no parameters.

        e_s = qᵀ m_s

    Source: Luong, Pham, Manning 2015, arXiv:1508.04025, "dot".

    >>> DotScore(2, 2, rngs=nnx.Rngs(0))(jnp.array([[1.0, 2.0]]), jnp.eye(2)).tolist()
    [[1.0, 2.0]]
    """

    looks_back = False

    def __init__(self, query_size: int, memory_size: int, *, rngs: nnx.Rngs):
        """Compares vectors of one size.

        Raises:
          ValueError: if the sizes differ.
        """
        del rngs
        rule = f"be the size of a query, {query_size}, for an inner product"
        require(query_size == memory_size, "memory_size", rule, memory_size)

    def keys(self, memory: jax.Array) -> jax.Array:
        """The memory as it is."""
        return memory

    def __call__(
        self, queries: jax.Array, keys: jax.Array, previous: jax.Array | None = None
    ) -> jax.Array:
        """See `Score`."""
        del previous
        return _products(queries, keys)


class GeneralScore(nnx.Module):
    """The inner product with a matrix between, for vectors of any two sizes.

        e_s = qᵀ W m_s

    Source: Luong, Pham, Manning 2015, arXiv:1508.04025, "general".

    Attributes:
      kernel: Wᵀ `[M, H]`.
    """

    looks_back = False

    def __init__(self, query_size: int, memory_size: int, *, rngs: nnx.Rngs):
        """Draws W."""
        init = jax.nn.initializers.lecun_normal()
        self.kernel = nnx.Param(init(rngs.params(), (memory_size, query_size)))

    def keys(self, memory: jax.Array) -> jax.Array:
        """W m `[*B, S, H]`."""
        return memory @ self.kernel[...]

    def __call__(
        self, queries: jax.Array, keys: jax.Array, previous: jax.Array | None = None
    ) -> jax.Array:
        """See `Score`."""
        del previous
        return _products(queries, keys)


class AdditiveScore(nnx.Module):
    """A network with one hidden layer that sees both.

        e_s = vᵀ tanh(W q + U m_s + b)

    The "concat" score of Luong, Pham, Manning 2015, arXiv:1508.04025, is the same function: its
    matrix on [q; m_s] is W and U side by side.

    Source: Bahdanau, Cho, Bengio 2015, arXiv:1409.0473, appendix A.1.2.

    Attributes:
      query_kernel: Wᵀ `[H, A]`.
      memory_kernel: Uᵀ `[M, A]`.
      bias: b `[A]`.
      vector: v `[A]`.
    """

    looks_back = False

    def __init__(
        self, query_size: int, memory_size: int, *, rngs: nnx.Rngs, size: int | None = None
    ):
        """Draws W, U and v; b starts at zero.

        Args:
          query_size: H.
          memory_size: M.
          rngs: its `params` stream gives the keys.
          size: A, units of the hidden layer; None: as many as a query has numbers.

        Raises:
          ValueError: if the size is not positive.
        """
        size = query_size if size is None else size
        require_size("size", size)
        init = jax.nn.initializers.lecun_normal()
        self.query_kernel = nnx.Param(init(rngs.params(), (query_size, size)))
        self.memory_kernel = nnx.Param(init(rngs.params(), (memory_size, size)))
        self.bias = nnx.Param(jnp.zeros(size))
        self.vector = nnx.Param(init(rngs.params(), (size, 1))[:, 0])

    def keys(self, memory: jax.Array) -> jax.Array:
        """U m + b `[*B, S, A]`."""
        return memory @ self.memory_kernel[...] + self.bias[...]

    def __call__(
        self, queries: jax.Array, keys: jax.Array, previous: jax.Array | None = None
    ) -> jax.Array:
        """See `Score`."""
        del previous
        return self.of_sum(self.sums(queries, keys))

    def sums(self, queries: jax.Array, keys: jax.Array) -> jax.Array:
        """What the hidden layer is given, `[*B, N, S, A]`."""
        return (queries @ self.query_kernel[...])[..., None, :] + keys[..., None, :, :]

    def of_sum(self, sums: jax.Array) -> jax.Array:
        """From there to the scores, `[*B, N, S]`."""
        return jnp.tanh(sums) @ self.vector[...]


class LocationScore(AdditiveScore):
    """The additive score that also sees where the step before has looked.

        f_s = Σ_j F_j α_{t-1, s+j},   |j| <= r
        e_s = vᵀ tanh(W q + U m_s + b + Z f_s)

    Content alone cannot tell apart two places that look alike; the place beside the last one is
    always another. So the attention can move along at any length.

    Source: Chorowski et al. 2015, arXiv:1506.07503, section 2.1.

    Attributes:
      filters: Z F, from the weights straight to the hidden layer, `[2 r + 1, A]`.
    """

    looks_back = True

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        *,
        rngs: nnx.Rngs,
        size: int | None = None,
        reach: int = 2,
    ):
        """Draws the parameters.

        Args:
          query_size: H.
          memory_size: M.
          rngs: its `params` stream gives the keys.
          size: A, units of the hidden layer; None: as many as a query has numbers.
          reach: r, how far from a place its filters see, in positions.

        Raises:
          ValueError: if a size is not positive.
        """
        super().__init__(query_size, memory_size, rngs=rngs, size=size)
        require_size("reach", reach)
        self.reach = reach
        init = jax.nn.initializers.lecun_normal()
        self.filters = nnx.Param(init(rngs.params(), (2 * reach + 1, len(self.bias[...]))))

    def __call__(
        self, queries: jax.Array, keys: jax.Array, previous: jax.Array | None = None
    ) -> jax.Array:
        """See `Score`."""
        sums = self.sums(queries, keys)
        if previous is not None:
            sums = sums + self._seen(previous).astype(sums.dtype) @ self.filters[...]
        return self.of_sum(sums)

    def _seen(self, weights: jax.Array) -> jax.Array:
        """The weights around each position, `[*B, N, S]` to `[*B, N, S, 2 r + 1]`."""
        size = weights.shape[-1]
        around = [(0, 0)] * (weights.ndim - 1) + [(self.reach, self.reach)]
        wide = jnp.pad(weights, around)
        shifts = [wide[..., shift : shift + size] for shift in range(2 * self.reach + 1)]
        return jnp.stack(shifts, axis=-1)


def _products(queries: jax.Array, keys: jax.Array) -> jax.Array:
    return queries @ jnp.swapaxes(keys, -1, -2)
