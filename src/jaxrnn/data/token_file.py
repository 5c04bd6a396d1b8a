"""The symbols of a text in a file, of which as much is read as is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from jaxrnn.cells.checks import require
from jaxrnn.data.corpus import CHUNK, read_byte_chunks, read_text_chunks
from jaxrnn.data.tokenizers import ByteTokenizer, Tokenizer


def write_tokens(
    path: str | Path, tokenizer: Tokenizer, out: str | Path, *, chunk_size: int = CHUNK
) -> np.ndarray:
    """Writes the symbols of a text file to a file, for any length in little memory.

    The file is a `.npy` of the smallest unsigned integers that hold V - 1. It appears when it is
    complete; until then it is called `.part`.

    Args:
      path: UTF-8 text; any bytes for a `ByteTokenizer`.
      tokenizer: what the symbols come from; they are those of the text as a whole.
      out: the file to write, by custom called `.npy`.
      chunk_size: bytes to read at a time.

    Returns:
      The symbols, `[N]`, mapped from the file.

    Raises:
      ValueError: if the text is missing, empty or not UTF-8.
    """
    if isinstance(tokenizer, ByteTokenizer):
        pieces = tokenizer.encode_chunks(read_byte_chunks(path, "path", chunk_size))
    else:
        pieces = tokenizer.encode_chunks(read_text_chunks(path, "path", chunk_size))
    return write_array(pieces, smallest_dtype(tokenizer.vocabulary_size), out)


def read_tokens(path: str | Path) -> np.ndarray:
    """Opens a file of symbols, `[N]`, which is mapped and not read.

    Raises:
      ValueError: if it is missing, or is not a row of integers.
    """
    rule = "be a file of symbols that `write_tokens` wrote"
    try:
        tokens = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"`path` must {rule}; got {path} ({error})") from error
    row = isinstance(tokens, np.ndarray) and tokens.ndim == 1 and tokens.dtype.kind in "iu"
    require(row, "path", rule, path)
    return tokens


def smallest_dtype(vocabulary_size: int) -> np.dtype:
    """The smallest unsigned integers that hold the symbols 0 to V - 1."""
    return np.min_scalar_type(vocabulary_size - 1)


def write_array(pieces: Iterable[np.ndarray], dtype: np.dtype, out: str | Path) -> np.ndarray:
    """Writes rows one after the other as one array, and opens it; `[N]` of `dtype`.

    If a piece fails to come, there is no file.
    """
    out = Path(out)
    part = out.with_name(out.name + ".part")
    try:
        with open(part, "wb") as file:
            _write_header(file, dtype, 0)
            start, length = file.tell(), 0
            for piece in pieces:
                file.write(piece.astype(dtype).data)
                length += len(piece)
            # The header leaves room for the length to grow.
            file.seek(0)
            _write_header(file, dtype, length)
            assert file.tell() == start
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return read_tokens(out)


def _write_header(file: BinaryIO, dtype: np.dtype, length: int) -> None:
    description = {
        "descr": npy.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": (length,),
    }
    npy.write_array_header_1_0(file, description)
