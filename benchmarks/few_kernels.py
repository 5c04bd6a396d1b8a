"""A layer as a `lax.scan` of as few kernels a step as XLA lets it have: a candidate for a GPU.

There each kernel of a step costs microseconds however little it does, so the loops hold only what
depends on their state. Forward: one product and one fusion; backward: the transpose of both. All
else is done for all steps at once, before or after the loops. Several steps a turn share what is
written and counted once a turn.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn import Cell
from jaxrnn.cells.cell import DenseParts
from jaxrnn.cells.checks import require
from jaxrnn.cells.rules import cast_like, recurrent_product
from jaxrnn.recurrence.pointwise import (
    parameters_of_pointwise,
    pointwise_vjp,
    uses_parameters,
)


class Plan(NamedTuple):
    """What is fixed."""

    parts: DenseParts
    steps: int  # of a turn


def few_kernels(
    cell: Cell, params: Any, carry: Any, xs: jax.Array, *, steps: int = 8
) -> tuple[Any, jax.Array]:
    """Runs a dense cell over a sequence; reverse-mode differentiation.

    Args:
      cell: a dense cell.
      params: its parameters.
      carry: state before the first step, leaves `[*B, H]`.
      xs: inputs `[T, *B, D]`; T is not 0.
      steps: how many steps stand in the body of a loop.

    Returns:
      The carry after the last step and the outputs `[T, *B, H]`, as `unroll` does.
    """
    parts: Any = cell.dense
    require(parts is not None, "cell", "be dense", cell)
    ran: Any = _run(Plan(parts, steps), params, carry, xs)
    return ran


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run(plan: Plan, params: Any, carry: Any, xs: jax.Array) -> Any:
    return _forward(plan, params, carry, xs)[0]


def _forward(plan: Plan, params: Any, carry: Any, xs: jax.Array) -> Any:
    parts, kernel = plan.parts, plan.parts.recurrent_kernel(params)
    zs = parts.project(params, xs)

    def step(carry: Any, z: jax.Array) -> tuple[Any, jax.Array]:
        r = recurrent_product(parts.hidden(carry), kernel, z.dtype)
        return parts.pointwise(params, carry, z, r)

    def packed(carry: Any, z: jax.Array) -> tuple[Any, Any]:
        after, y = step(carry, z)
        return after, _packed((after, y))

    last, rows = jax.lax.scan(packed, carry, zs, unroll=plan.steps)
    after, ys = _unpacked(rows, jax.eval_shape(step, carry, zs[0]))
    return (last, ys), (params, carry, xs, zs, after)


def _backward(plan: Plan, kept: Any, cotangents: Any) -> Any:
    params, carry, xs, zs, after = kept
    (d_last, d_ys), parts, vjp = cotangents, plan.parts, pointwise_vjp(plan.parts)
    kernel, to_params = jax.vjp(parts.recurrent_kernel, params)
    ahead = lambda first, rest: jnp.concatenate([first[None], rest[:-1]])
    before = jax.tree.map(ahead, carry, after)
    h = parts.hidden(before)
    rs = recurrent_product(h, kernel, zs.dtype)
    saved = vjp.forward(params, before, zs, rs)[2]
    inside = vjp.parameters is None and uses_parameters(parts, params, carry, zs[0], rs[0])

    def step(d_carry: Any, given: Any) -> tuple[Any, Any]:
        before, saved, d_y = given
        d_before, d_z, d_r = vjp.backward(params, saved, before, d_carry, d_y)
        (d_hidden,) = jax.vjp(parts.hidden, before)[1](
            recurrent_product(d_r, kernel.T, zs.dtype).astype(h.dtype)
        )
        add = lambda more, d: d if more is None else more + d
        d_next = jax.tree.map(add, d_before, d_hidden, is_leaf=lambda leaf: leaf is None)
        apart = None if d_z is d_r else d_z.astype(zs.dtype)
        made = d_r.astype(zs.dtype), apart, d_carry if inside else None
        return cast_like(d_next, d_carry), made

    given = before, saved, d_ys
    d_first, (d_rs, d_zs, d_carries) = jax.lax.scan(
        step, d_last, given, reverse=True, unroll=plan.steps
    )
    d_zs = d_rs if d_zs is None else d_zs
    d_params, d_xs = jax.vjp(parts.project, params, xs)[1](d_zs)
    times = [*range(zs.ndim - 1)]
    d_kernel = jnp.tensordot(h.astype(d_rs.dtype), d_rs, (times, times))
    sums = [d_params, *to_params(d_kernel.astype(kernel.dtype))]
    if vjp.parameters is not None:
        sums.append(vjp.parameters(params, before, d_zs, d_rs))
    if inside:
        sums.append(parameters_of_pointwise(parts, params, saved, before, d_carries, d_ys))
    return jax.tree.map(lambda *each: sum(each[1:], each[0]), *sums), d_first, d_xs


_run.defvjp(_forward, _backward)


def _packed(tree: Any) -> list[jax.Array]:
    """Arrays of one shape and dtype as one, so that one kernel writes them."""
    kinds: dict[Any, list[jax.Array]] = {}
    for leaf in jax.tree.leaves(tree):
        kinds.setdefault((leaf.shape, leaf.dtype), []).append(leaf)
    return [jnp.stack(leaves) for leaves in kinds.values()]


def _unpacked(rows: list[jax.Array], like: Any) -> Any:
    """Undoes `_packed`, after it was done for each step."""
    leaves, structure = jax.tree.flatten(like)
    places: dict[Any, int] = {}
    of_kind = {(row.shape[2:], row.dtype): row for row in rows}
    found = []
    for leaf in leaves:
        kind = leaf.shape, leaf.dtype
        found.append(of_kind[kind][:, places.get(kind, 0)])
        places[kind] = places.get(kind, 0) + 1
    return structure.unflatten(found)
