"""How long a call takes: interleaved rounds, enough repetitions, the median."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

SAMPLE_SECONDS = 0.02


def interleaved(
    calls: Sequence[Callable[[], Any]], rounds: int, sample_seconds: float = SAMPLE_SECONDS
) -> list[float]:
    """Times several calls against each other.

    In each round every call is sampled once, forwards and backwards by turns, so that a slow
    moment of the machine, or a cache that one leaves to the next, falls on all alike. A sample is
    as many calls as fill `sample_seconds`, each of which waits for its result.

    Args:
      calls: what to time; each has run before and waits for its own result.
      rounds: how many samples of each.
      sample_seconds: shortest time of a sample, in seconds.

    Returns:
      The median over the rounds of the seconds per call, for each call.
    """
    repeats = [_repeats(call, sample_seconds) for call in calls]
    samples: list[list[float]] = [[] for _ in calls]
    order = list(range(len(calls)))
    for turn in range(rounds):
        for index in order if turn % 2 == 0 else reversed(order):
            samples[index].append(_sample(calls[index], repeats[index]))
    return [statistics.median(sample) for sample in samples]


def _repeats(call: Callable[[], Any], sample_seconds: float) -> int:
    """Returns how many calls fill a sample: by one call, or by the faster of two short ones."""
    seconds = _seconds_of(call)
    if seconds < sample_seconds:
        seconds = min(seconds, _seconds_of(call))
    return max(1, math.ceil(sample_seconds / max(seconds, 1e-9)))


def _sample(call: Callable[[], Any], repeats: int) -> float:
    """Returns the seconds per call; where calls are short, one before them warms the caches up."""
    if repeats > 1:
        call()
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started) / repeats


def _seconds_of(call: Callable[[], Any]) -> float:
    """Times a single call, in seconds."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
