"""A Flax module taken apart for the compiled update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax
from flax import nnx

from jaxrnn.train.fit import fit
from jaxrnn.train.state import init_state
from jaxrnn.train.tbptt import LossFn, tbptt_scan

# loss(module, batch, key) -> (total, count)
ModuleLoss = Callable[[Any, Any, jax.Array | None], tuple[jax.Array, Any]]


class Functional(NamedTuple):
    """A module as pure functions of its parameters."""

    params: Any  # the `nnx.Param` leaves
    loss_fn: (
        LossFn  # for `tbptt_step`, `tbptt_scan`, `evaluator`; its carry is whatever it is given
    )
    module: Callable[[Any], Any]  # parameters to a module that has them


def functional(module: nnx.Module, loss: ModuleLoss) -> Functional:
    """Takes a module apart, for training on batches that have nothing to hand on.

    The state of the streams, which truncated backpropagation carries from segment to segment, is
    empty: `init_state(params, optimizer, (), key)`.

    Args:
      module: its `nnx.Param` leaves are trained; everything else stays as it is.
      loss: `loss(module, batch, key) -> (total, count)`: the summed loss in nats and what it sums
        over, for example real targets. The key is None in evaluation.

    Returns:
      The parameters, the loss as a pure function of them, and the way back.

    >>> import jax.numpy as jnp
    >>> def squares(module, xs, key):
    ...     return jnp.sum(module(xs) ** 2), len(xs)
    >>> params, loss_fn, rebuild = functional(nnx.Linear(2, 1, rngs=nnx.Rngs(0)), squares)
    >>> total, count, carry = loss_fn(params, (), jnp.zeros((3, 2)), None)
    >>> float(total), count, rebuild(params)(jnp.zeros((5, 2))).shape
    (0.0, 3, (5, 1))
    """
    graph, params, rest = nnx.split(module, nnx.Param, ...)

    def rebuild(params: Any) -> Any:
        return nnx.merge(graph, params, rest)

    def loss_fn(
        params: Any, carry: Any, batch: Any, key: jax.Array | None
    ) -> tuple[jax.Array, Any, Any]:
        total, count = loss(rebuild(params), batch, key)
        return total, count, carry

    return Functional(params, loss_fn, rebuild)


def fit_module(
    module: Any,
    loss: ModuleLoss,
    batches: Any,
    optimizer: optax.GradientTransformation,
    *,
    steps: int,
    key: jax.Array,
    **options: Any,
) -> Any:
    """Trains a module on batches, with a progress bar: `functional`, `tbptt_scan` and `fit` in one.

    Args:
      module: see `functional`; it is not changed.
      loss: see `functional`.
      batches: see `fit`, for example `jaxrnn.data.Batches`.
      optimizer: for example `optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))`.
      steps: updates.
      key: of dropout and whatever else the loss draws; consumed.
      **options: further ones of `fit`.

    Returns:
      A module with the trained parameters.

    Raises:
      ValueError, FloatingPointError: as `fit`.
      KeyboardInterrupt: if Ctrl-C stopped it, because the module would look like a trained one; a
        `run` has been saved, and the same call goes on from there.
    """
    params, loss_fn, rebuild = functional(module, loss)
    state = init_state(params, optimizer, (), key)
    update = tbptt_scan(loss_fn, optimizer)
    state = fit(update, state, batches, steps=steps, **options)
    if int(state.step) < steps:
        raise KeyboardInterrupt(f"stopped after {int(state.step)} of {steps} updates")
    return rebuild(state.params)
