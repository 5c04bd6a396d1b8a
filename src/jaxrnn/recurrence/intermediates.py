"""What a function computes on the way to its results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import Literal, jaxpr_as_fun

EXPENSIVE = {
    "tanh", "logistic", "exp", "exp2", "expm1", "log", "log1p", "sin", "cos", "tan", "erf", "sqrt",
    "rsqrt", "cbrt", "pow", "div", "custom_jvp_call", "reduce_sum", "reduce_max", "dot_general",
}  # fmt: skip
"""Primitives whose result XLA:CPU stores if it is used more than once, rather than repeat them."""


def with_intermediates(function: Callable[..., Any], *args: Any) -> tuple[Any, list[jax.Array]]:
    """`function(*args)`, and beside it the arrays that XLA:CPU will store on the way.

    Those are products, operands and results of concatenations, and what is expensive and used
    twice.
    """
    with jax.disable_jit():  # so that nothing is hidden inside a nested `jit`
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
    jaxpr = closed.jaxpr
    uses = Counter(
        v for atoms in (*(e.invars for e in jaxpr.eqns), jaxpr.outvars)
        for v in atoms if not isinstance(v, Literal)
    )  # fmt: skip
    stored: dict[Any, None] = {}  # in the order in which they are made
    computed = set(jaxpr.invars)
    for eqn in jaxpr.eqns:
        if computed.isdisjoint(v for v in eqn.invars if not isinstance(v, Literal)):
            continue  # a constant
        computed |= set(eqn.outvars)
        if eqn.primitive.name == "concatenate":
            operands = [v for v in eqn.invars if not isinstance(v, Literal)]
            stored |= dict.fromkeys([*operands, *eqn.outvars])
        elif eqn.primitive.name in EXPENSIVE:
            twice = [v for v in eqn.outvars if uses[v] > 1]
            stored |= dict.fromkeys(eqn.outvars if eqn.primitive.name == "dot_general" else twice)
    extra = [v for v in stored if v in computed and v not in jaxpr.invars]
    more = jaxpr.replace(outvars=[*jaxpr.outvars, *extra])
    made = jaxpr_as_fun(closed.replace(jaxpr=more))(*jax.tree.leaves(args))
    outputs = jax.tree.unflatten(jax.tree.structure(shapes), made[: len(jaxpr.outvars)])
    return outputs, made[len(jaxpr.outvars) :]


def distinct(arrays: list[jax.Array]) -> list[jax.Array]:
    """Each array once; the state of a loop would hold a copy of any other."""
    return list({id(array): array for array in arrays}.values())
