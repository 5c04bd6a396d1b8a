"""The forward pass of the chunked engine."""

from __future__ import annotations

from typing import Any

import jax

from jaxrnn.recurrence.buffers import over_chunks, room, write
from jaxrnn.recurrence.forward_loop import Filled, steps_loop
from jaxrnn.recurrence.ordering import after, corners, one_after
from jaxrnn.recurrence.plan import Inputs, Invariants, Kept, Plan, invariants_of, step_shapes
from jaxrnn.recurrence.shares import Share, join, of_share
from jaxrnn.recurrence.side_by_side import side_by_side


def forward(
    plan: Plan, params: Any, start_carry: Any, carry: Any, inputs: Inputs, store: bool
) -> tuple[tuple[Any, jax.Array], Kept]:
    """Runs all chunks.

    Returns:
      The carry after the last step that ran and the outputs `[T, *B, H]`; what is kept if `store`.
    """
    length = len(inputs.xs)
    invariants, filled = _begin(plan, params, start_carry, carry, inputs, store, None)
    # Only at borders does anything happen between two chunks.
    at_borders = store and plan.keep == "borders"
    steps = plan.length if at_borders else length
    borders = room(-(-length // plan.length), carry, inputs.xs) if at_borders else None

    def chunk(state: Any, n: Any, start: Any, steps: int) -> Any:
        filled, borders = state
        if borders is not None:
            borders = write(borders, filled.carry, n)
        loop = steps_loop(plan, invariants, filled, inputs, None, start, steps, start)
        return loop.run(loop.state, invariants.one)[0], borders

    filled, borders = over_chunks(chunk, (filled, borders), length, steps, plan.reverse)
    kept = Kept(invariants.one, borders, filled.before, filled.saved)
    return (filled.carry, filled.ys), kept


def forward_in_shares(
    plan: Plan, params: Any, start_carry: Any, carry: Any, inputs: Inputs, store: bool
) -> tuple[tuple[Any, jax.Array], list[Kept]]:
    """As `forward`, for policies without chunks, with the shares of the batch side by side."""
    length, loops = len(inputs.xs), []
    for share in plan.shares:
        its_start, its_carry = of_share(share, (start_carry, carry))
        given = plan, params, its_start, its_carry, inputs, store, share
        invariants, filled = _begin(*given)
        loops.append(steps_loop(plan, invariants, filled, inputs, share, 0, length, 0))
    states, ran = side_by_side(loops, one_after(corners((params, carry, inputs))), plan.in_place)
    done = one_after([ran, *corners([made for _, *made in states])])
    filled = [after(each._replace(before=None, saved=None), done) for each, *_ in states]
    kept = [Kept(done, None, each.before, each.saved) for each, *_ in states]
    return (join([each.carry for each in filled]), join([each.ys for each in filled], 1)), kept


def _begin(
    plan: Plan,
    params: Any,
    start_carry: Any,
    carry: Any,
    inputs: Inputs,
    store: bool,
    share: Share | None,
) -> tuple[Invariants, Filled]:
    """What every step uses, and the state of the loop before the first of them."""
    shapes = step_shapes(plan.parts, params, carry, inputs.xs)
    one = one_after(corners((params, carry, inputs)))
    invariants = invariants_of(plan, params, start_carry, shapes.z.dtype, one)
    wanted: dict[str, Any] = {"ys": shapes.y}
    if store and plan.keep in ("gates", "carries"):
        wanted["before"] = carry
    if store and plan.keep == "gates":
        wanted["saved"] = shapes.saved_leaves
    return invariants, Filled(carry, **room(len(inputs.xs), wanted, inputs.xs, share))
