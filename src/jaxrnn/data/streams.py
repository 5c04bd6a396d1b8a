"""One long text as contiguous parallel streams, cut into the segments of truncated BPTT."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxrnn.cells.checks import require, require_size


class Segment(NamedTuple):
    """A stretch of every stream; with a leading axis S, all segments of a text in order."""

    inputs: np.ndarray  # [T, B] int32
    targets: np.ndarray  # [T, B] int32, the symbol after each input
    mask: np.ndarray  # [T, B] bool, false in the padding after the end of the text
    resets: np.ndarray  # [T, B] bool, true at the first step of each stream


def streams(tokens: np.ndarray, *, batch_size: int, segment_length: int) -> Segment:
    """Cuts a text into `batch_size` streams and the streams into segments.

    Stream b reads the b-th part of the text, and segment s + 1 goes on where segment s stopped, so
    a carry handed from segment to segment has read everything since the start of its stream. Every
    symbol but the first is a target exactly once; the ragged end is padded and masked.

    Args:
      tokens: the text, `[N]` integers.
      batch_size: B, how many streams are read side by side.
      segment_length: T, steps in a segment.

    Returns:
      A `Segment` with a leading axis: each array `[S, T, B]`.

    Raises:
      ValueError: if a size is not positive, or the text is too short to give every stream a step.

    >>> segments = streams(np.arange(8), batch_size=2, segment_length=2)
    >>> segments.inputs[:, :, 0].tolist(), segments.targets[:, :, 0].tolist()
    ([[0, 1], [2, 3]], [[1, 2], [3, 4]])
    >>> segments.inputs[:, :, 1].tolist(), segments.mask[:, :, 1].tolist()
    ([[4, 5], [6, 0]], [[True, True], [True, False]])
    """
    require_size("batch_size", batch_size)
    require_size("segment_length", segment_length)
    tokens = np.asarray(tokens, np.int32)
    pairs = len(tokens) - 1
    enough = pairs >= batch_size * segment_length
    rule = f"hold more than batch_size x segment_length = {batch_size * segment_length} symbols"
    require(enough, "tokens", rule, len(tokens))
    stream_length = -(-pairs // batch_size)
    count = -(-stream_length // segment_length)

    def cut(array: np.ndarray) -> np.ndarray:
        """[B * stream_length] -> [S, T, B]."""
        rows = np.pad(array, (0, batch_size * stream_length - len(array)))
        rows = rows.reshape(batch_size, stream_length)
        rows = np.pad(rows, ((0, 0), (0, count * segment_length - stream_length)))
        return rows.reshape(batch_size, count, segment_length).transpose(1, 2, 0)

    resets = np.zeros((count, segment_length, batch_size), bool)
    resets[0, 0] = True
    return Segment(cut(tokens[:-1]), cut(tokens[1:]), cut(np.ones(pairs, bool)), resets)
