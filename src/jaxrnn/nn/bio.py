"""Which labels may be neighbours where B- begins a chunk, I- goes on with it, and O is outside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxrnn.cells.checks import require
from jaxrnn.nn.chain import Chain


def bio_allowed(labels: Sequence[str]) -> Chain:
    """What the BIO scheme allows: I-X stands only behind B-X or I-X.

    Source: Ramshaw, Marcus 1995, arXiv:cmp-lg/9505040; in this form, where every chunk begins with
    B-, Tjong Kim Sang, Veenstra 1999, arXiv:cs/9907006 (IOB2).

    Args:
      labels: names of the K tags, such as "O", "B-NP", "I-NP".

    Returns:
      A `Chain` of booleans, for `CRF(K, allowed=...)`.

    Raises:
      ValueError: if a label has another form.

    >>> allowed = bio_allowed(["O", "B-NP", "I-NP"])
    >>> allowed.start.tolist(), allowed.between[0].tolist(), allowed.between[1].tolist()
    ([True, True, False], [True, True, False], [True, True, True])
    """
    for label in labels:
        fits = label == "O" or (label[:2] in ("B-", "I-") and len(label) > 2)
        require(fits, "labels", "be O, B-something or I-something", repr(label))
    inside = np.array([label.startswith("I-") for label in labels], bool)
    kinds = np.array([label[2:] for label in labels])
    between = ~inside[None, :] | (kinds[:, None] == kinds[None, :])
    return Chain(~inside, between, np.ones(len(labels), bool))
