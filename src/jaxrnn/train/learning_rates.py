"""How the papers on recurrent language models lower their learning rate."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxrnn.cells.checks import require, require_size


def divide_after(
    learning_rate: float, *, epochs: int, updates_per_epoch: int, factor: float
) -> optax.Schedule:
    """A constant rate for some epochs, divided before each epoch after them.

        η_e = η / factor^max(0, e - epochs)   in epoch e = 1, 2, ...

    Source: Zaremba, Sutskever, Vinyals 2014, arXiv:1409.2329. Their program divides after an epoch
    whose number is greater than its `max_epoch`, so that its rate is constant for max_epoch + 1
    epochs: `epochs` is 5 for their small network (factor 2), 7 for the medium one (1.2) and 15 for
    the large one (1.15).

    Args:
      learning_rate: η.
      epochs: how many epochs have the whole rate, at least 1.
      updates_per_epoch: S, the number of segments.
      factor: what the rate is divided by, greater than 1.

    Returns:
      A schedule for optax: updates so far -> rate.

    Raises:
      ValueError: if a size is not positive, the rate is not, or the factor not above 1.

    >>> rate = divide_after(1.0, epochs=5, updates_per_epoch=10, factor=2.0)
    >>> [float(rate(update)) for update in (0, 49, 50, 59, 60)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    require_size("epochs", epochs)
    require_size("updates_per_epoch", updates_per_epoch)
    require(learning_rate > 0, "learning_rate", "be positive", learning_rate)
    require(factor > 1, "factor", "be greater than 1", factor)
    return optax.exponential_decay(
        learning_rate,
        transition_steps=updates_per_epoch,
        decay_rate=1 / factor,
        transition_begin=(epochs - 1) * updates_per_epoch,
        staircase=True,
    )


class ScaleOnStallState(NamedTuple):
    """What `scale_on_stall` remembers between two checks."""

    scale: jax.Array  # [] of the updates
    best: jax.Array  # [] the lowest validation loss so far, nats
    factor: jax.Array  # [] constants, here so that `report_validation` needs nothing else
    gain: jax.Array  # []
    lasting: jax.Array  # [] bool
    stalled: jax.Array  # [] bool, whether it has stalled before


def scale_on_stall(
    factor: float = 0.5, *, gain: float = 0.003, lasting: bool = False
) -> optax.GradientTransformation:
    """Multiplies the updates by a scale, lowered at each check at which validation stalls.

        stall:  loss > best - gain |best|
        scale ← factor · scale   at a stall; where `lasting`, also at every check after the first
        best  ← min(best, loss)

    Put it last in a chain. The checks are those of `fit`; in a loop of your own call
    `report_validation`. The scale is in the optimiser's state, so checkpoints hold it.

    Source: Mikolov et al. 2010, "Recurrent neural network based language model": halved in each
    epoch once the validation loss has stalled (`lasting=True`, one check an epoch). Their program
    takes a stall to be a gain of less than 0.3 %, and stops at the second one, which here is left
    to the number of updates.

    Args:
      factor: what the scale is multiplied by, in (0, 1).
      gain: the smallest improvement that counts, as a part of the best loss, in [0, 1).
      lasting: whether the first stall lowers the scale at every check from there on. False: a
        check that gains keeps the scale.

    Returns:
      A transformation for `optax.chain`.

    Raises:
      ValueError: if a number is out of its range.

    >>> optimizer = optax.chain(optax.sgd(1.0), scale_on_stall())
    >>> opt_state = optimizer.init(jnp.zeros(()))
    >>> for loss in (2.0, 1.5, 1.499):
    ...     opt_state = report_validation(opt_state, loss)
    >>> float(optimizer.update(jnp.ones(()), opt_state)[0])
    -0.5
    """
    # `optax.contrib.reduce_on_plateau` is given a value at every update and counts updates; a
    # validation loss is known at a check only, and a check may be thousands of updates apart.
    require(0 < factor < 1, "factor", "lie between 0 and 1", factor)
    require(0 <= gain < 1, "gain", "be at least 0 and below 1", gain)

    def init(params: Any) -> ScaleOnStallState:
        del params
        constants = (jnp.asarray(factor, jnp.float32), jnp.asarray(gain, jnp.float32))
        fresh = (jnp.ones((), jnp.float32), jnp.asarray(math.inf, jnp.float32))
        return ScaleOnStallState(*fresh, *constants, jnp.asarray(lasting), jnp.asarray(False))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        scaled = lambda leaf: state.scale.astype(leaf.dtype) * leaf
        return jax.tree.map(scaled, updates), state

    return optax.GradientTransformation(init, update)


def report_validation(opt_state: Any, loss: jax.Array | float) -> Any:
    """Tells every `scale_on_stall` in an optimiser's state what a check has measured.

    Args:
      opt_state: the state of any optax chain, also one without `scale_on_stall`.
      loss: validation loss in nats; for an ensemble one for all members or `[K]`. A NaN is a
        stall.

    Returns:
      The state for the next update, of the same shapes and dtypes.
    """
    ours = lambda node: isinstance(node, ScaleOnStallState)
    tell = lambda node: _told(node, loss) if ours(node) else node
    return jax.tree.map(tell, opt_state, is_leaf=ours)


def _told(state: ScaleOnStallState, loss: jax.Array | float) -> ScaleOnStallState:
    loss = jnp.asarray(loss, state.best.dtype)
    # The first loss always gains, and inf - inf would be no number.
    needed = jnp.where(jnp.isinf(state.best), 0, state.gain * jnp.abs(state.best))
    stall = ~(loss <= state.best - needed)
    lower = stall | (state.lasting & state.stalled)
    return state._replace(
        scale=jnp.where(lower, state.factor * state.scale, state.scale),
        best=jnp.where(loss < state.best, loss, state.best),
        stalled=state.stalled | stall,
    )
