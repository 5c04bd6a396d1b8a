"""IDX, the format of MNIST: an array of any rank behind a short header, gzipped or not."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from jaxrnn.cells.checks import require

_GZIP = b"\x1f\x8b"
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path) -> np.ndarray:
    """Reads an array, for example images `[N, 28, 28]` or labels `[N]`.

        0 0 | type | rank r | r sizes of four bytes | the numbers, the last axis fastest

    All of it is big-endian. Whether the file is gzipped is seen in its content, not in its name.

    Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".

    Args:
      path: the file.

    Returns:
      The array, in the byte order of this machine.

    Raises:
      ValueError: if the header is another one, or the file is shorter or longer than it says.
      OSError: if the file cannot be read.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, *range(6)]))
    ...     file.flush()
    ...     array = read_idx(file.name)
    >>> array.tolist(), str(array.dtype)
    ([[0, 1, 2], [3, 4, 5]], 'uint8')
    """
    content = _unpacked(Path(path))
    header = content[:4]
    known = len(header) == 4 and header[:2] == b"\0\0" and header[2] in _TYPES and header[3] > 0
    require(
        known, "path", f"begin with the header of an IDX file, {path}", header.hex(" ") or "none"
    )
    rank, dtype = header[3], np.dtype(_TYPES[header[2]])
    begin = 4 + 4 * rank
    require(len(content) >= begin, "path", f"have {rank} sizes behind its header, {path}", "fewer")
    shape = tuple(np.frombuffer(content, ">u4", rank, 4).tolist())
    size = begin + math.prod(shape) * dtype.itemsize
    rule = f"have {size} bytes for {list(shape)} numbers of {dtype.itemsize}, {path}"
    require(len(content) == size, "path", rule, len(content))
    array = np.frombuffer(content, dtype, offset=begin).reshape(shape)
    return array.astype(dtype.newbyteorder("="))


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if content[:2] != _GZIP:
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"`path` must be a whole gzip file, {path}; got {error}") from None
