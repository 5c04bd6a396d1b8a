"""How the commands report on a text: perplexity, bits, unknown symbols."""

from __future__ import annotations

import math

import numpy as np

from jaxrnn import data


def figures(nats: float) -> dict[str, float]:
    """The two usual figures from the mean negative log-probability of a symbol, in nats.

    >>> figures(math.log(8))
    {'perplexity': 8.0, 'bits_per_token': 3.0}
    """
    bits = nats / math.log(2)
    return {"perplexity": round(2.0**bits, 3), "bits_per_token": round(bits, 4)}


def unknown_symbols(tokenizer: data.Tokenizer, tokens: np.ndarray) -> int:
    """How many symbols of a text stand for something that is not in the vocabulary."""
    has_unknown = isinstance(tokenizer, data.CharTokenizer | data.WordTokenizer)
    return int(np.sum(tokens == 0)) if has_unknown else 0
