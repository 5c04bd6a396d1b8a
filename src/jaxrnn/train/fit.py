"""The loop around the compiled update."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from rich.console import Console

from jaxrnn.cells.checks import require, require_size
from jaxrnn.losses import bits
from jaxrnn.train.interrupt import Interrupt
from jaxrnn.train.learning_rates import report_validation
from jaxrnn.train.progress import TrainingProgress
from jaxrnn.train.run import Run
from jaxrnn.train.state import TrainState
from jaxrnn.train.tbptt import Metrics, Update


@runtime_checkable
class SegmentSource(Protocol):
    """Segments that are read when they are wanted, for example from disk."""

    def __len__(self) -> int:
        """S, how many segments there are."""
        ...

    def take(self, indices: np.ndarray, /) -> Any:
        """Reads segments.

        Args:
          indices: which, integers in [0, S), `[N]`.

        Returns:
          Pytree of arrays with a leading axis N.
        """
        ...


def fit(
    update: Update,
    state: TrainState,
    segments: SegmentSource | Any,
    *,
    steps: int,
    run: Run | None = None,
    validate: Callable[[Any], jax.Array | float] | None = None,
    write_sample: Callable[[Any], str] | None = None,
    check_every: int = 250,
    updates_per_call: int = 25,
    symbol: str = "token",
    console: Console | None = None,
) -> TrainState:
    """Trains until `steps` updates have been made, with a progress bar.

    Every `check_every` updates, and before the first and after the last, the validation loss is
    measured and a sample written; after them a checkpoint. A run folder that holds a checkpoint is
    taken up where that left off, and ends with the same bits as a run that was never stopped.
    Ctrl-C finishes the call in progress, saves, and returns. An optimiser with `scale_on_stall` is
    told every validation loss.

    Args:
      update: from `tbptt_scan`, or `ensemble_update` of one.
      state: from `init_state`, or `init_ensemble`; donated.
      segments: all segments of the data in order: a pytree of arrays with a leading axis S, or an
        object with `len(segments)` and `segments.take(indices)`, a `SegmentSource`.
      steps: updates in the whole run.
      run: folder for metrics, samples and checkpoints; None keeps nothing.
      validate: `validate(params) -> loss`, mean nats per token on data not trained on, one number.
      write_sample: `write_sample(params) -> text`.
      check_every: updates between two checks.
      updates_per_call: updates that are compiled into one call, and between two movements of the
        bar.
      symbol: what a token is called on the bar.
      console: where to draw; None for standard error.

    Returns:
      The state after the last update; `state.step < steps` if Ctrl-C stopped it.

    Raises:
      ValueError: if a number is not positive, there are no segments, or the run's checkpoint is
        damaged or of another model.
      FloatingPointError: if the loss is no longer finite; the last checkpoint is kept.
    """
    for name, value in (("steps", steps), ("check_every", check_every)):
        require_size(name, value)
    require_size("updates_per_call", updates_per_call)
    require(_count(segments) > 0, "segments", "hold at least one segment", _count(segments))
    if run is not None:
        state = run.resume(state)
    step = int(state.step)
    require(step <= steps, "steps", f"be at least the {step} updates that the run has made", steps)
    started = time.perf_counter() - (run.seconds if run else 0.0)
    progress = TrainingProgress(total=steps, completed=step, symbol=symbol, console=console)

    def check(state: TrainState, step: int) -> TrainState:
        # On the host, so that a check runs on one device however many the training has.
        params = jax.device_get(state.params)
        if validate is not None:
            loss = float(validate(params))
            progress.print(f"update {step}: validation {float(bits(loss)):.4f} bits/{symbol}")
            if run is not None:
                record = {"validation_loss": loss, "validation_bits": float(bits(loss))}
                run.metrics.write_json({"step": step, **record})
            state = state._replace(opt_state=report_validation(state.opt_state, loss))
        if write_sample is not None:
            text = write_sample(params)
            progress.print(text + "\n")
            if run is not None:
                run.samples.write(f"=== update {step} ===\n{text}\n\n")
        return state

    with Interrupt() as interrupt, progress:
        if step == 0:
            state = check(state, step)
        while step < steps and not interrupt.requested:
            stop = min(_next(step, updates_per_call), _next(step, check_every), steps)
            called = time.perf_counter()
            state, metrics = update(state, _take(segments, step, stop))
            metrics = jax.device_get(metrics)
            step, now = stop, time.perf_counter()
            record = _record(step, metrics, now - called)
            progress.update(step, record["loss"], record["tokens_per_second"])
            if run is not None:
                run.seconds = now - started
                run.metrics.write_json({**record, "seconds": round(run.seconds, 3)})
            if step % check_every == 0 or step == steps:
                state = check(state, step)
            if run is not None and (step % check_every == 0 or step == steps):
                run.seconds = time.perf_counter() - started
                run.save(state)
        # Nothing to save before the first update, whose check is then made again.
        if run is not None and 0 < step < steps:
            run.save(state)
    return state


def _next(step: int, stride: int) -> int:
    """Returns the first multiple of `stride` after `step`.

    Calls are cut at multiples, so that a run that is resumed cuts them at the same places.
    """
    return (step // stride + 1) * stride


def _count(segments: SegmentSource | Any) -> int:
    """Returns S, how many segments there are."""
    if _is_source(segments):
        return len(segments)
    return jax.tree.leaves(segments)[0].shape[0]


def _take(segments: SegmentSource | Any, start: int, stop: int) -> Any:
    """Returns the segments for the updates from `start` to `stop`, round and round the data."""
    indices = np.arange(start, stop) % _count(segments)
    if _is_source(segments):
        return segments.take(indices)
    return jax.tree.map(lambda leaf: leaf[indices], segments)


def _is_source(segments: SegmentSource | Any) -> bool:
    """Whether segments are read by `take`; an array has a `take`, too, of another meaning."""
    return isinstance(segments, SegmentSource) and not isinstance(segments, np.ndarray | jax.Array)


def _record(step: int, metrics: Metrics, seconds: float) -> dict[str, Any]:
    """Returns the line for the metrics file; of an ensemble, the mean, and the loss of each member.

    Raises:
      FloatingPointError: if the loss is not finite.
    """
    tokens = float(np.sum(metrics.tokens))
    loss = float(np.sum(metrics.loss * metrics.tokens)) / max(tokens, 1)
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} at update {step}: lower the learning rate or the clipping norm"
        )
    norm = float(np.mean(metrics.grad_norm))
    speed = round(tokens / seconds, 1)
    record = {"step": step, "loss": loss, "grad_norm": norm, "tokens_per_second": speed}
    if metrics.loss.ndim > 1:  # [S, K]
        totals = np.sum(metrics.loss * metrics.tokens, axis=0)
        each = totals / np.maximum(np.sum(metrics.tokens, axis=0), 1)
        record["member_losses"] = each.tolist()
    return record
