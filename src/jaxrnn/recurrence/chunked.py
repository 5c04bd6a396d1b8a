"""The chunked engine: exact BPTT for dense cells, with nothing in its loops that need not be there.

Forward, the inputs of a chunk of K steps are projected by one matmul, and the loop over the steps
holds only `h @ w_h` and the pointwise part. Backward, the loop holds only the transpose of the
pointwise part and `dr @ w_h.T`; the gradient of each weight is one matmul after it. What the
backward pass reads and what it makes share their memory, and nothing is computed in a loop that is
not part of its state, so that two halves of a batch can run side by side on two cores.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal, NamedTuple

import jax

from jaxrnn.cells.cell import DenseParts
from jaxrnn.recurrence.chunked_backward import backward, backward_in_shares
from jaxrnn.recurrence.chunked_forward import forward, forward_in_shares
from jaxrnn.recurrence.plan import Inputs, Kept, Plan
from jaxrnn.recurrence.shares import cut

BLOCK_BYTES = 2 * 2**20
"""Pre-activations that one matmul makes, if no length is given: enough for two cores to share the
product, and about what their L2 caches hold; measured, see `benchmarks/NOTES.md`."""

CHUNK_BYTES = 8 * 2**20
"""Pre-activations of a chunk that is recovered from carries, if no length is given: a choice of
memory, not measured against others."""


class Chunked(NamedTuple):
    """The chunked engine as a backend of `unroll`, with its knobs.

    Attributes:
      length: K, steps in a chunk; what is left of T is a shorter chunk of its own. With "gates" it
        is the steps that one matmul projects: if None, as many as have 2 MiB of pre-activations.
        With "carries" and "borders" it is the steps that the backward pass recovers at once: if
        None, as many as have 8 MiB of pre-activations, or about the square root of T.
      keep: what is stored for the backward pass. "gates": activations and carries of every step,
        the fastest; "carries": those alone, and one matmul for each chunk recovers the rest;
        "borders": the carry at the border of each chunk, from which the chunk is run again, so that
        memory grows with T / K + K.
      shares: into how many parts the batch is cut, its first axis if it has several; they run side
        by side on the cores of a CPU. If None, two where that is faster. With "carries" and
        "borders" it is always one.
    """

    length: int | None = None
    keep: Literal["gates", "carries", "borders"] = "gates"
    shares: int | None = None


def chunked(
    parts: DenseParts,
    params: Any,
    carry: Any,
    xs: jax.Array,
    start_carry: Any,
    valid: jax.Array | None,
    starts: jax.Array | None,
    reverse: bool,
    backend: Chunked,
) -> tuple[Any, jax.Array]:
    """Runs a dense cell over the leading axis of `xs`; reverse-mode differentiation only.

    Args:
      parts: the dense cell.
      params: its parameters.
      carry: state before the first step that runs, leaves `[*B, ...]`.
      xs: inputs `[T, *B, D]`.
      start_carry: state at a start, leaves `[*B, ...]`; None without `starts`.
      valid: `[T, *B]`; where false the carry freezes and the output is zero. None: all are.
      starts: `[T, *B]`; where true the carry becomes `start_carry` before the step. None: nowhere.
      reverse: run from the last step to the first.
      backend: the length of a chunk and what is kept.

    Returns:
      As `scan`: the carry after the last step that ran, and the outputs `[T, *B, H]`.
    """
    length = chunk_length(backend, parts, params, xs)
    block = length
    if backend.keep != "gates":
        block = min(length, _steps_of(BLOCK_BYTES, parts, params, xs))
    h, g = jax.eval_shape(parts.recurrent_kernel, params).shape
    gates = g // h if g % h == 0 else 0
    shares = cut(backend.shares if backend.keep == "gates" else 1, xs.shape[1:-1])
    # Elsewhere a loop whose length is known is better than one in place.
    in_place = jax.default_backend() == "cpu"
    plan = Plan(parts, length, block, gates, backend.keep, reverse, shares, in_place)
    return _run(plan, params, start_carry, carry, Inputs(xs, valid, starts))


def chunk_length(backend: Chunked, parts: DenseParts, params: Any, xs: Any) -> int:
    """The steps in a chunk, K: what `backend` says, or what suits the shapes."""
    length = xs.shape[0]
    if backend.length is not None:
        return min(backend.length, length)
    if backend.keep == "borders":
        root = math.ceil(math.sqrt(length))
        # A shorter last chunk is compiled apart and has arrays of its own.
        return next((k for k in range(root, 3 * root // 2 + 1) if length % k == 0), root)
    room = BLOCK_BYTES if backend.keep == "gates" else CHUNK_BYTES
    return _steps_of(room, parts, params, xs)


def _steps_of(room: int, parts: DenseParts, params: Any, xs: Any) -> int:
    """How many steps have about `room` bytes of pre-activations, so that all chunks are alike."""
    z = jax.eval_shape(parts.project, params, jax.ShapeDtypeStruct(xs.shape[1:], xs.dtype))
    most = max(1, room // max(1, z.size * z.dtype.itemsize))
    return math.ceil(len(xs) / math.ceil(len(xs) / most))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run(
    plan: Plan, params: Any, start_carry: Any, carry: Any, inputs: Inputs
) -> tuple[Any, jax.Array]:
    return _forward(plan, params, start_carry, carry, inputs, False)[0]


def _run_forward(
    plan: Plan, params: Any, start_carry: Any, carry: Any, inputs: Inputs
) -> tuple[tuple[Any, jax.Array], Any]:
    outputs, kept = _forward(plan, params, start_carry, carry, inputs, True)
    return outputs, (params, start_carry, inputs, kept)


def _run_backward(plan: Plan, residuals: Any, cotangents: Any) -> tuple[Any, Any, Any, Inputs]:
    return _backward(plan, residuals, cotangents)


_run.defvjp(_run_forward, _run_backward)


@partial(jax.custom_jvp, nondiff_argnums=(0, 5))
def _forward(
    plan: Plan, params: Any, start_carry: Any, carry: Any, inputs: Inputs, store: bool
) -> tuple[tuple[Any, jax.Array], list[Kept]]:
    """All shares, one after the other in the program; nothing in it makes one wait for another."""
    if plan.shares == (None,):
        outputs, kept = forward(plan, params, start_carry, carry, inputs, store)
        return outputs, [kept]
    return forward_in_shares(plan, params, start_carry, carry, inputs, store)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _backward(plan: Plan, residuals: Any, cotangents: Any) -> tuple[Any, Any, Any, Inputs]:
    back = backward if plan.shares == (None,) else backward_in_shares
    d_params, d_start, d_carry, d_xs = back(plan, residuals, cotangents)
    return d_params, d_start, d_carry, Inputs(d_xs, None, None)


@_forward.defjvp
def _forward_twice(plan: Plan, store: bool, primals: Any, tangents: Any) -> Any:
    """A loop in place cannot be differentiated; the same by `lax.scan` can."""
    return jax.jvp(
        lambda *given: _forward.fun(plan._replace(in_place=False), *given, store), primals, tangents
    )


@_backward.defjvp
def _backward_twice(plan: Plan, primals: Any, tangents: Any) -> Any:
    return jax.jvp(partial(_backward.fun, plan._replace(in_place=False)), primals, tangents)


chunked_compiled = jax.jit(
    chunked, static_argnames=("parts", "reverse", "backend"), inline=True
)  # for use outside `jit`, as `scan_compiled`
