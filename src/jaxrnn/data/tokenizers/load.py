"""A saved vocabulary as the tokenizer that saved it."""

from __future__ import annotations

import json
from pathlib import Path

from jaxrnn.data.tokenizers.byte import ByteTokenizer
from jaxrnn.data.tokenizers.character import CharTokenizer
from jaxrnn.data.tokenizers.subword import BPETokenizer
from jaxrnn.data.tokenizers.word import WordTokenizer

Tokenizer = CharTokenizer | ByteTokenizer | WordTokenizer | BPETokenizer


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Reads a vocabulary that a tokenizer saved.

    Raises:
      ValueError: if the file is missing or is not a vocabulary.
      ModuleNotFoundError: if it is of level bpe and the extra `app` is not installed.
    """
    try:
        vocabulary = json.loads(Path(path).read_text("utf-8"))
        if vocabulary["level"] == "byte":
            return ByteTokenizer()
        if vocabulary["level"] == "word":
            return WordTokenizer(vocabulary["words"])
        if vocabulary["level"] == "bpe":
            return BPETokenizer(vocabulary["tokenizer"])
        return CharTokenizer(vocabulary["characters"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"`path` must be a saved vocabulary; got {path} ({error})") from error
