"""Language models trained for whole epochs, in a folder whose run goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxrnn.cells.checks import require, require_size
from jaxrnn.data.streams import Segment
from jaxrnn.train import Run, TrainState, Update, fit

CALL = 50  # updates in one compiled call, at most


class Learned(NamedTuple):
    """What a run has come to."""

    params: Any
    curve: list[float]  # validation nats per symbol before the first epoch and after each
    seconds: float  # earlier sittings included
    updates: int


def train(
    update: Update,
    state: TrainState,
    epoch: Segment,
    validate: Callable[[Any], jax.Array],
    *,
    epochs: int,
    run: Run,
    symbol: str,
) -> Learned | None:
    """Trains for some epochs with `fit`, which draws the progress bar, and validates after each.

    Args:
      update: from `tbptt_scan`.
      state: before the first update; donated.
      epoch: the segments of an epoch in order, each `[S, T, B]`.
      validate: `validate(params) -> loss`, mean nats per symbol.
      epochs: in the whole run.
      run: the folder.
      symbol: what a token is called.

    Returns:
      What was learned; None if Ctrl-C stopped the run before its end.

    Raises:
      ValueError: if the folder holds more epochs than that.
      FloatingPointError: if the loss is no longer finite.
    """
    require_size("epochs", epochs)
    length = len(epoch.inputs)
    made, steps = run.checkpoints.latest() or 0, epochs * length
    rule = f"be at least the {made / length:.2f} epochs that the run has made"
    require(made <= steps, "epochs", rule, epochs)
    each = max(n for n in range(1, CALL + 1) if length % n == 0)  # so that all calls are alike
    state = fit(
        update,
        state,
        epoch,
        steps=steps,
        run=run,
        validate=validate,
        check_every=length,
        updates_per_call=each,
        symbol=symbol,
    )
    if int(state.step) < steps:
        return None
    return Learned(jax.device_get(state.params), _curve(run), run.seconds, steps)


def _curve(run: Run) -> list[float]:
    lines = map(json.loads, run.metrics.path.read_text("utf-8").splitlines())
    return [line["validation_loss"] for line in lines if "validation_loss" in line]


def uniform_like(params: Any, bound: float, key: jax.Array) -> Any:
    """Every parameter anew, biases too: uniform on (-bound, bound)."""
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    drawn = [
        jax.random.uniform(key, leaf.shape, leaf.dtype, -bound, bound)
        for key, leaf in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, drawn)


def tokens_per_second(learned: Learned, epoch: Segment) -> float:
    """Symbols learned in a second, over the whole run, validation included."""
    return learned.updates * epoch.inputs[0].size / max(learned.seconds, 1e-9)
