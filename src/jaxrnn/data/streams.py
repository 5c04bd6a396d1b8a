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


class Streams:
    """The segments of `streams`, each cut when it is taken: for a text that stays on disk.

    A `SegmentSource` for `jaxrnn.train.fit`. Of a mapped array, as `read_tokens` opens it, only
    what is taken is read.

    Args:
      tokens: the text, `[N]` integers of any dtype.
      batch_size: B, how many streams are read side by side.
      segment_length: T, steps in a segment.

    Raises:
      ValueError: if a size is not positive, the text is too short to give every stream a step, or
        is not of integers.

    >>> source = Streams(np.arange(8), batch_size=2, segment_length=2)
    >>> len(source), source.take(np.array([1])).inputs.tolist()
    (2, [[[2, 6], [3, 0]]])
    """

    def __init__(self, tokens: np.ndarray, *, batch_size: int, segment_length: int):
        """Cuts nothing yet."""
        require_size("batch_size", batch_size)
        require_size("segment_length", segment_length)
        self._tokens = np.asarray(tokens)
        self._batch_size = batch_size
        self._segment_length = segment_length
        pairs = self._tokens.size - 1
        rule = f"hold more than batch_size x segment_length = {batch_size * segment_length} symbols"
        require(pairs >= batch_size * segment_length, "tokens", rule, pairs + 1)
        row = self._tokens.ndim == 1 and self._tokens.dtype.kind in "iu"
        what = f"{self._tokens.dtype} of shape {self._tokens.shape}"
        require(row, "tokens", "be one row of integers", what)
        self._stream_length = -(-pairs // batch_size)

    def __len__(self) -> int:
        """S, how many segments there are."""
        return -(-self._stream_length // self._segment_length)

    def take(self, indices: np.ndarray, /) -> Segment:
        """Cuts segments.

        Args:
          indices: which, integers in [0, S), `[N]`.

        Returns:
          A `Segment` with a leading axis: each array `[N, T, B]`.

        Raises:
          ValueError: if there is no such segment.
        """
        indices = np.asarray(indices, np.int64)
        outside = indices[(indices < 0) | (indices >= len(self))]
        require(outside.size == 0, "indices", f"lie in [0, {len(self)})", outside[:1])
        steps = indices[:, None] * self._segment_length + np.arange(self._segment_length + 1)
        starts = np.arange(self._batch_size) * self._stream_length
        places = steps[:, :, None] + starts  # [N, T + 1, B], of each input and of the last target
        pairs = len(self._tokens) - 1
        mask = (steps[:, :-1, None] < self._stream_length) & (places[:, :-1] < pairs)
        symbols = self._tokens.take(places, mode="clip").astype(np.int32)
        resets = np.zeros(mask.shape, bool)
        resets[indices == 0, 0] = True
        return Segment(symbols[:, :-1] * mask, symbols[:, 1:] * mask, mask, resets)


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
      A `Segment` with a leading axis: each array `[S, T, B]`. `Streams` cuts them when asked.

    Raises:
      ValueError: as `Streams`.

    >>> segments = streams(np.arange(8), batch_size=2, segment_length=2)
    >>> segments.inputs[:, :, 0].tolist(), segments.targets[:, :, 0].tolist()
    ([[0, 1], [2, 3]], [[1, 2], [3, 4]])
    >>> segments.inputs[:, :, 1].tolist(), segments.mask[:, :, 1].tolist()
    ([[4, 5], [6, 0]], [[True, True], [True, False]])
    """
    source = Streams(tokens, batch_size=batch_size, segment_length=segment_length)
    return source.take(np.arange(len(source)))
