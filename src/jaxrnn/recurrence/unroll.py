"""`unroll`: a cell over a whole sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from jaxrnn.cells.cell import Cell, StepFn
from jaxrnn.cells.checks import require
from jaxrnn.cells.noise import draw_masks
from jaxrnn.recurrence.arguments import batch_shape, check_arguments, check_backend
from jaxrnn.recurrence.choose import Backend, Choice, Remat, choose
from jaxrnn.recurrence.chunked import Chunked, chunked_compiled
from jaxrnn.recurrence.masks import length_mask, reversed_resets
from jaxrnn.recurrence.mesh import vary_together
from jaxrnn.recurrence.remat import in_blocks
from jaxrnn.recurrence.scan import scan, scan_compiled, step_with_kernel


def unroll(
    cell: Cell | StepFn,
    params: Any,
    carry: Any,
    xs: Any,
    *,
    seq_lengths: jax.Array | None = None,
    resets: jax.Array | None = None,
    reset_carry: Any = None,
    reverse: bool = False,
    key: jax.Array | None = None,
    backend: Backend = "auto",
    remat: Remat = None,
) -> tuple[Any, Any]:
    """Runs a cell over time.

        carry_t, ys_t = cell.step(params, carry_{t-1}, xs_t)      for t = 0 .. T-1

    - Steps at or past `seq_lengths[b]` freeze the carry of sequence b and give zeros; what stands
      in the padding, NaN included, reaches neither a value nor a gradient.
    - Where `resets[t, b]` is true, the carry of sequence b is `reset_carry` before step t consumes
      its input, so several sequences packed into one row give what they give alone.
    - With `reverse` each sequence runs backwards within its own length, and each of its segments
      within itself; `carry` enters at the last real step, outputs keep the input's order.
    - No steps, or a length of 0: the carry comes back unchanged and the outputs are zeros.

    Args:
      cell: a `Cell`, or any function `step(params, carry, x) -> (carry, y)`.
      params: parameters, as `cell.init` makes them.
      carry: state before the first step, leaves `[*B, ...]`, as `cell.initial_carry` makes it.
      xs: inputs `[T, *B, D]`, time first; for a step function of your own any pytree of arrays.
      seq_lengths: real steps of each sequence, integers in [0, T], `[*B]`.
      resets: booleans `[T, *B]`.
      reset_carry: state at a reset, leaves `[*B, ...]` or broadcastable to that. None is the cell's
        initial carry; a bare step function has none, so it needs this argument with `resets`.
      reverse: run backwards in time.
      key: draws the masks of what is random in the cell (dropout, zoneout) before the loop, as
        `draw_masks(cell, key, T, batch_shape)` does; the same key gives the same numbers on every
        backend. None: nothing is random.
      backend: "scan" is `jax.lax.scan` over `cell.step`, on which every JAX transformation works.
        `Chunked()` runs the dense cells of a network with an exact backward pass of its own, faster
        and with less memory, under `jit`, `grad`, `vmap` and `shard_map`; `jax.jvp` and
        `jax.jacfwd` of it raise a TypeError. "auto" takes the faster one, see `explain`. Cells that
        are not dense run on the scan.
      remat: steps that the backward pass runs again instead of keeping what it needs of them. None
        keeps all; an integer K keeps the carry every K steps, and "sqrt" takes K = √T, for one
        more forward pass; "recursive" puts blocks of 64 steps into blocks of 64 blocks and so on,
        for one more forward pass each time and memory that hardly grows with T.

    Returns:
      The carry after the last real step of each sequence, and the outputs `[T, *B, H]`.

    Raises:
      ValueError: if a shape or dtype does not fit; the message names the argument.

    >>> from jaxrnn import lstm
    >>> cell = lstm(3, 5)
    >>> params, carry = cell.init(jax.random.key(0)), cell.initial_carry((2,))
    >>> xs = jax.numpy.ones((7, 2, 3))
    >>> carry, ys = unroll(cell, params, carry, xs, seq_lengths=jax.numpy.array([7, 4]))
    >>> ys.shape, bool((ys[4:, 1] == 0).all())
    ((7, 2, 5), True)
    """
    check_backend(backend, remat)
    arguments = check_arguments(cell, params, carry, xs, seq_lengths, resets, reset_carry)
    params, *arguments = vary_together(params, *arguments)
    carry, xs, seq_lengths, starts, start_carry = arguments
    valid = None
    if seq_lengths is not None:
        valid = length_mask(seq_lengths, jax.tree.leaves(xs)[0].shape[0])
    if starts is not None and reverse:
        starts = reversed_resets(starts, valid)
    masks = None if key is None else _draw(cell, key, carry, len(jax.tree.leaves(xs)[0]))

    def run(cell: Cell | StepFn, params: Any, carry: Any, xs: Any, start_carry: Any) -> Any:
        choice = choose(cell, params, xs, backend, remat)
        return _run_layer(choice, cell, params, carry, (xs, valid, starts), start_carry, reverse)

    return _through_layers(run, cell, params, carry, xs, start_carry, masks)


def explain(
    cell: Cell | StepFn,
    params: Any,
    carry: Any,
    xs: Any,
    *,
    backend: Backend = "auto",
    remat: Remat = None,
) -> tuple[Choice, ...]:
    """Says which backend `unroll` runs each layer on, and why; computes nothing.

    Args:
      cell: as for `unroll`, and so are all others.
      params: parameters, or their shapes.
      carry: state before the first step, or its shapes.
      xs: inputs `[T, *B, D]`, or their shapes.
      backend: what `unroll` would be given.
      remat: what `unroll` would be given.

    Returns:
      A `Choice(backend, blocks, reason)` for each layer, the lowest first; one if `cell` is not a
      stack.

    >>> from jaxrnn import lstm
    >>> cell = lstm(3, 5)
    >>> params, carry = cell.init(jax.random.key(0)), cell.initial_carry((2,))
    >>> (choice,) = explain(cell, params, carry, jax.numpy.ones((7, 2, 3)), backend="scan")
    >>> choice.backend, choice.reason
    ('scan', 'asked for')
    """
    check_backend(backend, remat)
    choices = []

    def run(cell: Cell | StepFn, params: Any, carry: Any, xs: Any, start_carry: Any) -> Any:
        choices.append(choose(cell, params, xs, backend, remat))
        step = cell.step if isinstance(cell, Cell) else cell
        return scan(step, params, carry, xs, start_carry, None, None, False)

    through = lambda params, carry, xs: _through_layers(run, cell, params, carry, xs, None, None)
    jax.eval_shape(through, params, carry, xs)
    return tuple(choices)


def _run_layer(
    choice: Choice,
    cell: Cell | StepFn,
    params: Any,
    carry: Any,
    inputs: tuple[Any, jax.Array | None, jax.Array | None],
    start_carry: Any,
    reverse: bool,
) -> tuple[Any, Any]:
    """Runs one cell over `inputs`, which are `(xs, valid, starts)`."""
    step = cell.step if isinstance(cell, Cell) else cell
    parts = cell.dense if isinstance(cell, Cell) else None
    given = params
    if parts is not None and choice.backend == "scan":
        step, given = step_with_kernel(parts), (params, parts.recurrent_kernel(params))

    def block(carry: Any, inputs: Any) -> tuple[Any, Any]:
        xs, valid, starts = inputs
        masks = (start_carry, valid, starts, reverse)
        if isinstance(choice.backend, Chunked):
            return chunked_compiled(parts, params, carry, xs, *masks, choice.backend)
        # A step function of the user's own may close over anything, so nothing of it is cached.
        run = scan if parts is None else scan_compiled
        return run(step, given, carry, xs, *masks)

    return in_blocks(block, choice.blocks, carry, inputs, reverse)


def _draw(cell: Cell | StepFn, key: jax.Array, carry: Any, length: int) -> Any:
    """The masks of a cell for `length` steps of sequences with this carry."""
    require(isinstance(cell, Cell), "key", "be None for a bare step function", "a key")
    assert isinstance(cell, Cell)
    return draw_masks(cell, key, length, batch_shape(cell, carry))


def _through_layers(
    run: Callable[..., tuple[Any, Any]],
    cell: Cell | StepFn,
    params: Any,
    carry: Any,
    xs: Any,
    start_carry: Any,
    masks: Any,
) -> tuple[Any, Any]:
    """Runs a cell over the sequence; each layer of a stack as a whole before the next."""
    if isinstance(cell, Cell) and cell.noise is not None and masks is not None:
        noise = cell.noise
        start = None if start_carry is None else noise.enter(params, start_carry, xs, masks)[1]
        given = noise.enter(params, carry, xs, masks)
        return noise.leave(*_through_layers(run, noise.cell, *given, start, masks.inner), masks)
    if not isinstance(cell, Cell) or not cell.layers:
        return run(cell, params, carry, xs, start_carry)
    nothing = (None,) * len(cell.layers)
    start_carry, masks = start_carry or nothing, masks or nothing
    wiring = cell.wiring
    assert wiring is not None  # `stack` made it
    carries, seen = [], [xs]
    for layer in zip(cell.layers, params, carry, start_carry, masks, strict=True):
        layer_cell, layer_params, layer_carry, *others = layer
        u = wiring.into(seen)
        after, ys = _through_layers(run, layer_cell, layer_params, layer_carry, u, *others)
        carries.append(after)
        seen.append(wiring.give(u, ys))
    return tuple(carries), wiring.out(seen)
