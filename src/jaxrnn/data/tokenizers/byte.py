"""Bytes as integers, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np


class ByteTokenizer:
    """One symbol for each byte of the UTF-8 encoding: 256 symbols, none unknown.

    >>> tokenizer = ByteTokenizer()
    >>> tokenizer.encode("né").tolist(), tokenizer.decode([110, 195, 169])
    ([110, 195, 169], 'né')
    """

    level = "byte"
    vocabulary_size = 256

    def encode(self, text: str | bytes) -> np.ndarray:
        """Text or bytes to symbols, `[N]` int32."""
        data = text.encode("utf-8") if isinstance(text, str) else text
        return np.frombuffer(data, np.uint8).astype(np.int32)

    def encode_chunks(self, text: str | bytes | Iterable[str | bytes]) -> Iterator[np.ndarray]:
        """The same chunk by chunk, for a text that comes in chunks; each `[n]` int32."""
        for chunk in [text] if isinstance(text, str | bytes) else text:
            yield self.encode(chunk)

    def decode(self, symbols: Any) -> str:
        """Symbols to text; bytes that are not UTF-8 become the replacement character."""
        return bytes(np.asarray(symbols, np.uint8)).decode("utf-8", errors="replace")

    def unknown(self, text: str) -> list[str]:
        """Nothing: every byte has a symbol."""
        del text
        return []

    def save(self, path: str | Path) -> None:
        """Writes the vocabulary as JSON."""
        Path(path).write_text(json.dumps({"level": self.level}) + "\n", "utf-8")
