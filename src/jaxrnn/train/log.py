"""Files that a run appends to, and that can be taken back to an earlier moment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class AppendLog:
    """A text file that grows, and forgets what was written after a checkpoint."""

    def __init__(self, path: Path):
        """Takes the path; the file is made by the first write."""
        self.path = path

    def write(self, text: str) -> None:
        """Appends text and hands it to the operating system."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)

    def write_json(self, record: dict[str, Any]) -> None:
        """Appends one JSON line."""
        self.write(json.dumps(record) + "\n")

    def position(self) -> int:
        """Bytes written so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def rewind(self, position: int) -> None:
        """Drops all that was written after `position`, half a line from a killed run included."""
        if self.position() > position:
            os.truncate(self.path, position)
