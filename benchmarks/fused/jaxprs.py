"""Running a jaxpr anew, with other values or other operations than it was traced with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal

# What holds a jaxpr of its own, and as which of its parameters.
INNER = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr"}
INNER |= {"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}


def run(
    closed: ClosedJaxpr,
    values: list[Any],
    number: Callable[[Any], Any],
    apply: Callable[[JaxprEqn, list[Any]], list[Any]],
) -> list[Any]:
    """Runs a jaxpr, those inside of it included.

    Args:
      closed: the jaxpr.
      values: its arguments, of any kind.
      number: makes a constant or a literal into one of that kind.
      apply: `apply(eqn, operands) -> results`, one operation.

    Returns:
      Its results, of that kind.
    """
    jaxpr = closed.jaxpr
    known = dict(zip(jaxpr.invars, values, strict=True))
    known |= dict(zip(jaxpr.constvars, map(number, closed.consts), strict=True))
    read = lambda atom: number(atom.val) if isinstance(atom, Literal) else known[atom]
    for eqn in jaxpr.eqns:
        operands = [read(atom) for atom in eqn.invars]
        inner = INNER.get(eqn.primitive.name)
        results = run(eqn.params[inner], operands, number, apply) if inner else apply(eqn, operands)
        known |= dict(zip(eqn.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def in_mosaic(function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)`, elementwise, with what `jax.vjp` makes in operations of Mosaic."""
    traced, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    apply = lambda eqn, operands: [operation(eqn, operands)]
    results = run(traced, jax.tree.leaves(arguments), lambda value: value, apply)
    return jax.tree.unflatten(jax.tree.structure(shapes), results)


def operation(eqn: JaxprEqn, operands: list[Any]) -> Any:
    """One elementwise operation, by others where Mosaic lacks it."""
    name = eqn.primitive.name
    if name == "add_any":
        return jax.lax.add(*operands)
    if name == "log1p":
        return jnp.log(1 + operands[0])
    if name == "integer_pow" and eqn.params["y"] < 0:
        return 1 / jax.lax.integer_pow(operands[0], -eqn.params["y"])
    return eqn.primitive.bind(*operands, **eqn.params)
