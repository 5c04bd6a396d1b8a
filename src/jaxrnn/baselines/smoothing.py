"""From counts to probabilities: how much of a context's mass goes to what was not seen after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxrnn.baselines.counts import Grams
from jaxrnn.cells.checks import require, require_size


class Weights(NamedTuple):
    """The probabilities after contexts of one length, `p(w | h) = seen + rest(h) * below`.

    `below` is the probability after the context without its first symbol, or 1 / V. Where the model
    backs off, `p(w | h)` is `seen` for what was seen after h, and `rest(h) * below` for all else.
    """

    seen: np.ndarray  # [M] for each gram of this length
    rest: np.ndarray  # [number of contexts]; 1 for a context after which nothing was seen
    over_shorter: bool = True  # whether `below` is that of the shorter context
    backs_off: bool = False  # whether `rest` is for the unseen alone; `seen` is then 0 for these

    def join(self, seen: np.ndarray, others: np.ndarray) -> np.ndarray:
        """p(w | h) from `seen` and `rest(h) * below`."""
        return np.where(seen > 0, seen, others) if self.backs_off else seen + others


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


def katz(tables: list[Grams], *, highest: int = 5, least: int = 1) -> list[Weights]:
    """Backs off: a shorter context has a say only in what was not seen after the longer one.

        p(w | h) = d_c(hw) c(hw) / c(h)          if hw was seen
                   α(h) p(w | h')                otherwise
        d_r = (r* / r - q) / (1 - q);   r* = (r + 1) n_{r+1} / n_r;   q = (k + 1) n_{k+1} / n_1
        α(h) = (1 - Σ_seen p(w | h)) / (1 - Σ_seen p(w | h'))

    d_r are Good and Turing's discounts for the counts r = 1 .. k of grams of one length, of which
    n_r have the count r; a higher count is trusted, d_r = 1. Below contexts of no symbol is 1 / V.
    Three cases that the equations leave open:

    - Where a text is so small that d_r does not lie between 0 and 1, half a count is taken off.
    - After h come only symbols with higher counts: c(h) is taken for one more, so that something
      is left for the others.
    - After h come all V symbols: nothing is unseen, and nothing is taken off.

    Source: Katz 1987, doi:10.1109/TASSP.1987.1165125; Good 1953, doi:10.1093/biomet/40.3-4.237.

    Args:
      tables: the counts.
      highest: k. For another than Katz's: `functools.partial(katz, highest=7)`.
      least: how often a gram of three or more symbols must occur to count as seen; 2 is usual for
        large texts, where it also helps: grams of five symbols seen once predict badly.

    Returns:
      The weights of each length.

    Raises:
      ValueError: if `highest` or `least` is not positive.
    """
    require_size("highest", highest)
    require_size("least", least)
    weights, shorter = [], np.full(len(tables[0].keys), 1 / len(tables[0].keys))
    for length, (grams, contexts) in enumerate(_with_contexts(tables), 1):
        context, counts = grams.context, grams.counts
        known = counts >= (least if length >= 3 else 1)
        kinds = np.bincount(context[known], minlength=contexts)
        all_seen = kinds == len(tables[0].keys)
        kept = np.where(known, counts * _good_turing(counts, highest), 0)
        kept = np.where(all_seen[context], counts, kept)
        total = np.bincount(context, counts, contexts)
        off = np.bincount(context, counts - kept, contexts)
        extra = (off == 0) & (kinds > 0) & ~all_seen
        total, off = total + extra, off + extra
        # What was seen after h was also seen after h', so its p(w | h') is that of the gram h'w.
        below = shorter[grams.suffix] if length > 1 else shorter
        left = 1 - np.bincount(context, below * known, contexts)
        rest = np.where(kinds > 0, 0.0, 1.0)
        np.divide(off, total * left, out=rest, where=(kinds > 0) & ~all_seen)
        shorter = kept / total[context]
        weights.append(Weights(shorter, rest, backs_off=True))
    return weights


def _good_turing(counts: np.ndarray, highest: int) -> np.ndarray:
    """What remains of each count as a share of it, `[M]`; 1 for a count above `highest`."""
    n = np.bincount(np.minimum(counts, highest + 2), minlength=highest + 3)
    q = (highest + 1) * n[highest + 1] / max(n[1], 1)
    shares = np.ones(highest + 2)
    for r in range(1, highest + 1):
        ratio = (r + 1) * n[r + 1] / (r * max(n[r], 1))
        share = (ratio - q) / (1 - q) if n[1] and q < 1 else 0.0
        shares[r] = share if 0 < share < 1 else (r - 0.5) / r
    return shares[np.minimum(counts, highest + 1)]


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
