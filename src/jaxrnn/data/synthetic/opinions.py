"""Sentences that praise or complain, in which no word by itself says which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxrnn.cells.checks import require_size
from jaxrnn.data.formats.labelled import LabelledText

LABELS = ("complaint", "praise")
_THINGS = ("film", "plot", "music", "cast", "ending", "room", "soup", "service", "book", "trip")
_GOOD = ("good", "great", "charming", "clever", "funny", "lovely", "perfect", "bright")
_BAD = ("bad", "dull", "boring", "weak", "awful", "clumsy", "bland", "dreadful")
_NEGATIONS = ("not", "never", "hardly", "by no means")
_ADVERBS = ("very", "rather", "quite", "really", "truly")


def opinions(count: int, *, seed: int | Sequence[int]) -> list[LabelledText]:
    """Writes opinions of one clause or two.

        "the soup was not very good"                              complaint
        "the plot was dull , but the music was never bad"         praise
        "the cast was great although the film was quite weak"     praise

    A negation turns the word after it round. Of two clauses, which always disagree, the one after
    "but" counts, or the one before "although". So a count of the words says next to nothing of two
    clauses, and their order says everything.

    Args:
      count: how many.
      seed: of the random numbers.

    Returns:
      Words with one space between them, and one of `LABELS`, as likely as the other.

    Raises:
      ValueError: if the number is not positive.

    >>> for text, label in opinions(2, seed=3):
    ...     print(f"{label}: {text}")
    praise: the plot was great
    complaint: the ending was never lovely although the film was not weak
    """
    require_size("count", count)
    rng = np.random.default_rng(seed)
    return [_opinion(rng) for _ in range(count)]


def _opinion(rng: np.random.Generator) -> LabelledText:
    praise = bool(rng.integers(2))
    said, other = _clause(rng, praise), _clause(rng, not praise)
    texts = (said, f"{other} , but {said}", f"{said} although {other}")
    return LabelledText(texts[rng.integers(3)], LABELS[praise])


def _clause(rng: np.random.Generator, praise: bool) -> str:
    negated = bool(rng.integers(2))
    words = ["the", rng.choice(_THINGS), "was"]
    words += [rng.choice(_NEGATIONS)] if negated else []
    words += [rng.choice(_ADVERBS)] if rng.integers(2) else []
    return " ".join([*words, rng.choice(_GOOD if praise != negated else _BAD)])
