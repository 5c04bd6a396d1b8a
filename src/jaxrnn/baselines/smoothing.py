"""From counts to probabilities: how much of a context's mass goes to what was not seen after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxrnn.baselines.counts import Grams
from jaxrnn.cells.checks import require


class Weights(NamedTuple):
    """The probabilities after contexts of one length, `p(w | h) = seen + rest(h) * below`.

    `below` is the probability after the context without its first symbol, or 1 / V.
    """

    seen: np.ndarray  # [M] for each gram of this length
    rest: np.ndarray  # [number of contexts]; 1 for a context after which nothing was seen
    over_shorter: bool = True  # whether `below` is that of the shorter context


Smoothing = Callable[[list[Grams]], list[Weights]]


def add_k(k: float = 1.0) -> Smoothing:
    """Adds k to the count of every symbol after every context; no shorter contexts are used.

        p(w | h) = (c(hw) + k) / (c(h) + k V)

    Source: Lidstone 1920; with k = 1 it is the rule of Laplace.

    Args:
      k: what is added, positive.

    Raises:
      ValueError: if k is not positive.
    """
    require(k > 0, "k", "be positive", k)

    def smoothing(tables: list[Grams]) -> list[Weights]:
        added = k * len(tables[0].keys)
        weights = []
        for grams, contexts in _with_contexts(tables):
            total = np.bincount(grams.context, grams.counts, contexts) + added
            weights.append(Weights(grams.counts / total[grams.context], added / total, False))
        return weights

    return smoothing


def witten_bell(tables: list[Grams]) -> list[Weights]:
    """Gives the unseen as much as there were different symbols after the context.

        p(w | h) = (c(hw) + N(h) p(w | h')) / (c(h) + N(h))

    N(h) is the number of different symbols after h, and h' is h without its first symbol.

    Source: Witten, Bell 1991, doi:10.1109/18.87000.
    """
    weights = []
    for grams, contexts in _with_contexts(tables):
        kinds = np.bincount(grams.context[grams.counts > 0], minlength=contexts)
        total = np.bincount(grams.context, grams.counts, contexts) + kinds
        total = np.where(total > 0, total, 1)
        rest = np.where(kinds > 0, kinds / total, 1.0)
        weights.append(Weights(grams.counts / total[grams.context], rest))
    return weights


def kneser_ney(tables: list[Grams]) -> list[Weights]:
    """Interpolated Kneser-Ney smoothing with one discount for each length.

        p(w | h) = max(c(hw) - D, 0) / c(h) + D N(h) / c(h) p(w | h')
        D = n_1 / (n_1 + 2 n_2)

    Below the longest grams, c(g) is not how often g occurs but after how many different symbols; of
    a gram at the start of a sentence it is how often. n_i grams have the count i; where n_1 = 0, D
    is 1/2, so that something is left for what was not seen.

    Source: Kneser, Ney 1995, doi:10.1109/ICASSP.1995.479394; interpolated as in Chen, Goodman 1998.
    """
    return _discounted(tables, lambda n: np.repeat(_first(n), 3))


def modified_kneser_ney(tables: list[Grams]) -> list[Weights]:
    """Interpolated Kneser-Ney smoothing with a discount for the counts 1, 2, and 3 or more.

        Y = n_1 / (n_1 + 2 n_2);   D_i = i - (i + 1) Y n_{i+1} / n_i

    The rest as for `kneser_ney`. Where a text is so small that n_i or n_{i+1} is 0, D_i is Y.

    Source: Chen, Goodman 1998, "An empirical study of smoothing techniques for language modeling".
    """

    def discounts(n: np.ndarray) -> np.ndarray:
        y, each = _first(n), []
        for i in (1, 2, 3):
            d = i - (i + 1) * y * n[i + 1] / n[i] if n[i] and n[i + 1] else y
            each.append(d if 0 <= d <= i else y)
        return np.array(each)

    return _discounted(tables, discounts)


def _discounted(
    tables: list[Grams], discounts: Callable[[np.ndarray], np.ndarray]
) -> list[Weights]:
    weights = []
    for k, (grams, contexts) in enumerate(_with_contexts(tables)):
        counts = grams.counts
        if k + 1 < len(tables):
            before = np.bincount(tables[k + 1].suffix, minlength=len(counts))
            counts = np.where(before > 0, before, counts)
        n = np.bincount(np.minimum(counts, 5), minlength=6)
        off = np.concatenate([[0.0], discounts(n)])[np.minimum(counts, 3)]
        total = np.bincount(grams.context, counts, contexts)
        taken = np.bincount(grams.context, off, contexts)
        known = total > 0
        total = np.where(known, total, 1)
        rest = np.where(known, taken / total, 1.0)
        weights.append(Weights((counts - off) / total[grams.context], rest))
    return weights


def _with_contexts(tables: list[Grams]) -> list[tuple[Grams, int]]:
    """Each table with the number of contexts that its grams can have."""
    return list(zip(tables, [1, *(len(grams.keys) for grams in tables)], strict=False))


def _first(n: np.ndarray) -> float:
    """The discount of a count of 1."""
    return float(n[1] / (n[1] + 2 * n[2])) if n[1] else 0.5
