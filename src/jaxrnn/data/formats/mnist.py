"""MNIST, or any other set of pictures in ten classes in its four files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jaxrnn.cells.checks import require
from jaxrnn.data.digits import Digits
from jaxrnn.data.formats.idx import read_idx


def read_mnist(folder: str | Path) -> tuple[Digits, Digits]:
    """Reads `train-images-idx3-ubyte` and the three other files, each with `.gz` behind it or not.

    Source: LeCun, Bottou, Bengio, Haffner 1998, doi:10.1109/5.726791.

    Args:
      folder: where they are.

    Returns:
      Training and test digits, pixels from 0 to 1.

    Raises:
      ValueError: if a file is missing or damaged, or images and labels do not fit.
    """
    return _part(Path(folder), "train"), _part(Path(folder), "t10k")


def _part(folder: Path, part: str) -> Digits:
    images = read_idx(_file(folder, f"{part}-images-idx3-ubyte"))
    labels = read_idx(_file(folder, f"{part}-labels-idx1-ubyte"))
    fits = images.ndim == 3 and images.dtype == np.uint8
    require(fits, "folder", f"hold images of bytes, [N, R, C], {folder}", images.shape)
    rule = f"hold a label for each of {len(images)} images of {part}, {folder}"
    require(labels.shape == (len(images),), "folder", rule, labels.shape)
    top = int(labels.max(initial=0))
    require(top < 10, "folder", f"hold labels from 0 to 9, {folder}", top)
    return Digits((images / np.float32(255)).astype(np.float32), labels.astype(np.int32))


def _file(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise ValueError(f"`folder` must hold the file {name}, or {name}.gz; got {folder}")
