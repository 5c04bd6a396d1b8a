"""N-gram models against the definitions of the papers in plain Python, and their mixtures."""

import itertools
import math
from collections import Counter
from functools import cache, partial

import numpy as np
import pytest

from jaxrnn import baselines
from jaxrnn.baselines import (
    NGram,
    add_k,
    katz,
    kneser_ney,
    mix,
    mixture_weights,
    modified_kneser_ney,
    witten_bell,
)

V, END = 6, 0
RNG = np.random.default_rng(0)
# Zipf-like, so that there are counts of every size; 0 ends a sentence.
TEXT = np.minimum(RNG.geometric(0.35, size=220) - 1, V - 2)
SMOOTHINGS = [modified_kneser_ney, kneser_ney, witten_bell, add_k(0.3), katz]
NAMES = ["modified", "kneser-ney", "witten-bell", "add-k", "katz"]
each_smoothing = pytest.mark.parametrize("smoothing", SMOOTHINGS, ids=NAMES)
each_boundary = pytest.mark.parametrize("boundary", [None, END])


class Counts:
    """Grams as tuples, counted in a text whose sentences begin with the end of the one before."""

    def __init__(self, tokens, order, boundary):
        self.order, self.grams = order, [Counter() for _ in range(order + 1)]
        sentence = [] if boundary is None else [boundary]
        for token in tokens.tolist():
            sentence.append(token)
            for k in range(1, min(order, len(sentence)) + 1):
                self.grams[k][tuple(sentence[-k:])] += 1
            if token == boundary:
                sentence = [boundary]

    def after(self, context):
        return {g[-1]: c for g, c in self.grams[len(context) + 1].items() if g[:-1] == context}

    def modified(self, gram):
        """How many symbols stand before a gram; of the longest and at a start, its count."""
        k = len(gram)
        before = {g[0] for g in self.grams[k + 1] if g[1:] == gram} if k < self.order else set()
        return len(before) or self.grams[k][gram]


class Katz:
    """Backing-off as in Katz 1987, gram by gram; the open cases as the docstring decides them."""

    def __init__(self, counts, highest=5, least=1):
        self.counts, self.highest, self.least = counts, highest, least
        self.discount, self.probability = cache(self.discount), cache(self.probability)

    def discount(self, length, r):
        n, k = Counter(self.counts.grams[length].values()), self.highest
        if r > k:
            return 1
        if n[1] > (k + 1) * n[k + 1]:
            beyond = (k + 1) * n[k + 1] / n[1]
            d = ((r + 1) * n[r + 1] / n[r] / r - beyond) / (1 - beyond)
            if 0 < d < 1:
                return d
        return 1 - 0.5 / r

    def probability(self, context, w):
        context = context[max(0, len(context) - self.counts.order + 1) :]
        shorter = lambda s: self.probability(context[1:], s) if context else 1 / V
        after = self.counts.after(context)
        seen = {s: c for s, c in after.items() if c >= (self.least if len(context) > 1 else 1)}
        if not seen:
            return shorter(w)
        total = sum(after.values())
        if len(seen) == V:
            return seen[w] / total
        found = {s: self.discount(len(context) + 1, c) * c / total for s, c in seen.items()}
        if all(self.discount(len(context) + 1, c) == 1 for c in seen.values()) and seen == after:
            found = {s: c / (total + 1) for s, c in seen.items()}
        if w in found:
            return found[w]
        alpha = (1 - sum(found.values())) / (1 - sum(shorter(s) for s in seen))
        return alpha * shorter(w)


def probability(counts, smoothing, context, w):
    if smoothing is katz:
        return Katz(counts).probability(context, w)
    context = context[max(0, len(context) - counts.order + 1) :]
    seen = counts.after(context)
    if smoothing is SMOOTHINGS[3]:
        return (seen.get(w, 0) + 0.3) / (sum(seen.values()) + 0.3 * V)
    shorter = probability(counts, smoothing, context[1:], w) if context else 1 / V
    if not seen:
        return shorter
    if smoothing is witten_bell:
        return (seen.get(w, 0) + len(seen) * shorter) / (sum(seen.values()) + len(seen))
    k = len(context) + 1
    n = Counter(counts.modified(gram) for gram in counts.grams[k])
    y = n[1] / (n[1] + 2 * n[2]) if n[1] else 0.5
    seen = {s: counts.modified((*context, s)) for s in seen}
    if smoothing is kneser_ney:
        discount = lambda c: y
    else:
        each = [i - (i + 1) * y * n[i + 1] / n[i] if n[i] * n[i + 1] else y for i in (1, 2, 3)]
        each = [d if 0 <= d <= i else y for i, d in enumerate(each, 1)]
        discount = lambda c: each[min(c, 3) - 1]
    total = sum(seen.values())
    rest = sum(discount(c) for c in seen.values()) / total
    here = (seen[w] - discount(seen[w])) / total if w in seen else 0
    return here + rest * shorter


@each_boundary
@each_smoothing
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_the_definition(order, smoothing, boundary):
    model = NGram(TEXT, order=order, vocabulary_size=V, boundary=boundary, smoothing=smoothing)
    counts = Counts(TEXT, order, boundary)
    text = np.concatenate([RNG.integers(0, V, 40), TEXT[:15]])
    sentence, expected = [] if boundary is None else [boundary], []
    for token in text.tolist():
        expected.append(probability(counts, smoothing, tuple(sentence), token))
        sentence.append(token)
        if token == boundary:
            sentence = [boundary]
    np.testing.assert_allclose(model.log_probabilities(text), np.log(expected), rtol=1e-10)


@each_boundary
@each_smoothing
def test_probabilities_add_up_to_one_after_any_context(smoothing, boundary):
    model = NGram(TEXT, order=3, vocabulary_size=V, boundary=boundary, smoothing=smoothing)
    contexts = [[], [5], [2], [0, 1], [1, 0], [5, 5], [1, 2, 3, 4, 0, 2]]
    for context in contexts:
        p = model.probabilities(np.array(context, int))
        assert p.shape == (V,) and (p > 0).all()
        np.testing.assert_allclose(p.sum(), 1, rtol=1e-12)
        text = np.array([*context, 3])
        np.testing.assert_allclose(np.log(p[3]), model.log_probabilities(text)[-1], rtol=1e-12)


@each_smoothing
def test_nothing_is_impossible_in_a_tiny_text(smoothing):
    model = NGram(np.array([0, 1] * 3), order=2, vocabulary_size=3, smoothing=smoothing)
    assert np.isfinite(model.log_probabilities(np.array([2, 2, 1, 1, 0, 0]))).all()


def test_longer_contexts_help_where_the_text_has_structure():
    text = np.tile([0, 1, 0, 2, 0, 3], 200)
    nats = [
        -NGram(text[:900], order=n, vocabulary_size=4).log_probabilities(text[900:]).mean()
        for n in (1, 2, 3, 4)
    ]
    assert nats[0] > nats[1] > 0.4 and nats[2] < 0.1 and nats[3] < 0.1


def test_a_mixture_is_the_mean_and_its_weights_the_best():
    models = [NGram(TEXT[:150], order=n, vocabulary_size=V) for n in (1, 2, 3)]
    logs = np.stack([model.log_probabilities(TEXT[150:]) for model in models])
    weights = mixture_weights(logs)
    np.testing.assert_allclose(weights.sum(), 1)
    best = mix(logs, weights).mean()
    np.testing.assert_allclose(mix(logs, weights), np.log(weights @ np.exp(logs)))
    assert best >= logs.mean(axis=1).max() - 1e-9
    grid = [(a, b, 1 - a - b) for a in np.linspace(0, 1, 41) for b in np.linspace(0, 1 - a, 41)]
    assert best >= max(mix(logs, np.clip(point, 0, 1)).mean() for point in grid) - 1e-6


RICH = np.minimum(np.random.default_rng(3).geometric(0.3, size=1500) - 1, V - 2)
# Counts that Good and Turing's formula fits and such that it does not; contexts after which
# everything is seen, one thing, only frequent things; and the symbol V - 1 never.
TEXTS = {
    "small": TEXT,
    "large": RICH,
    "periodic": np.tile([1, 2, 3, 0], 9),
    "complete": np.concatenate([RICH[:400], np.arange(V), [3, 3, 0]]),
    "one-symbol": np.array([2]),
}
KATZ = [(5, 1), (5, 2), (7, 2), (1, 3)]


@each_boundary
@pytest.mark.parametrize(("highest", "least"), KATZ)
@pytest.mark.parametrize("name", TEXTS)
def test_katz_equals_the_paper_and_adds_up_after_every_context(name, highest, least, boundary):
    sizes = {"order": 3, "vocabulary_size": V, "boundary": boundary}
    model = NGram(TEXTS[name], smoothing=partial(katz, highest=highest, least=least), **sizes)
    paper = Katz(Counts(TEXTS[name], 3, boundary), highest, least)
    contexts = [c for k in range(3) for c in itertools.product(range(V), repeat=k)]
    for context in contexts:
        p = model.probabilities(np.array(context, int))
        np.testing.assert_allclose(p.sum(), 1, rtol=1e-12)
        expected = [paper.probability(in_sight(context, boundary), w) for w in range(V)]
        assert min(expected) > 0
        np.testing.assert_allclose(p, expected, rtol=1e-9)
        text = np.array([*context, 1])
        np.testing.assert_allclose(np.log(p[1]), model.log_probabilities(text)[-1], rtol=1e-12)


def in_sight(context, boundary):
    """What follows the last boundary, and that boundary; one stands before the text."""
    if boundary is None:
        return context
    opened = (boundary, *context)
    return opened[len(opened) - 1 - opened[::-1].index(boundary) :]


def test_backing_off_leaves_what_was_seen_to_the_longer_context():
    # After 1 come 2 and 3; that 2 is frequent elsewhere must not matter there, that 0 is, does.
    text = np.array([1, 2, 1, 3] * 5 + [0, 4, 0, 4, 0])
    other = np.concatenate([text, [2, 2, 2, 2]])
    one, two = (NGram(t, order=2, vocabulary_size=V, smoothing=katz) for t in (text, other))
    interpolated = [
        NGram(t, order=2, vocabulary_size=V, smoothing=witten_bell) for t in (text, other)
    ]
    after = np.array([1])
    assert one.probabilities(after)[2] == two.probabilities(after)[2]
    assert one.probabilities(after)[0] != two.probabilities(after)[0]
    assert len({round(float(model.probabilities(after)[2]), 9) for model in interpolated}) == 2


def test_a_useless_model_gets_no_weight():
    good = np.log(np.full(50, 0.5))
    assert mixture_weights([good, good - 1]).round(4).tolist() == [1, 0]


def test_public_names_are_documented():
    assert all(getattr(baselines, n).__doc__ for n in dir(baselines) if n[0] != "_")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: NGram(TEXT, order=0, vocabulary_size=V),
            "`order` must be a positive integer; got 0",
        ),
        (lambda: NGram(TEXT, order=2, vocabulary_size=3), r"`tokens` must lie in \[0, V=3\); got"),
        (
            lambda: NGram(TEXT * 1.0, order=2, vocabulary_size=V),
            "`tokens` must be one row of in",
        ),
        (lambda: NGram(TEXT[:0], order=2, vocabulary_size=V), "`tokens` must hold a symbol"),
        (lambda: add_k(0), "`k` must be positive; got 0"),
        (
            lambda: NGram(TEXT, order=2, vocabulary_size=V, smoothing=partial(katz, highest=0)),
            "`highest` must be a positive integer; got 0",
        ),
        (
            lambda: NGram(TEXT, order=2, vocabulary_size=V, smoothing=partial(katz, least=-1)),
            "`least` must be a positive integer; got -1",
        ),
        (lambda: mixture_weights(np.zeros(3)), r"`log_probabilities` must be \[K, N\]; got \(3,\)"),
        (
            lambda: NGram(TEXT, order=2, vocabulary_size=V).probabilities(np.array([-1])),
            r"`context` must lie in \[0, V=6\); got \(-1, -1\)",
        ),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_counts_of_a_text_by_hand():
    # "ab ab a": after a comes b twice and the end once; before b stands only a.
    model = NGram(
        np.array([1, 2, 0, 1, 2, 0, 1, 0]),
        order=2,
        vocabulary_size=3,
        boundary=0,
        smoothing=witten_bell,
    )
    unigram = {0: (3 + 3 / 3) / (8 + 3), 1: (3 + 3 / 3) / (8 + 3), 2: (2 + 3 / 3) / (8 + 3)}
    expected = (2 + 2 * unigram[2]) / (3 + 2)
    assert math.isclose(model.probabilities(np.array([1]))[2], expected)
