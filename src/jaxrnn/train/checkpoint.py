"""Checkpoints of a whole run by Orbax: written completely or not at all."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from jaxrnn.train.state import TrainState


class Checkpoints:
    """The last few states of a run in one folder.

    Orbax writes each beside its final name and then renames it, so a process that is killed at any
    moment leaves the last complete one.
    """

    def __init__(self, folder: str | Path, *, keep: int = 2):
        """Opens a folder, which is made if need be.

        Args:
          folder: where the checkpoints are.
          keep: how many of the latest to keep.
        """
        logging.getLogger("absl").setLevel(logging.ERROR)
        self.folder = Path(folder).resolve()
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(self.folder, options=options)

    def latest(self) -> int | None:
        """The number of updates in the latest checkpoint; None if there is none."""
        return self._manager.latest_step()

    def save(self, state: TrainState, extra: dict[str, Any]) -> None:
        """Writes a state, and `extra`, which must be JSON, beside it."""
        step = int(state.step)
        if step != self.latest():
            items = {"state": ocp.args.StandardSave(state), "extra": ocp.args.JsonSave(extra)}
            self._manager.save(step, args=ocp.args.Composite(**items))

    def restore(self, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """Reads the latest checkpoint.

        Args:
          like: a state with the structure, shapes and dtypes of the one that was saved.

        Returns:
          The state, bit for bit, and the `extra` that was saved with it.

        Raises:
          ValueError: if there is no checkpoint, or it is damaged or of another model.
        """
        step = self.latest()
        if step is None:
            raise ValueError(f"`folder` must hold a checkpoint; got {self.folder}")
        template = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        items = {"state": ocp.args.StandardRestore(template), "extra": ocp.args.JsonRestore()}
        try:
            restored = self._manager.restore(step, args=ocp.args.Composite(**items))
        except Exception as error:  # Orbax raises many kinds for the same two causes
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            folder = self.folder / str(step)
            raise ValueError(
                f"`folder` must hold a readable checkpoint of this model; got {folder}, which is "
                f"damaged or of another model: delete it to go on from the one before ({reason})"
            ) from error
        return restored["state"], restored["extra"]
