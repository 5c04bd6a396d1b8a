"""Dynamic evaluation: a model that goes on learning from the text on which it is measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxrnn.cells.checks import require
from jaxrnn.train.state import TrainState, init_state
from jaxrnn.train.tbptt import LossFn, update_once


def dynamic_evaluator(
    loss_fn: LossFn, optimizer: optax.GradientTransformation
) -> Callable[[Any, Any, Any], tuple[Any, jax.Array]]:
    """Compiles the evaluation of a text on which the model also learns.

        L = Σ_s nll(segment_s; θ_s) / tokens       each segment is first measured,
        θ_{s+1} = θ_s - optimizer(∇ L_s(θ_s))      then learned from, and never seen again

    Every symbol is predicted before it has been learned from, so this is as honest as `evaluator`.
    What is learned is one update of `tbptt_step` for each segment, without dropout.

    Source: Mikolov et al. 2010, "Recurrent neural network based language model" (gradient descent);
    Krause, Kahembwe, Murray, Renals 2018, arXiv:1709.07432 (with `pull_to_start`).

    Args:
      loss_fn: as for `tbptt_step`; its key is None here, so that nothing is dropped.
      optimizer: most often `optax.sgd`; its state starts afresh at each evaluation.

    Returns:
      `evaluate(params, carry, segments) -> (params, loss)` for segments with a leading axis S: the
      parameters after the last segment, and the mean in nats per real token. What it is given is
      left as it was.
    """
    update = partial(update_once, loss_fn, optimizer, None, None)

    @jax.jit
    def evaluate(params: Any, carry: Any, segments: Any) -> tuple[Any, jax.Array]:
        nothing: Any = None  # the key
        start = init_state(params, optimizer, carry, nothing)
        state: TrainState
        state, metrics = jax.lax.scan(update, start, segments)
        tokens = jnp.sum(metrics.tokens)
        return state.params, jnp.sum(metrics.loss * metrics.tokens) / jnp.maximum(tokens, 1)

    return evaluate


def pull_to_start(rate: float) -> optax.GradientTransformation:
    """Pulls the parameters back to where they were when the optimiser's state was made.

        θ ← θ + update + rate (θ_0 - θ)

    In `dynamic_evaluator`, to the trained parameters, so that a text long past is forgotten. Put it
    last in a chain.

    Source: Krause, Kahembwe, Murray, Renals 2018, arXiv:1709.07432, the decay to the trained
    parameters, without its scaling by the mean squares of their gradients.

    Args:
      rate: λ, in [0, 1].

    Returns:
      A transformation for `optax.chain`.

    Raises:
      ValueError: if the rate is out of its range.

    >>> optimizer = optax.chain(optax.sgd(1.0), pull_to_start(0.5))
    >>> opt_state = optimizer.init(jnp.array(3.0))
    >>> float(optimizer.update(jnp.array(0.0), opt_state, jnp.array(7.0))[0])
    -2.0
    """
    require(0 <= rate <= 1, "rate", "lie in [0, 1]", rate)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        require(params is not None, "params", "be given to the optimiser's update", params)
        pulled = lambda step, origin, now: step + jnp.asarray(rate, now.dtype) * (origin - now)
        return jax.tree.map(pulled, updates, state, params), state

    return optax.GradientTransformation(lambda params: params, update)
