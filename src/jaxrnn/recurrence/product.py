"""The product with a kernel that stays the same over all steps."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cells.rules import recurrent_product

LARGE = 2**20
"""Bytes from which on a kernel is put on the left, the L2 cache of a core; a quarter more where the
result, which has to be transposed, is no narrower than h. Measured, see `benchmarks/NOTES.md`."""


class Product(NamedTuple):
    """A kernel, made ready outside the loop: `h [*B, H] -> h @ kernel [*B, G]`.

    XLA:CPU rearranges the right-hand operand of every product before it multiplies, which for a
    kernel that does not fit the cache takes longer than the product with a small batch. So a large
    kernel is transposed once, outside the loop, and stands on the left of `kernel.T @ h.T`.
    """

    kernel: jax.Array  # [H, G], or [G, H] where it stands on the left
    on_the_left: bool

    def __call__(self, h: jax.Array) -> jax.Array:
        """`h @ kernel`, multiplied in the dtype of the kernel, given in that of `h` if wider."""
        if not self.on_the_left:
            return recurrent_product(h, self.kernel, self.kernel.dtype)
        rows = h.reshape(-1, h.shape[-1]).astype(self.kernel.dtype)
        wider = jnp.promote_types(self.kernel.dtype, h.dtype)
        contract_last = (((1,), (1,)), ((), ()))
        columns = jax.lax.dot_general(
            self.kernel, rows, contract_last, preferred_element_type=wider
        )
        # Without the barrier XLA swaps the operands back.
        return jax.lax.optimization_barrier(columns).T.reshape(*h.shape[:-1], -1)


def product_with(kernel: jax.Array, compute: Any) -> Product:
    """The product with `kernel [H, G]`, multiplied in the dtype `compute`."""
    kernel = kernel.astype(compute)
    inputs, outputs = kernel.shape
    limit = LARGE if outputs < inputs else 5 * LARGE // 4
    left = kernel.size * kernel.dtype.itemsize >= limit and jax.default_backend() == "cpu"
    return Product(kernel.T if left else kernel, left)
