"""The text of a run as symbols, cut for training and validation."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np

from jaxrnn import data
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli.config import TrainConfig


class Corpus(NamedTuple):
    """A text, ready to be trained on."""

    tokenizer: data.Tokenizer
    training: data.Segment  # [S, T, B]
    validation: data.Segment  # [S, T, B]
    symbols_per_char: float  # in the validation text; 1 at character level
    digest: str  # SHA-256 of the text


class Text(NamedTuple):
    """A text as symbols, in two parts."""

    tokenizer: data.Tokenizer
    training: np.ndarray  # [N]
    validation: np.ndarray  # [N]
    symbols_per_char: float  # in the validation part; 1 at character level
    digest: str  # SHA-256 of the whole


def read_corpus(config: TrainConfig) -> Corpus:
    """Reads, splits, encodes and cuts the corpus of a run.

    Raises:
      ValueError: if the text is missing, empty, too short, or not what `level` says.
    """
    require_size("batch_size", config.batch_size)
    require_size("segment_length", config.segment_length)
    shortest = config.batch_size * config.segment_length
    rule = f"hold more than batch_size x segment_length = {shortest} symbols to train on"
    text = read_symbols(config, shortest, rule)
    cut = {"batch_size": config.batch_size, "segment_length": config.segment_length}
    training = data.streams(text.training, **cut)
    validation = _validation_streams(text.validation)
    return Corpus(text.tokenizer, training, validation, text.symbols_per_char, text.digest)


def read_symbols(
    config: TrainConfig, shortest: int = 0, rule: str = "hold symbols to train on"
) -> Text:
    """Reads, splits and encodes the corpus of a run, of which more than `shortest` are to train on.

    The vocabulary is that of the training part; what only the validation part has is unknown there.

    Raises:
      ValueError: if the text is missing, empty, too short, or not what `level` says.
    """
    text: Any = _read(config)
    training, validation = data.split(text, config.validation)
    require(len(training) > shortest, "corpus", rule, len(training))
    require(len(validation) > 1, "corpus", "leave two symbols for validation", len(validation))
    require(len(set(training)) > 1, "corpus", "hold two different symbols", repr(training[:1]))
    if isinstance(training, str):
        tokenizer = data.CharTokenizer.from_text(training)
        chars = len(validation)
    else:
        tokenizer = data.ByteTokenizer()
        chars = len(validation.decode("utf-8", errors="replace"))
    return Text(
        tokenizer,
        tokenizer.encode(training),
        tokenizer.encode(validation),
        len(validation) / chars,
        hashlib.sha256(text.encode("utf-8") if isinstance(text, str) else text).hexdigest(),
    )


def _read(config: TrainConfig) -> str | bytes:
    if config.level == "byte":
        if config.corpus is None:
            return data.default_corpus().encode("utf-8")
        return data.read_bytes(config.corpus)
    return data.default_corpus() if config.corpus is None else data.read_text(config.corpus)


def _validation_streams(tokens: np.ndarray) -> data.Segment:
    """Cuts a validation text into as few streams as it can be read in within seconds.

    Each stream starts without context, so a text of up to 40,000 symbols is one stream.
    """
    batch_size = min(max(len(tokens) // 20_000, 1), 256)
    segment_length = min((len(tokens) - 1) // batch_size, 1000)
    return data.streams(tokens, batch_size=batch_size, segment_length=segment_length)
