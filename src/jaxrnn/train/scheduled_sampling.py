"""Scheduled sampling: in training too, a model reads some of what it has written itself.

Source of all: Bengio, Vinyals, Jaitly, Shazeer 2015, arXiv:1506.03099.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxrnn.cells.cell import StepFn
from jaxrnn.cells.checks import require
from jaxrnn.losses import nll
from jaxrnn.recurrence.masks import select
from jaxrnn.recurrence.scan import scan
from jaxrnn.train.tbptt import LossFn, Schedule


def linear_decay(k: float, c: float, least: float = 0.0) -> Schedule:
    """The probability of the true symbol falls along a line.

        ε_i = max(least, k - c i)

    Args:
      k: where it starts; from 1 on, the true symbol is read for the first (k - 1) / c updates.
      c: how much it falls with each update.
      least: where it ends, in [0, 1).

    Returns:
      A schedule: updates so far -> ε.

    Raises:
      ValueError: if a number is out of its range.

    >>> [float(linear_decay(1.0, 0.25, 0.25)(i)) for i in (0, 2, 9)]
    [1.0, 0.5, 0.25]
    """
    require(0 <= k < math.inf, "k", "be finite and not negative", k)
    require(0 <= c < math.inf, "c", "be finite and not negative", c)
    require(0 <= least < 1, "least", "be at least 0 and below 1", least)
    return lambda i: jnp.maximum(least, k - c * i)


def exponential_decay(k: float) -> Schedule:
    """The probability of the true symbol falls by a factor with each update.

        ε_i = k^i

    Args:
      k: the factor, in (0, 1).

    Returns:
      A schedule: updates so far -> ε.

    Raises:
      ValueError: if k is out of its range.

    >>> [float(exponential_decay(0.5)(i)) for i in (0, 1, 3)]
    [1.0, 0.5, 0.125]
    """
    require(0 < k < 1, "k", "lie between 0 and 1", k)
    return optax.exponential_decay(1.0, transition_steps=1, decay_rate=k)


def inverse_sigmoid_decay(k: float) -> Schedule:
    """The probability of the true symbol stays near 1, falls about update k log k, and goes to 0.

        ε_i = k / (k + exp(i / k))

    Args:
      k: how slowly, at least 1.

    Returns:
      A schedule: updates so far -> ε.

    Raises:
      ValueError: if k is below 1 or infinite.

    >>> [round(float(inverse_sigmoid_decay(100.0)(i)), 3) for i in (0, 461, 10**9)]
    [0.99, 0.499, 0.0]
    """
    require(1 <= k < math.inf, "k", "be finite and at least 1", k)
    # The same fraction divided by k, for an exponential that never overflows.
    return lambda i: jax.nn.sigmoid(math.log(k) - i / k)


def scheduled_sampling(
    step: StepFn,
    params: Any,
    carry: Any,
    inputs: jax.Array,
    *,
    truth: ArrayLike,
    key: jax.Array,
    resets: jax.Array | None = None,
    reset_carry: Any = None,
) -> tuple[Any, jax.Array]:
    """Reads at each step the true symbol, or one that the model has just drawn.

        x̂_t ~ softmax(logits_{t-1})
        x̃_t = x_t with probability ε, else x̂_t;   x̃_0 = x_0, and x̃_t = x_t at a reset
        carry_t, logits_t = step(carry_{t-1}, x̃_t)

    A coin of its own for every symbol. With ε = 1 it is teacher forcing, with ε = 0 the model runs
    freely from the first symbol, as `jaxrnn.generate.sample` does. No gradient goes through a drawn
    symbol.

    Args:
      step: `step(params, carry, symbols [*B]) -> (carry, logits [*B, V])`.
      params: parameters of the step.
      carry: state before the first symbol, leaves `[*B, ...]`.
      inputs: the true symbols, integers `[T, *B]`.
      truth: ε, the probability with which a true symbol is read, a scalar in [0, 1].
      key: random key; consumed.
      resets: true where a text starts, `[T, *B]`.
      reset_carry: state at a reset, leaves `[*B, ...]`; needed with `resets`.

    Returns:
      The carry after the last step, and logits `[T, *B, V]`.

    Raises:
      ValueError: if inputs are not integers, ε is no probability, the shape of `resets` is not that
        of the inputs, or there are resets without `reset_carry`.
    """
    inputs = jnp.asarray(inputs)
    _check(inputs, truth, resets, reset_carry)
    return _read(step, params, carry, inputs, truth, key, resets, reset_carry)


@partial(jax.jit, static_argnums=0, inline=True)
def _read(
    step: StepFn,
    params: Any,
    carry: Any,
    inputs: jax.Array,
    truth: ArrayLike,
    key: jax.Array,
    resets: jax.Array | None,
    reset_carry: Any,
) -> tuple[Any, jax.Array]:
    coin_key, draw_key = jax.random.split(key)
    true = jax.random.uniform(coin_key, inputs.shape) < truth
    if resets is not None:
        true = true | resets

    def body(
        before: tuple[Any, jax.Array], given: tuple[Any, ...]
    ) -> tuple[tuple[Any, jax.Array], jax.Array]:
        (carry, drawn), (x, use_true, reset, key) = before, given
        if reset is not None:
            fresh = lambda new, old: select(reset, jnp.asarray(new, old.dtype), old)
            carry = jax.tree.map(fresh, reset_carry, carry)
        carry, logits = step(params, carry, jnp.where(use_true, x, drawn))
        drawn = jax.random.categorical(key, jax.lax.stop_gradient(logits))
        return (carry, drawn.astype(x.dtype)), logits

    # What stands for the symbol drawn before the first is the first, so that it is always true.
    first = inputs[0] if inputs.shape[0] else jnp.zeros(inputs.shape[1:], inputs.dtype)
    # A key for each step and not all the noise: [T, *B, V] of it would be as large as the logits.
    keys = jax.random.split(draw_key, inputs.shape[0])
    (carry, _), logits = jax.lax.scan(body, (carry, first), (inputs, true, resets, keys))
    return carry, logits


def scheduled_loss(step: StepFn, initial_carry: Callable[[int], Any]) -> LossFn:
    """The loss of a language model under scheduled sampling, for truncated BPTT.

    The model is a step without dropout, the one that it generates with:

        loss_fn = scheduled_loss(model.step, model.initial_carry)
        update = tbptt_scan(loss_fn, optimizer, schedule=inverse_sigmoid_decay(500.0))

    The symbol before a segment's first is not known any more, so the first one is always true.

    Args:
      step: `step(params, carry, symbols [B]) -> (carry, logits [B, V])`.
      initial_carry: `initial_carry(B)`, the state at a reset.

    Returns:
      `loss_fn(params, carry, segment, key, truth=1.0) -> (total nats, symbols, carry)` over a
      segment with `inputs`, `targets`, `mask` and `resets`, each `[T, B]`; `truth` is ε, which
      `schedule` of `tbptt_step` gives. Without a key, as in `evaluator`, nothing is drawn and every
      symbol read is true.
    """

    def loss_fn(
        params: Any, carry: Any, segment: Any, key: jax.Array | None, truth: ArrayLike = 1.0
    ) -> tuple[jax.Array, jax.Array, Any]:
        inputs, resets = segment.inputs, segment.resets
        start = initial_carry(inputs.shape[1])
        if key is None:
            carry, logits = scan(step, params, carry, inputs, start, None, resets, False)
        else:
            how = {"truth": truth, "key": key, "resets": resets, "reset_carry": start}
            carry, logits = scheduled_sampling(step, params, carry, inputs, **how)
        total = jnp.sum(nll(logits, segment.targets, segment.mask))
        return total, jnp.sum(segment.mask), carry

    return loss_fn


def _check(inputs: jax.Array, truth: ArrayLike, resets: jax.Array | None, reset_carry: Any) -> None:
    integers = inputs.ndim > 0 and jnp.issubdtype(inputs.dtype, jnp.integer)
    described = f"{inputs.dtype}{list(inputs.shape)}"
    require(integers, "inputs", "hold integers, [T, *B]", described)
    require(jnp.ndim(truth) == 0, "truth", "be a scalar", jnp.shape(truth))
    if not isinstance(truth, Tracer):
        require(0 <= float(truth) <= 1, "truth", "be a probability", truth)  # type: ignore[arg-type]
    if resets is not None:
        rule = f"have the shape {inputs.shape}"
        require(jnp.shape(resets) == inputs.shape, "resets", rule, jnp.shape(resets))
        require(reset_carry is not None, "reset_carry", "be given with resets", reset_carry)
