"""Piano rolls in the files in which polyphonic music is passed around."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jaxrnn.cells.checks import require

KEYS = 88
PARTS = {"train": "traindata", "valid": "validdata", "test": "testdata"}


def read_piano_rolls(path: str | Path, argument: str = "path") -> dict[str, list[np.ndarray]]:
    """Reads the pieces of a `.mat` file, for example `JSB_Chorales.mat` or `Nottingham.mat`.

    Source: Boulanger-Lewandowski, Bengio, Vincent 2012, arXiv:1206.6392 (the data sets); as MATLAB
    files: Bai et al. 2018, arXiv:1803.01271.

    Args:
      path: of the file.
      argument: what errors call it.

    Returns:
      The parts `train`, `valid` and `test`, each a list of pieces `[T, 88]`, uint8, 1 where a key
      is down, the lowest key first.

    Raises:
      ValueError: if the file is missing or holds something else.
    """
    # Here, because the rest of the room needs NumPy alone; jax itself brings SciPy.
    import scipy.io

    require(Path(path).is_file(), argument, "be a file", path)
    parts: dict[str, list[np.ndarray]] = {}
    try:
        content: Any = scipy.io.loadmat(path)
        for part, name in PARTS.items():
            parts[part] = [np.asarray(roll) for roll in content[name][0]]
    except Exception as error:  # a damaged file comes to light in a dozen ways
        rule = f"be a MATLAB file with {', '.join(PARTS.values())}"
        raise ValueError(f"`{argument}` must {rule}; got {path} ({error})") from None
    for rolls in parts.values():
        for roll in rolls:
            fits = roll.ndim == 2 and roll.shape[1] == KEYS and len(roll) > 0
            require(fits, argument, f"hold pieces [T, {KEYS}]", roll.shape)
            require(bool(np.isin(roll, (0, 1)).all()), argument, "hold zeros and ones", path)
    return {part: [roll.astype(np.uint8) for roll in rolls] for part, rolls in parts.items()}
