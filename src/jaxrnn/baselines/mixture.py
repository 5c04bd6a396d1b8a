"""Linear interpolation of language models."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxrnn.cells.checks import require


def mix(log_probabilities: Any, weights: Any) -> np.ndarray:
    """Log-probabilities of a weighted mean of models.

        p(w) = Σ_k λ_k p_k(w)

    Args:
      log_probabilities: what each model gives each symbol of a text, `[K, N]` nats.
      weights: λ, `[K]`, not negative, with the sum 1.

    Returns:
      `[N]` nats.

    >>> mix(np.log([[0.5, 0.25], [0.1, 0.75]]), [0.5, 0.5]).round(3).tolist()
    [-1.204, -0.693]
    """
    logs, weights = np.asarray(log_probabilities, float), np.asarray(weights, float)
    with np.errstate(divide="ignore"):  # a model without weight
        return np.logaddexp.reduce(logs + np.log(weights)[:, None], axis=0)


def mixture_weights(log_probabilities: Any, *, tolerance: float = 1e-9) -> np.ndarray:
    """The weights with which a mixture of models gives a text the highest probability.

    By expectation and maximisation, from equal weights; the likelihood has one maximum.

        λ_k ← mean over w of λ_k p_k(w) / Σ_j λ_j p_j(w)

    Source: Jelinek, Mercer 1980, "Interpolated estimation of Markov source parameters from sparse
    data"; Dempster, Laird, Rubin 1977.

    Args:
      log_probabilities: what each model gives each symbol of a text that none of them has learned
        from, `[K, N]` nats.
      tolerance: stops when an iteration gains less than that, in nats per symbol.

    Returns:
      λ `[K]`.

    Raises:
      ValueError: if there is no model or no symbol.
    """
    logs = np.asarray(log_probabilities, float)
    require(logs.ndim == 2 and logs.size > 0, "log_probabilities", "be [K, N]", logs.shape)
    weights, before = np.full(len(logs), 1 / len(logs)), -np.inf
    while True:
        mixed = mix(logs, weights)
        after = mixed.mean()
        if not after - before > tolerance:
            return weights
        with np.errstate(divide="ignore"):
            shares = np.exp(logs + np.log(weights)[:, None] - mixed)
        weights, before = shares.mean(axis=1), after
