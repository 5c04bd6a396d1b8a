"""A seal on a folder: it was written to the end, and not a bit has changed since."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

SEAL = "sha256.json"


def seal(folder: Path) -> None:
    """Writes the digests of all files of a folder into it, as the last thing that is written."""
    part = folder / (SEAL + ".part")
    part.write_text(json.dumps(_digests(folder), indent=2) + "\n", "utf-8")
    os.replace(part, folder / SEAL)


def is_sealed(folder: Path) -> bool:
    """Whether a folder was written to the end."""
    return (folder / SEAL).is_file()


def broken(folder: Path) -> str | None:
    """Returns what is wrong with a sealed folder, naming the file; None if nothing is."""
    try:
        digests = json.loads((folder / SEAL).read_text("utf-8"))
        now = _digests(folder)
    except (OSError, ValueError) as error:
        return f"{SEAL}: {error}"
    wrong = [name for name in digests.keys() | now.keys() if digests.get(name) != now.get(name)]
    return f"{min(wrong)} is not as it was written" if wrong else None


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not path.name.startswith(SEAL)
    }
