"""Multi30k: sentences as numbers, and three networks that translate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxrnn import (
    generate,
    gru,
    input_dropout,
    length_mask,
    lstm,
    output_dropout,
    stack,
    unroll,
)
from jaxrnn.cells.checks import require
from jaxrnn.data.formats import TextPair, read_parallel
from jaxrnn.data.synthetic.transduction import Pair
from jaxrnn.data.tokenizers import WordTokenizer
from jaxrnn.losses import nll
from jaxrnn.models import BahdanauDecoder, Encoder, EncoderDecoder, PlainDecoder
from jaxrnn.models.encoder_decoder import functions

PARTS = {"train": "train", "valid": "val", "test": "test_2016_flickr"}
LEAST = 2  # times that a word must come in the training sentences to be known


class Codes(NamedTuple):
    """The words of two languages."""

    source: WordTokenizer
    target: WordTokenizer

    def pair(self, texts: TextPair) -> Pair:
        """Numbers a sentence and its translation; both end with the end of a line."""
        return Pair(*(code.encode(f"{t}\n") for code, t in zip(self, texts, strict=True)))


def read(folder: Path) -> dict[str, list[TextPair]]:
    """Reads the German and English sentences of each part.

    Raises:
      ValueError: if the folder does not hold them, or they hold something else.
    """
    found = {}
    for part, name in PARTS.items():
        paths = [folder / f"{name}.lc.norm.tok.{language}" for language in ("de", "en")]
        for path in paths:
            require(path.is_file(), "data", f"hold the file {path.name}", folder)
        found[part] = read_parallel(*paths)
    return found


def codes(pairs: Sequence[TextPair]) -> Codes:
    """Numbers the words that come often enough in the training sentences."""
    return Codes(*(_known(texts) for texts in zip(*pairs, strict=True)))


def _known(texts: Sequence[str]) -> WordTokenizer:
    counts = Counter(word for text in texts for word in text.split())
    del counts[WordTokenizer.unknown_symbol], counts[WordTokenizer.end_of_line]
    known = [word for word, count in counts.most_common() if count >= LEAST]
    return WordTokenizer([WordTokenizer.end_of_line, *known])


def translator(kind: str, code: Codes, hidden: int, dropout: float, seed: int) -> EncoderDecoder:
    """Makes one of three networks; vectors of words have half as many numbers as layers have units.

    plain: two layers of LSTM, the source reversed, the state handed over (Sutskever, Vinyals, Le
    2014, arXiv:1409.3215). context: one layer of GRU, what was read again at every step (Cho et al.
    2014, arXiv:1406.1078). attention: GRUs in both directions, looked at at every step (Bahdanau,
    Cho, Bengio 2015, arXiv:1409.0473).
    """
    rngs, vectors = nnx.Rngs(seed), hidden // 2
    wet = lambda cell: input_dropout(cell, dropout)
    sources: dict[str, Any] = {"vocabulary_size": code.source.vocabulary_size, "rngs": rngs}
    targets: dict[str, Any] = {"vocabulary_size": code.target.vocabulary_size, "rngs": rngs}
    if kind == "plain":
        layers = stack(wet(lstm(vectors, hidden)), wet(lstm(hidden, hidden)))
        encoder = Encoder(output_dropout(layers, dropout), reverse=True, **sources)
        decoder = PlainDecoder(output_dropout(layers, dropout), encoder, **targets)
    elif kind == "context":
        encoder = Encoder(wet(gru(vectors, hidden)), **sources)
        cell = output_dropout(wet(gru(vectors + hidden, hidden)), dropout)
        decoder = PlainDecoder(cell, encoder, context_size=hidden, **targets)
    else:
        reader = wet(gru(vectors, hidden))
        encoder = Encoder(reader, backward=reader, **sources)
        cell = output_dropout(wet(gru(vectors + 2 * hidden, hidden)), dropout)
        decoder = BahdanauDecoder(cell, encoder, **targets)
    return EncoderDecoder(encoder, decoder, end=code.target.boundary or 0, rngs=rngs)


def loss(model: EncoderDecoder, batch: Any, key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """Nats of a padded batch of `Pair`s, and its words."""
    nats = model.nll(*batch.values, *batch.lengths, key=key)
    return jnp.sum(nats), jnp.sum(batch.lengths.target)


def loss_by_own_words(
    model: EncoderDecoder, batch: Any, key: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """The same where the decoder reads not the words of the target but those it holds likeliest."""
    del key  # nothing is dropped
    parts, targets = functions(model), batch.values.target
    given = batch.values.source, batch.lengths.source
    opened, carry, first = parts.start(parts.params, *given)

    def step(params: Any, state: Any, target: jax.Array) -> tuple[Any, jax.Array]:
        carry, logits = parts.step(params, *state)
        return (carry, jnp.argmax(logits, axis=-1).astype(first.dtype)), nll(logits, target)

    _, nats = unroll(step, opened, (carry, first[0]), targets.T)
    real = length_mask(batch.lengths.target, targets.shape[1])
    return jnp.sum(jnp.where(real, nats, 0)), jnp.sum(batch.lengths.target)


class Translate:
    """Writes translations, compiled once for each size of a batch."""

    def __init__(self, model: EncoderDecoder, code: Codes, *, length: int):
        """Takes the model apart; `length` is the most words of a translation."""
        self._parts, self._code, self._end = functions(model), code, model.end
        self._start = jax.jit(self._parts.start)
        self._length = length

    def __call__(self, batch: Any, width: int) -> list[str]:
        """Of a padded batch of `Pair`s, by a beam of that width; 1 is greedy."""
        start = self._start(self._parts.params, batch.values.source, batch.lengths.source)
        how: dict[str, Any] = {"length": self._length, "end": self._end}
        if width == 1:
            _, symbols = generate.greedy(self._parts.step, *start, **how)
        else:
            # Sentences of any length on a par: without it a beam prefers the shortest ones.
            search = partial(generate.beam_search, width=width, length_penalty=1.0)
            symbols = search(self._parts.step, *start, **how).symbols[..., 0]
        return [self.text(row) for row in np.asarray(symbols).T]

    def text(self, symbols: np.ndarray) -> str:
        """The words before the end."""
        ends = np.flatnonzero(symbols == self._end)
        return self._code.target.decode(symbols[: ends[0]] if len(ends) else symbols)
