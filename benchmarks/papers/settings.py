"""The settings of a run in its folder: a run goes on only with those it was begun with."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from jaxrnn.cells.checks import require

FILE = "settings.json"


def keep_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Writes the settings of a new run, or compares them with those of the run that is there.

    Args:
      folder: of the run; made if need be.
      settings: whatever the result depends on, as JSON.

    Raises:
      ValueError: if the folder holds a run with other settings, or something else.
    """
    path = folder / FILE
    if path.is_file():
        kept = json.loads(path.read_text("utf-8"))
        for name, value in settings.items():
            rule = f"hold a run with {name} = {value}, or be another folder"
            require(kept.get(name) == value, "out", rule, f"{kept.get(name)} in {folder}")
        return
    free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    require(free, "out", "be a new folder, or that of a run of this script", folder)
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
    os.replace(part, path)


def digest(*arrays: Any) -> str:
    """A short name for data, by which other data is told apart."""
    whole = hashlib.sha256()
    for array in arrays:
        array = np.asarray(array)
        whole.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return whole.hexdigest()[:16]
