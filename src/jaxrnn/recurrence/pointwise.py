"""The derivative of a cell's pointwise part: the cell's own, or one that JAX derives."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.cell import DenseParts, PointwiseVJP


@lru_cache(maxsize=64)
def pointwise_vjp(parts: DenseParts) -> PointwiseVJP:
    """The derivative that comes with a cell; otherwise that of `jax.vjp`, from z and r.

    Of an additive cell the sum of z and r is saved, and `d_z` is the same array as `d_r`. What
    `jax.vjp` gives has no `parameters`, see `parameters_of_pointwise`.
    """
    if parts.pointwise_vjp is not None:
        return parts.pointwise_vjp

    def forward(params: Any, carry: Any, z: jax.Array, r: jax.Array) -> tuple[Any, Any, Any]:
        return *parts.pointwise(params, carry, z, r), z + r if parts.additive else (z, r)

    def backward(params: Any, saved: Any, carry: Any, d_carry: Any, d_y: jax.Array) -> Any:
        def point(carry: Any, saved: Any) -> Any:
            return parts.pointwise(params, carry, *_gates(parts, saved, d_y.dtype))

        d_before, d_saved = jax.vjp(point, carry, saved)[1]((d_carry, d_y))
        used = _used(parts, params, carry, *_gates(parts, saved, d_y.dtype))[1]
        d_before = jax.tree.map(lambda leaf, used: leaf if used else None, d_before, used)
        return d_before, *((d_saved, d_saved) if parts.additive else d_saved)

    return PointwiseVJP(forward, backward)


def parameters_of_pointwise(
    parts: DenseParts, params: Any, saved: Any, carry: Any, d_carry: Any, d_y: jax.Array
) -> Any:
    """The gradient of the parameters inside `pointwise` by `jax.vjp`, all steps at once."""

    def point(params: Any) -> Any:
        return parts.pointwise(params, carry, *_gates(parts, saved, d_y.dtype))

    return jax.vjp(point, params)[1]((d_carry, d_y))[0]


def uses_parameters(parts: DenseParts, params: Any, carry: Any, z: Any, r: Any) -> bool:
    """Whether there are parameters in the pointwise part."""
    return any(jax.tree.leaves(_used(parts, params, carry, z, r)[0]))


def _used(parts: DenseParts, params: Any, carry: Any, z: Any, r: Any) -> tuple[Any, Any]:
    """Of the parameters and of the carry, which leaves the pointwise part makes use of."""
    shape = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)
    given = jax.tree.map(shape, (params, carry, z, r))
    jaxpr = jax.make_jaxpr(parts.pointwise)(*given).jaxpr
    inside = {id(v) for atoms in (*(e.invars for e in jaxpr.eqns), jaxpr.outvars) for v in atoms}
    leaves, structure = jax.tree.flatten(given[:2])
    return structure.unflatten(id(v) in inside for v in jaxpr.invars[: len(leaves)])


def _gates(parts: DenseParts, saved: Any, dtype: Any) -> tuple[jax.Array, jax.Array]:
    """z and r, or of an additive cell two arrays with their sum."""
    return (jnp.zeros((), dtype), saved) if parts.additive else saved
