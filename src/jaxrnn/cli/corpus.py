"""The text of a run as symbols, cut for training and validation."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxrnn import data
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli.config import TrainConfig

LARGE = 64 * 2**20  # bytes; the symbols of a larger file stay on disk
SUBWORDS = 2000  # V at level bpe unless given


class Corpus(NamedTuple):
    """A text, ready to be trained on."""

    text: data.EncodedText
    training: data.Streams
    validation: data.Segment  # [S, T, B]

    @property
    def symbols_per_char(self) -> float:
        """In the validation part; 1 at character level."""
        return len(self.text.validation) / self.text.validation_characters


def read_corpus(config: TrainConfig) -> Corpus:
    """Reads, splits, encodes and cuts the corpus of a run.

    Raises:
      ValueError: if the text is missing, empty, too short, or not what `level` says.
    """
    require_size("batch_size", config.batch_size)
    require_size("segment_length", config.segment_length)
    text = read_text(config)
    shortest = config.batch_size * config.segment_length
    rule = f"hold more than batch_size x segment_length = {shortest} symbols to train on"
    require(len(text.training) > shortest, "corpus", rule, len(text.training))
    cut = {"batch_size": config.batch_size, "segment_length": config.segment_length}
    return Corpus(text, data.Streams(text.training, **cut), reading_streams(text.validation))


def read_text(config: TrainConfig) -> data.EncodedText:
    """Reads, splits and encodes the corpus of a run.

    The vocabulary is that of the training part, or what the run folder holds; what only the
    validation part has is unknown there. Symbols of a large file are mapped from a temporary one,
    which goes when the process ends.

    Raises:
      ValueError: if the text is missing, empty, too short, or not what `level` says.
    """
    sized, size = config.level in ("word", "bpe"), config.vocabulary
    rule = "be left out at levels char and byte"
    require(sized or size is None, "vocabulary", rule, size)
    least = 257 if config.level == "bpe" else 2
    enough = size is None or size >= least
    require(enough, "vocabulary", f"be at least {least} at level {config.level}", size)
    if config.level == "bpe" and size is None:
        size = SUBWORDS
    options: dict[str, Any] = {"level": config.level, "validation": config.validation}
    options["vocabulary_size"] = size
    if config.run is not None and (kept := config.run / "vocabulary.json").is_file():
        options |= {"tokenizer": data.load_tokenizer(kept), "vocabulary_size": None}
    if config.corpus is None:
        return data.encode_text(data.default_corpus(), **options)
    large = config.corpus.is_file() and config.corpus.stat().st_size > LARGE
    folder = _temporary_folder() if large else None
    return data.encode_file(config.corpus, folder=folder, argument="corpus", **options)


def reading_streams(tokens: np.ndarray) -> data.Segment:
    """Cuts a text that is not trained on into as few streams as it can be read in within seconds.

    Each stream starts without context, so a text of up to 40,000 symbols is one stream.
    """
    batch_size = min(max(len(tokens) // 20_000, 1), 256)
    segment_length = min((len(tokens) - 1) // batch_size, 1000)
    return data.streams(tokens, batch_size=batch_size, segment_length=segment_length)


def _temporary_folder() -> Path:
    """A folder that is removed when the process ends."""
    folder = tempfile.mkdtemp(prefix="jaxrnn-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
