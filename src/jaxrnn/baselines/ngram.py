"""The n-gram language model: the next symbol from the few before it, by counting."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxrnn.baselines.counts import count_grams, find, reaches
from jaxrnn.baselines.smoothing import Smoothing, modified_kneser_ney
from jaxrnn.cells.checks import require, require_size


class NGram:
    """Predicts a symbol from the n - 1 before it, as often as it was seen there.

        p(w_1 ... w_N) = Π_t p(w_t | w_{t-n+1} ... w_{t-1})

    Source: Shannon 1948; Chen, Goodman 1998, for the smoothing.

    >>> model = NGram(np.array([0, 1, 0, 1, 0, 1]), order=2, vocabulary_size=2)
    >>> bool(model.probabilities(np.array([0]))[1] > 0.5)
    True
    """

    def __init__(
        self,
        tokens: Any,
        *,
        order: int,
        vocabulary_size: int,
        boundary: int | None = None,
        smoothing: Smoothing = modified_kneser_ney,
    ):
        """Counts a text.

        Args:
          tokens: the text, `[N]` integers in [0, V).
          order: n, at least 1.
          vocabulary_size: V.
          boundary: the symbol that ends a sentence, so that no context reaches back over it; None
            for a text without sentences.
          smoothing: one of `jaxrnn.baselines`: `modified_kneser_ney`, `kneser_ney`, `witten_bell`,
            `add_k(k)`, or `katz`, which backs off where the others interpolate.

        Raises:
          ValueError: if a size is not positive, or a symbol not in the vocabulary.
        """
        require_size("order", order)
        require_size("vocabulary_size", vocabulary_size)
        self.order, self.vocabulary_size, self.boundary = order, vocabulary_size, boundary
        tokens = self._checked("tokens", tokens)
        require(len(tokens) > 0, "tokens", "hold a symbol", tokens)
        self._tables = count_grams(self._opened(tokens), order, vocabulary_size, boundary)
        self._weights = smoothing(self._tables)

    def log_probabilities(self, tokens: Any) -> np.ndarray:
        """The log-probability of every symbol of a text, in nats, `[N]`.

        Args:
          tokens: `[N]` integers in [0, V); the first one has no context, or that of a sentence's
            start.

        Raises:
          ValueError: if a symbol is not in the vocabulary.
        """
        tokens = self._checked("tokens", tokens)
        opened = self._opened(tokens)
        p = self._chain(opened, reaches(opened, self.boundary))
        return np.log(p[len(opened) - len(tokens) :])

    def probabilities(self, context: Any) -> np.ndarray:
        """The probability of every symbol after a context, `[V]`.

        Args:
          context: the symbols before, `[K]`; of more than n - 1 the last ones count.

        Raises:
          ValueError: if a symbol is not in the vocabulary.
        """
        context = self._opened(self._checked("context", context))
        context = context[len(context) - min(self.order - 1, len(context)) :]
        texts = np.empty((self.vocabulary_size, len(context) + 1), np.int64)
        texts[:, :-1], texts[:, -1] = context, np.arange(self.vocabulary_size)
        reach = np.stack([reaches(text, self.boundary) for text in texts[:1]])
        reach = np.broadcast_to(reach, texts.shape)
        return self._chain(texts.ravel(), reach.ravel())[texts.shape[1] - 1 :: texts.shape[1]]

    def _chain(self, tokens: np.ndarray, reach: np.ndarray) -> np.ndarray:
        """p of each symbol, from contexts of no symbol to those of n - 1."""
        uniform = 1.0 / self.vocabulary_size
        single = self._weights[0]
        p = single.join(single.seen[tokens], np.full(len(tokens), single.rest[0] * uniform))
        numbers = tokens.astype(np.int64)
        for length in range(2, self.order + 1):
            grams, weights = self._tables[length - 1], self._weights[length - 1]
            context = np.concatenate([[-1], numbers[:-1]])
            context = np.where(reach >= length, context, -1)
            known = np.flatnonzero(context >= 0)
            before = context[known]
            at = find(grams, before * self.vocabulary_size + tokens[known])
            seen = np.where(at >= 0, weights.seen[at] if len(weights.seen) else 0.0, 0.0)
            below = p[known] if weights.over_shorter else uniform
            longer = p if weights.over_shorter else np.full(len(p), uniform)
            longer = np.where(reach >= length, longer, p)
            longer[known] = weights.join(seen, weights.rest[before] * below)
            p = longer
            numbers = np.full(len(tokens), -1)
            numbers[known] = at
        return p

    def _opened(self, tokens: np.ndarray) -> np.ndarray:
        """The text behind the boundary that stands for the start of its first sentence."""
        return tokens if self.boundary is None else np.concatenate([[self.boundary], tokens])

    def _checked(self, name: str, tokens: Any) -> np.ndarray:
        tokens = np.asarray(tokens)
        integers = tokens.ndim == 1 and (len(tokens) == 0 or tokens.dtype.kind in "iu")
        require(integers, name, "be one row of integers", f"{tokens.dtype}{list(tokens.shape)}")
        ends = (int(tokens.min()), int(tokens.max())) if len(tokens) else (0, 0)
        rule = f"lie in [0, V={self.vocabulary_size})"
        require(ends[0] >= 0 and ends[1] < self.vocabulary_size, name, rule, ends)
        return tokens.astype(np.int64)
