"""The door of `unroll`: every argument is checked, and named if it is wrong, before compilation."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxrnn.cells.cell import Cell, StepFn
from jaxrnn.cells.checks import require, require_floating, require_size
from jaxrnn.recurrence.chunked import Chunked


class Arguments(NamedTuple):
    """The arguments of `unroll` as arrays that fit each other."""

    carry: Any  # leaves [*B, ...]
    xs: Any  # leaves [T, *B, ...]
    seq_lengths: jax.Array | None  # [*B]
    resets: jax.Array | None  # [T, *B]
    reset_carry: Any  # leaves [*B, ...]; None without resets


def check_arguments(
    cell: Cell | StepFn,
    params: Any,
    carry: Any,
    xs: Any,
    seq_lengths: Any,
    resets: Any,
    reset_carry: Any,
) -> Arguments:
    """Checks what `unroll` was given and fills in what was left out."""
    require(callable(cell) or isinstance(cell, Cell), "cell", "be a Cell or a function", repr(cell))
    carry, xs = jax.tree.map(jnp.asarray, (carry, xs))
    length = _check_time(xs)
    batch_shape = _check_features(cell, xs) if isinstance(cell, Cell) else None
    if seq_lengths is not None:
        seq_lengths = _check_lengths(seq_lengths, length, batch_shape)
        batch_shape = seq_lengths.shape
        _check_batch("seq_lengths", seq_lengths, batch_shape, carry)
    if resets is not None:
        resets = _check_resets(resets, length, batch_shape)
        batch_shape = resets.shape[1:]
        _check_batch("resets", resets, batch_shape, carry)
    if isinstance(cell, Cell) and batch_shape is not None:
        _check_like("carry", carry, jax.eval_shape(lambda: cell.initial_carry(batch_shape)))
    if isinstance(cell, Cell) and _is_dense(cell):
        _check_like("params", params, _params_shape(cell))
        for path, leaf in jax.tree.leaves_with_path(carry):
            require_floating("carry" + jax.tree_util.keystr(path), leaf)
    else:
        _check_step(cell.step if isinstance(cell, Cell) else cell, params, carry, xs)
    if resets is None:
        return Arguments(carry, xs, seq_lengths, None, None)
    if reset_carry is None:
        rule = "be given with `resets` when `cell` is a bare step function"
        require(isinstance(cell, Cell), "reset_carry", rule, reset_carry)
        reset_carry = cell.initial_carry(batch_shape) if isinstance(cell, Cell) else None
    return Arguments(carry, xs, seq_lengths, resets, _like(reset_carry, carry))


def check_backend(backend: Any, remat: Any) -> None:
    """Raises ValueError unless `backend` and `remat` are choices of `unroll` that go together."""
    chunked = isinstance(backend, Chunked)
    known = chunked or (isinstance(backend, str) and backend in ("auto", "scan"))
    require(known, "backend", 'be "auto", "scan" or a Chunked', repr(backend))
    if chunked:
        if backend.length is not None:
            require_size("backend.length", backend.length)
        if backend.shares is not None:
            require_size("backend.shares", backend.shares)
        choices = ("gates", "carries", "borders")
        require(backend.keep in choices, "backend.keep", f"be one of {choices}", backend.keep)
        rule = 'be None where `backend` is a Chunked, which has keep="borders" for that'
        require(remat is None, "remat", rule, repr(remat))
    known = remat is None or (isinstance(remat, str) and remat in ("sqrt", "recursive"))
    if not known:
        number = isinstance(remat, int) and not isinstance(remat, bool) and remat > 0
        rule = 'be None, a positive number of steps, "sqrt" or "recursive"'
        require(number, "remat", rule, repr(remat))


def batch_shape(cell: Cell | StepFn, carry: Any) -> tuple[int, ...]:
    """The leading axes of a carry that are batch; a bare step function is taken to have none."""
    if not isinstance(cell, Cell):
        return ()
    alone = jax.eval_shape(lambda: cell.initial_carry())
    pairs = zip(jax.tree.leaves(alone), jax.tree.leaves(carry), strict=True)
    return next((leaf.shape[: leaf.ndim - one.ndim] for one, leaf in pairs), ())


def _check_time(xs: Any) -> int:
    """Returns T, the size of the leading axis of every leaf of `xs`."""
    leaves = jax.tree.leaves(xs)
    require(bool(leaves), "xs", "hold at least one array", xs)
    for leaf in leaves:
        same = leaf.ndim > 0 and leaf.shape[0] == leaves[0].shape[0]
        require(same, "xs", "have one time axis, first in every leaf", leaf.shape)
    return leaves[0].shape[0]


def _check_features(cell: Cell, xs: Any) -> tuple[int, ...] | None:
    """Returns the batch shape of `xs [T, *B, *in_shape]`; None if the cell names no input shape."""
    if cell.in_shape is None:
        return None
    one = isinstance(xs, jax.Array)
    require(one, "xs", "be one array", jax.tree.structure(xs))
    require_floating("xs", xs)
    batch_axes = xs.ndim - 1 - len(cell.in_shape)
    fits = batch_axes >= 0 and xs.shape[1 + batch_axes :] == cell.in_shape
    require(fits, "xs", f"have the shape [T, *B, {str(cell.in_shape)[1:-1].rstrip(',')}]", xs.shape)
    return xs.shape[1 : 1 + batch_axes]


def _check_lengths(seq_lengths: Any, length: int, batch_shape: tuple[int, ...] | None) -> jax.Array:
    """Returns `seq_lengths` as integers `[*B]`, each in [0, T] as far as that is known."""
    seq_lengths = jnp.asarray(seq_lengths)
    integers = jnp.issubdtype(seq_lengths.dtype, jnp.integer)
    require(integers, "seq_lengths", "be integers", seq_lengths.dtype)
    fits = batch_shape is None or seq_lengths.shape == batch_shape
    require(fits, "seq_lengths", f"have the batch shape {batch_shape}", seq_lengths.shape)
    if not isinstance(seq_lengths, Tracer):
        # On the host, because inside `jit` even known numbers become tracers when jnp touches them.
        known = jax.device_get(seq_lengths)
        inside = bool(((known >= 0) & (known <= length)).all())
        require(inside, "seq_lengths", f"lie in [0, T={length}]", known.tolist())
    return seq_lengths


def _check_resets(resets: Any, length: int, batch_shape: tuple[int, ...] | None) -> jax.Array:
    """Returns `resets` as booleans `[T, *B]`."""
    resets = jnp.asarray(resets)
    require(resets.dtype == bool, "resets", "be booleans", resets.dtype)
    expected = (length, *(resets.shape[1:] if batch_shape is None else batch_shape))
    require(resets.shape == expected, "resets", f"have the shape {expected}", resets.shape)
    return resets


def _check_batch(argument: str, mask: jax.Array, batch_shape: tuple[int, ...], carry: Any) -> None:
    """Raises ValueError unless every leaf of `carry` begins with the batch shape of a mask."""
    for leaf in jax.tree.leaves(carry):
        fits = leaf.shape[: len(batch_shape)] == batch_shape
        rule = f"have a batch shape with which the carry's {leaf.shape} begins"
        require(fits, argument, rule, mask.shape)


def _check_like(argument: str, tree: Any, expected: Any) -> None:
    """Raises ValueError unless a pytree has the structure and the shapes of `expected`."""
    structure, given = jax.tree.structure(expected), jax.tree.structure(tree)
    require(given == structure, argument, f"have the structure {structure}", given)
    leaves = jax.tree.leaves(tree)
    for (path, leaf), array in zip(jax.tree.leaves_with_path(expected), leaves, strict=True):
        name, shape = argument + jax.tree_util.keystr(path), jnp.shape(array)
        require(shape == leaf.shape, name, f"have the shape {leaf.shape}", shape)


def _is_dense(cell: Cell) -> bool:
    """Whether a cell, or every layer of a stack, is made from the parts of a dense cell."""
    return cell.dense is not None or (bool(cell.layers) and all(map(_is_dense, cell.layers)))


@functools.lru_cache(maxsize=64)
def _params_shape(cell: Cell) -> Any:
    """The shapes of a cell's parameters, without drawing any."""
    return jax.eval_shape(lambda: cell.init(jax.random.key(0)))


def _check_step(step: StepFn, params: Any, carry: Any, xs: Any) -> None:
    """Raises ValueError unless `step` returns `(carry, y)` with the carry as it came in."""
    x = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), xs)
    result = jax.eval_shape(step, params, carry, x)
    pair = isinstance(result, tuple) and len(result) == 2
    require(pair, "cell", "return a pair (carry, y)", type(result).__name__)
    came = jax.tree.map(lambda leaf: f"{leaf.dtype}{list(leaf.shape)}", carry)
    went = jax.tree.map(lambda leaf: f"{leaf.dtype}{list(leaf.shape)}", result[0])
    require(went == came, "cell", f"return a carry like the one it is given, {came}", went)


def _like(reset_carry: Any, carry: Any) -> Any:
    """Returns `reset_carry` broadcast to the shapes, and cast to the dtypes, of `carry`."""
    structure, given = jax.tree.structure(carry), jax.tree.structure(reset_carry)
    require(given == structure, "reset_carry", f"have the structure {structure}", given)

    def fit(reset: Any, leaf: jax.Array) -> jax.Array:
        reset = jnp.asarray(reset, leaf.dtype)
        pairs = zip(reset.shape[::-1], leaf.shape[::-1], strict=False)
        fits = reset.ndim <= leaf.ndim and all(a in (1, b) for a, b in pairs)
        require(fits, "reset_carry", f"broadcast to the carry's {leaf.shape}", reset.shape)
        return jnp.broadcast_to(reset, leaf.shape)

    return jax.tree.map(fit, reset_carry, carry)
