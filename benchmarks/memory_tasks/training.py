"""Three networks trained together, and a run that goes on where it was killed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxrnn.cells.checks import require
from jaxrnn.train import Checkpoints, TrainState, init_state
from memory_tasks.experiment import Experiment

SPAN = 100  # updates in one compiled call
SAVE_SECONDS = 60.0

Result = dict[str, Any]


def run(
    experiment: Experiment, folder: Path, seeds: int, progress: Callable[[int, list[float]], None]
) -> Result:
    """Trains and tests, or reads what an earlier run in the same folder has found.

    Args:
      experiment: a unit on a task.
      folder: where the result and the checkpoints are.
      seeds: how many networks, side by side.
      progress: called with the updates so far and the loss of each network.

    Returns:
      What is written to `result.json`.

    Raises:
      ValueError: if the folder is that of a run with other settings.
    """
    path = folder / "result.json"
    if path.exists():
        return _of_these_settings(experiment, json.loads(path.read_text("utf-8")), folder)
    checkpoints = Checkpoints(folder / "checkpoints", keep=1)
    state, record = _begin(experiment, checkpoints, seeds)
    span = _compile(experiment, seeds)
    saved = started = time.monotonic()
    before = record["seconds"]
    while not _done(experiment, record):
        state, losses = span(state)
        record["curve"].append([round(float(loss), 6) for loss in losses])
        record["seconds"] = before + time.monotonic() - started
        progress(len(record["curve"]) * SPAN, record["curve"][-1])
        if time.monotonic() - saved > SAVE_SECONDS:
            checkpoints.save(state, record)
            saved = time.monotonic()
    result = {**record, "scores": _test(experiment, state, seeds)}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result) + "\n", "utf-8")
    os.replace(part, path)
    return result


def describe(experiment: Experiment) -> Result:
    """The part of a result that is known beforehand."""
    training = experiment.training
    return {
        "task": experiment.task,
        "unit": experiment.unit,
        "measure": experiment.measure,
        "hidden": list(experiment.network.cell.out_shape or ()),
        "updates": training.updates,
        "learning_rate": training.learning_rate,
        "clip": training.clip,
        "batch_size": training.batch_size,
        "enough": training.enough,
        "least": training.least,
        "span": SPAN,
    }


def learned_after(result: Result, seed: int) -> int | None:
    """Updates until the loss of a network was low enough; None if it never was."""
    for n, losses in enumerate(result["curve"], 1):
        if losses[seed] < result["enough"]:
            return n * result["span"]
    return None


def _begin(
    experiment: Experiment, checkpoints: Checkpoints, seeds: int
) -> tuple[TrainState, Result]:
    """The state of the last checkpoint and what was recorded with it, or a fresh one."""
    init_key, data_key = jax.random.split(jax.random.key(0))
    params = jax.vmap(experiment.network.init)(jax.random.split(init_key, seeds))
    optimizer = experiment.training.optimizer()
    state = init_state(params, optimizer, (), data_key)
    state = state._replace(opt_state=jax.vmap(optimizer.init)(params))
    if checkpoints.latest() is None:
        return state, {**describe(experiment), "curve": [], "seconds": 0.0}
    state, record = checkpoints.restore(state)
    return state, _of_these_settings(experiment, record, checkpoints.folder)


def _of_these_settings(experiment: Experiment, record: Result, folder: Path) -> Result:
    """The record itself, if it was made with the settings that there are now."""
    for name, value in describe(experiment).items():
        rule = f"hold a run with {name} = {value}, or be another folder"
        require(record.get(name) == value, "out", rule, f"{record.get(name)} in {folder}")
    return record


def _compile(experiment: Experiment, seeds: int) -> Callable[[TrainState], Any]:
    """Many updates of every network in one call; the mean loss of each comes back."""
    optimizer = experiment.training.optimizer()

    def update(params: Any, opt_state: Any, key: jax.Array) -> tuple[Any, Any, jax.Array]:
        loss, grads = jax.value_and_grad(experiment.loss)(params, key)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    def step(state: TrainState, _: None) -> tuple[TrainState, jax.Array]:
        keys = jax.random.split(jax.random.fold_in(state.key, state.step), seeds)
        params, opt_state, losses = jax.vmap(update)(state.params, state.opt_state, keys)
        after = state._replace(params=params, opt_state=opt_state, step=state.step + 1)
        return after, losses

    @partial(jax.jit, donate_argnums=0)
    def span(state: TrainState) -> tuple[TrainState, jax.Array]:
        state, losses = jax.lax.scan(step, state, length=SPAN)
        return state, jnp.mean(losses, axis=0)

    return span


def _done(experiment: Experiment, record: Result) -> bool:
    """Whether all updates are made, or all networks have learned the task."""
    curve, training = record["curve"], experiment.training
    updates = len(curve) * SPAN
    enough = updates >= max(training.least, 1) and max(curve[-1]) < training.enough
    return enough or updates >= training.updates


def _test(experiment: Experiment, state: TrainState, seeds: int) -> list[float]:
    """The score of each network on data of its own."""
    keys = jax.random.split(jax.random.key(1), seeds)
    score = jax.jit(lambda given: jax.lax.map(lambda each: experiment.score(*each), given))
    return [float(each) for each in score((state.params, keys))]
