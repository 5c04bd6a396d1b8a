"""The pointwise part of a dense cell, gate by gate.

A kernel keeps each gate of a few units in registers, which cannot be sliced or joined. So the jaxpr
of `pointwise` is run on lists of gates in the place of arrays `[*B, G]`: what slices or joins picks
from the lists, what broadcasts does nothing, the rest is elementwise. Units and sequences may then
lie along any axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, JaxprEqn

from fused import jaxprs
from jaxrnn.cells.cell import DenseParts
from jaxrnn.cells.checks import require

Gates = list[Any]  # one array for each gate, or numbers

SHAPELESS = {"broadcast_in_dim", "reshape", "squeeze", "expand_dims", "copy"}
ELEMENTWISE = {"add", "sub", "mul", "div", "neg", "max", "min", "abs", "sign", "pow", "integer_pow"}
ELEMENTWISE |= {"square", "sqrt", "rsqrt", "exp", "exp2", "expm1", "log", "log1p", "tanh"}
ELEMENTWISE |= {"logistic", "erf", "sin", "cos", "select_n", "clamp", "convert_element_type"}
ELEMENTWISE |= {"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "is_finite"}


class PerGate(NamedTuple):
    """A cell's pointwise part on lists of gates.

    Attributes:
      size: H.
      gates: G / H.
      inside: which leaves of the parameters are in `pointwise`, by their number.
      reads: of each leaf of the carry, whether `pointwise` reads it.
      point: `point(inside, carry, z, r) -> (carry, y)`, where `inside`, z and r are lists of gates
        and the carry a sequence of its leaves.
      hidden: `hidden(carry) -> h`.
    """

    size: int
    gates: int
    inside: tuple[int, ...]
    reads: tuple[bool, ...]
    point: Callable[[Sequence[Gates], Sequence[Any], Gates, Gates], tuple[tuple[Any, ...], Any]]
    hidden: Callable[[Sequence[Any]], Any]


def per_gate(parts: DenseParts, params: Any, carry: Any) -> PerGate:
    """Takes a cell apart.

    Args:
      parts: the dense cell.
      params: its parameters, or their shapes.
      carry: its carry, or the shapes.

    Raises:
      ValueError: if `pointwise` is not elementwise in units of the size H.
    """
    wide = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, jnp.float32)
    params, leaves = jax.tree.map(wide, params), jax.tree.leaves(params)
    state, structure = jax.tree.flatten(carry)
    size, width = jax.eval_shape(parts.recurrent_kernel, params).shape
    whole = width and width % size == 0
    require(bool(whole), "cell", "have gates of the size H, each with a recurrent product", width)
    row, one = (jax.ShapeDtypeStruct((1, n), jnp.float32) for n in (width, size))
    start = [one] * len(state)

    def pointwise(params: Any, carry: Any, z: jax.Array, r: jax.Array) -> Any:
        return parts.pointwise(params, structure.unflatten(carry), z, r)

    traced = jax.make_jaxpr(pointwise)(params, start, row, row)
    hidden = jax.make_jaxpr(lambda carry: parts.hidden(structure.unflatten(carry)))(start)
    read = {id(v) for eqn in traced.jaxpr.eqns for v in eqn.invars}
    reads = [id(v) in read for v in traced.jaxpr.invars]
    inside = tuple(n for n in range(len(leaves)) if reads[n])
    vectors = all(leaves[n].ndim == 1 and leaves[n].size % size == 0 for n in inside)
    require(vectors, "cell", "have no parameters but vectors in `pointwise`", inside)

    def point(given: Sequence[Gates], carry: Sequence[Any], z: Gates, r: Gates) -> Any:
        values: list[Any] = [None] * len(leaves)
        for number, gates in zip(inside, given, strict=True):
            values[number] = gates
        *after, y = _run(traced, size, [*values, *([leaf] for leaf in carry), z, r])
        return tuple(leaf for (leaf,) in after), y[0]

    state_reads = tuple(reads[len(leaves) : len(leaves) + len(state)])
    one_of = lambda carry: _run(hidden, size, [[leaf] for leaf in carry])[0][0]
    gate, gates = jax.ShapeDtypeStruct((size, 1), jnp.float32), width // size
    given = [[gate] * (leaves[number].size // size) for number in inside]
    jax.eval_shape(point, given, [gate] * len(state), [gate] * gates, [gate] * gates)  # or raises
    return PerGate(size, gates, inside, state_reads, point, one_of)


def _run(closed: ClosedJaxpr, size: int, values: list[Gates]) -> list[Gates]:
    """Runs a jaxpr on lists of gates."""
    return jaxprs.run(closed, values, _number, partial(_apply, size))


def _number(value: Any) -> Gates:
    require(
        jnp.ndim(value) == 0, "cell", "have no constant arrays in `pointwise`", jnp.shape(value)
    )
    return [value]


def _apply(size: int, eqn: JaxprEqn, operands: list[Gates]) -> list[Gates]:
    name = eqn.primitive.name
    widths = [_gates(_aval(v).shape, size) for v in eqn.outvars]
    if name == "split":
        starts = [sum(widths[:n]) for n in range(len(widths))]
        return [operands[0][at : at + n] for at, n in zip(starts, widths, strict=True)]
    if name == "slice":
        start = eqn.params["start_indices"][-1]
        require(start % size == 0, "cell", f"slice z and r at multiples of H = {size}", start)
        return [operands[0][start // size : start // size + widths[0]]]
    if name == "concatenate":
        counts = [_gates(_aval(atom).shape, size) for atom in eqn.invars]
        joined = [_as_many(gates, n) for gates, n in zip(operands, counts, strict=True)]
        return [[gate for gates in joined for gate in gates]]
    if name in SHAPELESS:
        return [_as_many(operands[0], widths[0])]
    require(name in ELEMENTWISE, "cell", "have an elementwise `pointwise`", name)
    rows = zip(*(_as_many(gates, widths[0]) for gates in operands), strict=True)
    return [[_elementwise(eqn, row) for row in rows]]


def _gates(shape: tuple[int, ...], size: int) -> int:
    """How many gates stand side by side on the last axis; a number counts as one."""
    return shape[-1] // size if shape and shape[-1] % size == 0 else 1


def _aval(atom: Any) -> Any:
    """Shape and dtype of what stands in a jaxpr."""
    return atom.aval


def _as_many(gates: Gates, count: int) -> Gates:
    return gates if len(gates) == count else gates * count


def _elementwise(eqn: JaxprEqn, operands: Sequence[Any]) -> Any:
    """One operation on one gate; numbers take the shape of what they meet."""
    shape = max((jnp.shape(each) for each in operands), key=len)
    full = [
        each if jnp.shape(each) == shape else jnp.full(shape, each, _aval(atom).dtype)
        for each, atom in zip(operands, eqn.invars, strict=True)
    ]
    return jaxprs.operation(eqn, full)
