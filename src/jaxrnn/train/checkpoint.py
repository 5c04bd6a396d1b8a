"""Checkpoints of a whole run by Orbax: written completely or not at all."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from jaxrnn.train.seal import broken, is_sealed, seal
from jaxrnn.train.state import TrainState


class Checkpoints:
    """The last few states of a run in one folder.

    Orbax writes each beside its final name and renames it, then it is sealed with its digests; one
    without a seal, from a process that was killed, does not count. The seal is checked before
    anything is read, because Orbax takes a flipped bit for a number like any other.
    """

    def __init__(self, folder: str | Path, *, keep: int = 2):
        """Opens a folder, which is made if need be.

        Args:
          folder: where the checkpoints are.
          keep: how many of the latest to keep.
        """
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, enable_async_checkpointing=False
        )

    def latest(self) -> int | None:
        """The number of updates in the latest checkpoint; None if there is none."""
        folders = [path for path in self.folder.iterdir() if path.name.isdigit()]
        return max((int(path.name) for path in folders if is_sealed(path)), default=None)

    def save(self, state: TrainState, extra: dict[str, Any]) -> None:
        """Writes a state, and `extra`, which must be JSON, beside it."""
        step = int(state.step)
        if step == self.latest():
            return
        items = {
            "state": ocp.args.StandardSave(state),
            "extra": ocp.args.JsonSave({"leaves": _leaves(state), **extra}),
        }
        with self._open() as manager:
            for other in manager.all_steps():
                if not is_sealed(self.folder / str(other)):
                    manager.delete(other)
            manager.save(step, args=ocp.args.Composite(**items))
        seal(self.folder / str(step))

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
        folder = self.folder / str(step)
        damage = broken(folder)
        if damage:
            raise ValueError(
                f"`folder` must hold an undamaged checkpoint; got {folder}, where {damage}: "
                "delete that folder to go on from the checkpoint before"
            )
        with self._open() as manager:
            read = ocp.args.Composite(extra=ocp.args.JsonRestore())
            extra = manager.restore(step, args=read)["extra"]
            saved, asked = extra.pop("leaves"), _leaves(like)
            if saved != asked:
                name = min(key for key in saved.keys() | asked if saved.get(key) != asked.get(key))
                raise ValueError(
                    f"`folder` must hold a checkpoint of this model; got {folder}, where {name} "
                    f"is {saved.get(name)} and not {asked.get(name)}"
                )
            template = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
            read = ocp.args.Composite(state=ocp.args.StandardRestore(template))
            return manager.restore(step, args=read)["state"], extra

    @contextlib.contextmanager
    def _open(self) -> Iterator[ocp.CheckpointManager]:
        """Opens Orbax's manager for one operation, so that nobody has to close a run."""
        logger = logging.getLogger("absl")
        level = logger.level
        logger.setLevel(logging.ERROR)  # Orbax warns of things that it then does
        try:
            with ocp.CheckpointManager(self.folder, options=self._options) as manager:
                yield manager
        finally:
            logger.setLevel(level)


def _leaves(state: TrainState) -> dict[str, str]:
    """The dtype and shape of every leaf, by its path."""
    leaves = jax.tree.leaves_with_path(state)
    return {jax.tree_util.keystr(path): f"{x.dtype}{list(x.shape)}" for path, x in leaves}
