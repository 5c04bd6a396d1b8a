"""A run folder: what a training run leaves behind, and goes on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaxrnn.train.checkpoint import Checkpoints
from jaxrnn.train.log import AppendLog
from jaxrnn.train.state import TrainState


class Run:
    """A run folder: `metrics.jsonl`, `samples.txt` and `checkpoints/`, always of one moment.

    A checkpoint also holds how long the two files were, so a run that is resumed writes on from
    there and the files are those of a run that never stopped.
    """

    def __init__(self, folder: str | Path):
        """Opens a run folder, which is made if need be."""
        self.folder = Path(folder)
        self.checkpoints = Checkpoints(self.folder / "checkpoints")
        self.metrics = AppendLog(self.folder / "metrics.jsonl")
        self.samples = AppendLog(self.folder / "samples.txt")
        self.seconds = 0.0  # spent in training, earlier sittings included

    def save(self, state: TrainState) -> None:
        """Writes a checkpoint."""
        positions = {"metrics": self.metrics.position(), "samples": self.samples.position()}
        self.checkpoints.save(state, {"seconds": self.seconds, **positions})

    def resume(self, state: TrainState) -> TrainState:
        """Returns the state of the latest checkpoint, or `state` itself where there is none."""
        extra: dict[str, Any] = {"seconds": 0.0, "metrics": 0, "samples": 0}
        if self.checkpoints.latest() is not None:
            state, extra = self.checkpoints.restore(state)
        self.seconds = extra["seconds"]
        self.metrics.rewind(extra["metrics"])
        self.samples.rewind(extra["samples"])
        return state
