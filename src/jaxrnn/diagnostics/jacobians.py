"""The Jacobian of a step, and of many steps: what becomes of a small change of the state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.cells.cell import Cell, StepFn
from jaxrnn.cells.checks import require
from jaxrnn.diagnostics.trajectory import floating_parts, states, step_of
from jaxrnn.recurrence.arguments import batch_shape


class Spectrum(NamedTuple):
    """Two sizes of each of many matrices, as natural logarithms; -inf for one that is zero."""

    log_norm: np.ndarray  # [T, *B] log of the largest singular value
    log_radius: np.ndarray  # [T, *B] log of the largest absolute eigenvalue


def step_jacobians(cell: Cell | StepFn, params: Any, carry: Any, xs: Any) -> jax.Array:
    """Jacobian of every step of a run, with the floating leaves of the carry as one vector.

        J_t = ∂s_t / ∂s_{t-1}      at x_t, for t = 1 .. T

    Args:
      cell: a `Cell`, or any function `step(params, carry, x) -> (carry, y)`, whose whole carry is
        then one state.
      params: its parameters.
      carry: state before the first step, leaves `[*B, ...]`.
      xs: inputs `[T, *B, D]`.

    Returns:
      `[T, *B, S, S]`, rows for the state after the step, in the order of `flat_states`.

    Raises:
      ValueError: if an argument does not fit, as in `unroll`.

    >>> turn = lambda params, h, x: (jnp.array([[0.0, -1.0], [1.0, 0.0]]) @ h + x, h)
    >>> step_jacobians(turn, None, jnp.zeros(2), jnp.ones((5, 2)))[3].tolist()
    [[0.0, -1.0], [1.0, 0.0]]
    """
    all_states, _ = states(cell, params, carry, xs)
    before = jax.tree.map(lambda leaf: leaf[:-1], all_states)
    xs = jax.tree.map(jnp.asarray, xs)

    def jacobian(carry: Any, x: Any) -> jax.Array:
        step, vector = flat_step(cell, params, carry, x)
        return jax.jacfwd(step)(vector)

    for _ in range(1 + len(batch_shape(cell, carry))):
        jacobian = jax.vmap(jacobian)
    return jax.jit(jacobian)(before, xs)


def flat_step(
    cell: Cell | StepFn, params: Any, carry: Any, x: Any
) -> tuple[Callable[[jax.Array], jax.Array], jax.Array]:
    """One step of one sequence as a function from vector to vector, and the vector to start at."""
    leaves, tree = jax.tree.flatten(carry)
    parts = floating_parts(carry)
    cuts = np.cumsum([part.size for part in parts])[:-1]

    def merge(vector: jax.Array) -> Any:
        pieces = zip(jnp.split(vector, cuts), parts, strict=True)
        real = iter([piece.reshape(part.shape).astype(part.dtype) for piece, part in pieces])
        merged = []
        for leaf in leaves:
            if jnp.iscomplexobj(leaf):
                merged.append(jax.lax.complex(next(real), next(real)))
            else:
                floating = jnp.issubdtype(leaf.dtype, jnp.inexact)
                merged.append(next(real) if floating else leaf)
        return jax.tree.unflatten(tree, merged)

    def step(vector: jax.Array) -> jax.Array:
        after, _ = step_of(cell)(params, merge(vector), x)
        return _ravel(floating_parts(after))

    return step, _ravel(parts)


def _ravel(parts: list[jax.Array]) -> jax.Array:
    return jnp.concatenate([part.ravel() for part in parts])


def spectrum(matrices: Any) -> Spectrum:
    """Norm and spectral radius of each matrix.

    Args:
      matrices: `[..., S, S]`, for example what `step_jacobians` gives.

    Returns:
      A `Spectrum` of `[...]`.

    >>> round(float(spectrum(jnp.diag(jnp.array([0.5, -2.0]))).log_radius), 4)
    0.6931
    """
    matrices = np.asarray(matrices)
    matrices = matrices.astype(np.promote_types(matrices.dtype, np.float32))
    with np.errstate(divide="ignore"):  # the logarithm of 0 is -inf
        log_norm = np.log(np.linalg.norm(matrices, 2, axis=(-2, -1)))
        log_radius = np.log(np.abs(np.linalg.eigvals(matrices)).max(-1))
    return Spectrum(log_norm, log_radius)


def product_spectrum(jacobians: jax.Array, *, back_from_end: bool = False) -> Spectrum:
    """Norm and spectral radius of the products of Jacobians over growing spans.

        P_t = J_t J_{t-1} ... J_1 = ∂s_t / ∂s_0                      for t = 1 .. T

    or, back from the end, entry t-1 for P_t = J_T ... J_t = ∂s_T / ∂s_{t-1}. The products are kept
    at norm 1 and their scale as a logarithm, so no span is too long for the range of a float.

    Source: Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063, section 2.

    Args:
      jacobians: `[T, *B, S, S]`.
      back_from_end: let spans grow back from the last step and not on from the first.

    Returns:
      A `Spectrum` of `[T, *B]`.

    Raises:
      ValueError: if the matrices are not square.

    >>> halves = jnp.full((3000, 1, 1), 0.5)
    >>> round(float(product_spectrum(halves).log_norm[-1] / jnp.log(0.5)), 2)
    3000.0
    """
    square = jacobians.ndim >= 3 and jacobians.shape[-1] == jacobians.shape[-2]
    require(square, "jacobians", "have the shape [T, *B, S, S]", jacobians.shape)
    jacobians = jacobians.astype(jnp.promote_types(jacobians.dtype, jnp.float32))
    first = jnp.broadcast_to(jnp.eye(jacobians.shape[-1]), jacobians.shape[1:])

    def body(product: jax.Array, jacobian: jax.Array) -> tuple[jax.Array, Any]:
        product = product @ jacobian if back_from_end else jacobian @ product
        size = jnp.linalg.norm(product, axis=(-2, -1))
        size = jnp.where(size > 0, size, 1)
        product = product / size[..., None, None]
        return product, (product, size)

    start = first.astype(jacobians.dtype)
    _, (products, sizes) = jax.lax.scan(body, start, jacobians, reverse=back_from_end)
    logs = np.log(np.asarray(sizes, np.float64))  # a long sum, so in float64
    log_scales = np.cumsum(logs[::-1], 0)[::-1] if back_from_end else np.cumsum(logs, 0)
    unit = spectrum(products)
    return Spectrum(unit.log_norm + log_scales, unit.log_radius + log_scales)
