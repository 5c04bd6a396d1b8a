"""Pairs of sequences with known answers."""

import datetime

import numpy as np
import pytest

from jaxrnn.data import Batches, pad
from jaxrnn.data.synthetic import transduction
from jaxrnn.data.synthetic.transduction import DIGITS, LETTERS

ANSWERS = {"reverse": lambda word: word[::-1], "copy": lambda word: word, "sort": sorted}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_target_is_the_answer(name):
    make = getattr(transduction, name)
    pairs = make(500, symbols=4, lengths=(2, 5), seed=1)
    assert len(pairs) == 500
    for source, target in pairs:
        assert source.dtype == target.dtype == np.int32
        assert source[-1] == target[-1] == 0
        word = source[:-1].tolist()
        assert target[:-1].tolist() == list(ANSWERS[name](word))
    words = [pair.source[:-1] for pair in pairs]
    counts = np.bincount([len(word) for word in words])
    assert len(counts) == 6 and counts[:2].sum() == 0 and counts[2:].min() > 80
    letters = np.bincount(np.concatenate(words))
    assert len(letters) == 5 and letters[0] == 0 and letters[1:].min() > 350


def test_the_three_tasks_of_a_seed_have_the_same_sources():
    options = {"symbols": 9, "lengths": (1, 7), "seed": 5}
    copies, reverses = transduction.copy(9, **options), transduction.reverse(9, **options)
    for one, other in zip(copies, reverses, strict=True):
        np.testing.assert_array_equal(one.source, other.source)
    others = transduction.copy(9, **{**options, "seed": 6})
    assert any(len(a.source) != len(b.source) for a, b in zip(copies, others, strict=True))


@pytest.mark.parametrize("reverse_source", [False, True])
def test_sums_are_right_and_distinct(reverse_source):
    pairs = transduction.addition(2000, digits=2, seed=3, reverse_source=reverse_source)
    texts = [transduction.read(pair.source, DIGITS) for pair in pairs]
    if reverse_source:
        texts = [text[::-1] for text in texts]
    numbers = [tuple(map(int, text.split("+"))) for text in texts]
    assert (
        len(set(numbers)) == 2000 and max(map(max, numbers)) == 99 and min(map(min, numbers)) == 0
    )
    sums = [int(transduction.read(pair.target, DIGITS)) for pair in pairs]
    assert sums == [a + b for a, b in numbers]
    assert all(text == "+".join(map(str, pair)) for text, pair in zip(texts, numbers, strict=True))


def test_all_sums_can_be_drawn():
    assert len(transduction.addition(100, digits=1, seed=0)) == 100
    with pytest.raises(
        ValueError, match=r"`count` must be at most the 100 pairs there are; got 101"
    ):
        transduction.addition(101, digits=1, seed=0)


def test_dates_mean_the_same_day():
    ways = ["%d %B %Y", "%B %d, %Y", "%A, %d %B %Y", "%d %b %Y"]
    ways += ["%b %d, %Y", "%A, %B %d %Y", "%d.%m.%Y", "%m/%d/%Y"]
    used = set()
    for pair in transduction.dates(400, seed=2):
        human, iso = (transduction.read(field, LETTERS) for field in pair)
        found = [(way, day) for way in ways if (day := parsed(human, way))]
        used.update(way for way, _ in found)
        assert datetime.date.fromisoformat(iso) in [day for _, day in found]
        if "," in human and human.split(",")[0].endswith("day"):
            weekday = datetime.date.fromisoformat(iso).strftime("%A").lower()
            assert human.startswith(weekday)
    assert used == set(ways)


def parsed(text, way):
    try:
        return datetime.datetime.strptime(text, way).date()
    except ValueError:
        return None


def test_a_seed_gives_the_same_pairs_every_time():
    for make in (
        lambda seed: transduction.dates(5, seed=seed),
        lambda seed: transduction.addition(5, digits=3, seed=seed),
        lambda seed: transduction.sort(5, symbols=5, lengths=(1, 6), seed=seed),
    ):
        once, again, other = (pad(make(seed)).values for seed in (4, 4, 5))
        np.testing.assert_array_equal(once.source, again.source)
        assert not np.array_equal(once.source, other.source)


def test_pairs_go_through_batches():
    pairs = transduction.reverse(10, symbols=3, lengths=(1, 4), seed=0)
    batch = Batches(pairs, batch_size=5, seed=0).take(np.arange(2))
    assert batch.values.source.shape == batch.values.target.shape == (2, 5, 5)
    np.testing.assert_array_equal(
        np.sort(batch.lengths.target.ravel()), np.sort([len(p[1]) for p in pairs])
    )


def test_spelling_is_undone_by_reading():
    assert transduction.read(transduction.spelled("12+9", DIGITS), DIGITS) == "12+9"
    assert transduction.read(transduction.spelled("", DIGITS), DIGITS) == ""
    assert transduction.read(np.array([1, 2]), DIGITS) == "01"  # no end


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: transduction.dates(0, seed=0), "`count` must be a positive integer; got 0"),
        (
            lambda: transduction.addition(1, digits=0, seed=0),
            "`digits` must be a positive integer; got 0",
        ),
        (
            lambda: transduction.copy(1, symbols=0, lengths=(1, 2), seed=0),
            "`symbols` must be a positive integer; got 0",
        ),
        (
            lambda: transduction.copy(1, symbols=2, lengths=(3, 2), seed=0),
            "`lengths` must be a least and a most number of letters, from 1 on; got (3, 2)",
        ),
        (
            lambda: transduction.spelled("1-2", DIGITS),
            "`text` must be in characters of '0123456789+'; got '1-2'",
        ),
        (
            lambda: transduction.read(np.array([12]), DIGITS),
            "`symbols` must lie in [0, 11]; got [12]",
        ),
    ],
)
def test_a_wrong_argument_is_named(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message
