"""What a synthetic task gives: one answer at the end, one at each step, or words of a language."""

from __future__ import annotations

from typing import NamedTuple

import jax


class FinalTarget(NamedTuple):
    """A batch with one answer for a sequence, wanted at its end."""

    inputs: jax.Array  # [T, B, D] numbers, or [T, B] symbols
    targets: jax.Array  # [B]
    seq_lengths: jax.Array  # [B] int32


class StepTargets(NamedTuple):
    """A batch with an answer for each step."""

    inputs: jax.Array  # [T, B, D] numbers, or [T, B] symbols
    targets: jax.Array  # [T, B]
    mask: jax.Array  # [T, B] bool, the steps that count


class Words(NamedTuple):
    """Words of a formal language, each begun and ended by the symbol 0, to be predicted."""

    inputs: jax.Array  # [T, B] int32, 0 and then the word
    targets: jax.Array  # [T, B] int32, the symbol after each input: the word and then 0
    mask: jax.Array  # [T, B] bool, false in the padding
    legal: jax.Array  # [T, B, V] bool, the symbols that may follow in some word of the language
