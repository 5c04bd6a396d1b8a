"""What the passes of the chunked engine share: what is fixed, what goes in, what is kept."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxrnn.cells.cell import DenseParts
from jaxrnn.cells.rules import recurrent_product
from jaxrnn.recurrence.pointwise import pointwise_vjp
from jaxrnn.recurrence.product import Product, product_with
from jaxrnn.recurrence.shares import Share


class Plan(NamedTuple):
    """What is fixed when the engine is compiled."""

    parts: DenseParts
    length: int  # K
    block: int  # steps whose inputs are projected by one matmul
    gates: int  # G / H; 0 if H does not divide G
    keep: str
    reverse: bool
    shares: tuple[Share | None, ...]  # of the batch, that run side by side; (None,): all in one
    in_place: bool = True  # False: by `lax.scan`, which can be differentiated


class Inputs(NamedTuple):
    """What goes into the steps, of all sequences and over all of time."""

    xs: jax.Array  # [T, *B, D]
    valid: jax.Array | None  # [T, *B]
    starts: jax.Array | None  # [T, *B]


class Invariants(NamedTuple):
    """What every step uses, made before the loop."""

    params: Any
    product: Product  # h -> h @ w_h
    start_carry: Any
    one: jax.Array  # the integer 1, see `ordering`


class Kept(NamedTuple):
    """What the forward pass of a share leaves for the backward pass; None where it keeps none."""

    done: jax.Array  # the integer 1, known when the forward pass has run
    borders: Any = None  # the carry that entered each chunk, leaves [T / K, *B, ...]
    before: Any = None  # the carry that entered each step, leaves [T, *B, ...]
    saved: Any = None  # what the pointwise part saved, a list of leaves [T, *B, ...]


def invariants_of(
    plan: Plan, params: Any, start_carry: Any, compute: Any, one: jax.Array
) -> Invariants:
    """What every step uses; the products are made in the dtype `compute`."""
    kernel = plan.parts.recurrent_kernel(params)
    product = product_with(kernel, compute)
    return Invariants(params, product, start_carry, one)


def apart(plan: Plan) -> bool:
    """Whether z has to stand on its own before it is used.

    A `forward` written by hand takes z + r first if it is additive, or each gate on its own. Of one
    that does neither XLA:CPU vectorises nothing if the slot is read inside.
    """
    simple = plan.parts.additive or plan.gates == 1
    return not simple and (plan.parts.pointwise_vjp is None or plan.gates == 0)


def project(parts: DenseParts, params: Any, xs: jax.Array) -> jax.Array:
    """`z [K, *B, G]` of some steps `[K, *B, D]`, as rows of one matrix."""
    return parts.project(params, xs.reshape(-1, xs.shape[-1])).reshape(*xs.shape[:-1], -1)


class StepShapes(NamedTuple):
    """Shapes and dtypes of what one step makes."""

    z: jax.ShapeDtypeStruct
    r: jax.ShapeDtypeStruct
    y: jax.ShapeDtypeStruct
    saved_leaves: list[jax.ShapeDtypeStruct]
    saved: Any  # the structure of the pytree with these leaves


def step_shapes(parts: DenseParts, params: Any, carry: Any, xs: jax.Array) -> StepShapes:
    """What one step makes of the sequences of `carry`, with inputs like those of `xs`."""

    def step(carry: Any, x: jax.Array) -> Any:
        z = parts.project(params, x)
        r = recurrent_product(parts.hidden(carry), parts.recurrent_kernel(params), z.dtype)
        _, y, saved = pointwise_vjp(parts).forward(params, carry, z, r)
        return z, r, y, saved

    batch = jax.eval_shape(parts.hidden, carry).shape[:-1]
    x = jax.ShapeDtypeStruct((*batch, xs.shape[-1]), xs.dtype)
    z, r, y, saved = jax.eval_shape(step, carry, x)
    return StepShapes(z, r, y, *jax.tree.flatten(saved))
