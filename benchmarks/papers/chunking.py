"""CoNLL-2000: sentences as numbers, and a tagger of words, their form and their part of speech."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxrnn import input_dropout, lstm, output_dropout
from jaxrnn.cells.checks import require
from jaxrnn.data.formats import read_conll
from jaxrnn.models import Tagger
from jaxrnn.nn import CRF, bio_allowed

FILES = {"train": "train.txt", "test": "test.txt"}
COLUMNS = ("word", "pos", "chunk")
UNKNOWN = 0  # in every vocabulary
SIZES = {"word": 100, "suffix": 30, "shape": 15, "pos": 30}  # of the vectors

Sentence = dict[str, list[str]]


class Example(NamedTuple):
    """A sentence in numbers."""

    features: np.ndarray  # [T, 4] int32, in the order of `SIZES`
    tags: np.ndarray  # [T] int32


class Codes(NamedTuple):
    """What is known from the training sentences, numbered."""

    known: dict[str, dict[str, int]]  # for each feature its values, from 1 on, frequent ones first
    labels: tuple[str, ...]  # chunk tags
    rare: int  # words from this number on come once in the training sentences

    def example(self, sentence: Sentence) -> Example:
        """Numbers a sentence."""
        found = values(sentence)
        columns = [
            [self.known[name].get(value, UNKNOWN) for value in found[name]] for name in SIZES
        ]
        # A tag that the training sentences lack cannot be found, but it counts in the score.
        numbers = {label: n for n, label in enumerate(self.labels)}
        tags = [numbers.get(tag, 0) for tag in sentence["chunk"]]
        return Example(np.array(columns, np.int32).T, np.array(tags, np.int32))


def read(folder: Path) -> dict[str, list[Sentence]]:
    """Reads `train.txt` and `test.txt`.

    Raises:
      ValueError: if the folder does not hold them, or they hold something else.
    """
    for name in FILES.values():
        require((folder / name).is_file(), "data", f"hold the file {name}", folder)
    return {part: read_conll(folder / name, COLUMNS) for part, name in FILES.items()}


def values(sentence: Sentence) -> dict[str, list[str]]:
    """The features of each word: in lower case with digits alike, its end, its shape, its POS."""
    words = sentence["word"]
    lower = ["".join("0" if c.isdigit() else c for c in word.lower()) for word in words]
    return {
        "word": lower,
        "suffix": [word[-3:] for word in lower],
        "shape": [shape(word) for word in words],
        "pos": sentence["pos"],
    }


def shape(word: str) -> str:
    """A word with letters and digits alike, repeated ones once.

    >>> shape("McDonald's"), shape("1990-91")
    ("XxXx'x", '9-9')
    """
    kinds: list[str] = []
    for c in word:
        kind = "9" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c
        if kinds[-1:] != [kind]:
            kinds.append(kind)
    return "".join(kinds)


def codes(sentences: Sequence[Sentence]) -> Codes:
    """Numbers what the training sentences hold."""
    found = [values(sentence) for sentence in sentences]
    counts = {
        name: Counter(value for each in found for value in each[name]).most_common()
        for name in SIZES
    }
    known = {name: {value: n for n, (value, _) in enumerate(c, 1)} for name, c in counts.items()}
    rare = 1 + sum(count > 1 for _, count in counts["word"])
    labels = sorted({tag for sentence in sentences for tag in sentence["chunk"]})
    return Codes(known, tuple(labels), rare)


class Chunker(nnx.Module):
    """A bidirectional LSTM under a CRF, over vectors of the word, its end, its shape and its POS.

    Source: Huang, Xu, Yu 2015, arXiv:1508.01991.
    """

    def __init__(
        self,
        sizes: Iterable[int],
        labels: Sequence[str],
        rare: int,
        hidden: int,
        dropout: float,
        *,
        rngs: nnx.Rngs,
    ):
        """Draws the parameters.

        Args:
          sizes: how many values each feature has, in the order of `SIZES`.
          labels: chunk tags.
          rare: words from this number on are unknown in every second place in training, so that the
            vector of the unknown word is learned.
          hidden: H of each direction.
          dropout: rate, of what goes into the LSTM and of what comes out.
          rngs: its `params` stream gives the keys.
        """
        widths = SIZES.values()
        self.embeds = nnx.List(
            [nnx.Embed(n, width, rngs=rngs) for n, width in zip(sizes, widths, strict=True)]
        )
        self.rare = rare
        cell = lambda: output_dropout(input_dropout(lstm(sum(widths), hidden), dropout), dropout)
        crf = partial(CRF, allowed=bio_allowed(labels))
        self.tagger = Tagger(cell(), backward=cell(), tags=len(labels), crf=crf, rngs=rngs)

    def vectors(self, features: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Features `[B, T, 4]` as vectors `[B, T, D]`."""
        if key is not None:
            words = features[..., 0]
            hidden = jax.random.bernoulli(key, 0.5, words.shape) & (words >= self.rare)
            features = features.at[..., 0].set(jnp.where(hidden, UNKNOWN, words))
        parts = [embed(features[..., n]) for n, embed in enumerate(self.embeds)]
        return jnp.concatenate(parts, axis=-1)

    def nll(
        self, features: jax.Array, tags: jax.Array, lengths: jax.Array, key: jax.Array | None = None
    ) -> jax.Array:
        """Nats of the tags of each sentence, `[B]`; see `Tagger.nll`."""
        word_key, key = (None, None) if key is None else jax.random.split(key)
        return self.tagger.nll(self.vectors(features, word_key), tags, lengths, key=key)

    def tags(self, features: jax.Array, lengths: jax.Array) -> jax.Array:
        """The best tags `[B, T]`."""
        return self.tagger.tags(self.vectors(features), lengths)


def loss(model: Chunker, batch: Any, key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """Nats of a padded batch of `Example`s, and its words."""
    (features, tags), (_, lengths) = batch
    return jnp.sum(model.nll(features, tags, lengths, key)), jnp.sum(lengths)
