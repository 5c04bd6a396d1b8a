"""Loops that run in place, and so can run side by side on the cores of a CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.recurrence.ordering import corners, one_after


class Counter(NamedTuple):
    """Where a loop stands."""

    more: jax.Array  # whether it goes on
    done: jax.Array  # steps


def counted(
    body: Callable[[Any, jax.Array], Any],
    state: Any,
    begin: Any,
    steps: Any,
    reverse: bool,
    one: jax.Array,
) -> tuple[Any, Counter]:
    """Runs `state = body(state, k)` for k = begin .. begin+steps-1, or backwards, in place.

    `jax.lax.scan` copies its counter at every step. XLA does not repeat a division, so this one is
    read once and then replaced.

    At least one step is run.

    Returns:
      The last state, and the counter, which the state of a loop around this one has to carry along.
    """

    def step(loop: tuple[Counter, Any]) -> tuple[Counter, Any]:
        counter, state = loop
        done = jax.lax.div(counter.done + 1, one.astype(counter.done.dtype))
        k = begin + (steps - done if reverse else done - 1)
        return Counter(done < steps, done), body(state, k)

    first = Counter(one == 1, one - 1), state
    counter, state = jax.lax.while_loop(lambda loop: loop[0].more, step, first)
    return state, counter


def loop(
    in_place: bool,
    body: Callable[[Any, Any], Any],
    state: Any,
    begin: Any,
    steps: Any,
    reverse: bool,
    one: jax.Array,
) -> tuple[Any, Counter | None]:
    """Runs `state = body(state, k)` for k = begin .. begin+steps-1, or backwards.

    Either by `counted` or, from 0 on, by `jax.lax.scan`, which can be differentiated.
    """
    if in_place:
        return counted(body, state, begin, steps, reverse, one)
    step = lambda state, k: (body(state, k), None)
    return jax.lax.scan(step, state, jnp.arange(steps, dtype=jnp.int32), reverse=reverse)[0], None


class Loop(NamedTuple):
    """A loop that is ready to run."""

    state: Any
    run: Callable[[Any, jax.Array], Any]  # state, 1 -> state, in place; begins when it has the 1


BETWEEN = 9
"""Small things to be done between two loops in `side_by_side`."""


def side_by_side(loops: list[Loop], one: jax.Array, in_place: bool) -> tuple[list[Any], jax.Array]:
    """Runs loops that need nothing of each other on the cores of a CPU.

    XLA:CPU runs the body of a loop in one thread until more than eight things in it are ready to be
    done; then another thread takes the later half of them, and whatever these make ready. So this
    is a loop of one step, in which `one` of each loop comes out of a sort (of two numbers, because
    XLA merges nothing with a sort), and between two of these are nine more. That all of it is the
    body of a loop makes everything else wait outside. Not `in_place` one runs after the other.

    Returns:
      The states, and the integer 1, known when all loops have run.
    """
    if not in_place:
        return [loop.run(loop.state, one) for loop in loops], one
    pair = lambda i: jnp.stack([one, one + 1 + i])

    def body(state: Any, n: jax.Array) -> Any:
        del n
        after = []
        for loop, (between, mine, its) in zip(loops, state, strict=True):
            between, mine = jax.tree.map(jnp.sort, (between, mine))
            after.append((between, mine, loop.run(its, mine[0])))
        return after

    numbers = iter(range(len(loops) * (BETWEEN + 1)))
    state = []
    for loop in loops:
        between = [pair(next(numbers)) for _ in range(BETWEEN if state else 0)]
        state.append((between, pair(next(numbers)), loop.state))
    state, counter = counted(body, state, 0, 1, False, one)
    used = [(between, mine) for between, mine, _ in state], counter
    return [its for _, _, its in state], one_after(corners(used))
