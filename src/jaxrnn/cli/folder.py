"""The run folder on disk: its name, its configuration, its vocabulary."""

from __future__ import annotations

import json
import os
from pathlib import Path

from jaxrnn.cells.checks import require
from jaxrnn.cli.config import TrainConfig
from jaxrnn.data import Tokenizer
from jaxrnn.train import Checkpoints, TrainState


def new_folder(root: Path = Path("runs")) -> Path:
    """Returns the first of runs/001, runs/002, ... that does not exist."""
    number = 1
    while (root / f"{number:03d}").exists():
        number += 1
    return root / f"{number:03d}"


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run.

    Raises:
      ValueError: if it holds anything else, which training would mix with its files.
    """
    if (folder / "config.json").is_file():
        return True
    free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    require(free, "run", "be a new folder, or one that `jaxrnn train` made", folder)
    return False


def create(folder: Path, config: TrainConfig, digest: str, tokenizer: Tokenizer) -> None:
    """Makes the folder of a run; its configuration comes last, so half a folder is none."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / "vocabulary.json")
    text = json.dumps({**config.kept(), "corpus_sha256": digest}, indent=2) + "\n"
    (folder / "config.json.part").write_text(text, "utf-8")
    os.replace(folder / "config.json.part", folder / "config.json")


def restore(folder: Path, like: TrainState) -> TrainState:
    """Reads the last checkpoint of a run.

    Raises:
      ValueError: if it has none, or a damaged one.
    """
    path = folder / "checkpoints"
    require(path.is_dir(), "run", "hold a checkpoint (train it for longer)", folder)
    return Checkpoints(path).restore(like)[0]


def require_corpus(folder: Path, digest: str) -> None:
    """Raises ValueError unless the run in a folder was started with the text of that digest."""
    kept = json.loads((folder / "config.json").read_text("utf-8"))["corpus_sha256"]
    require(kept == digest, "corpus", f"be the text that the run {folder} learns", "another text")
