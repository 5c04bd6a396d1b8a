"""Opinions, against a reader that knows the rules; lines with labels."""

import numpy as np
import pytest

from jaxrnn.data.formats import read_labelled
from jaxrnn.data.synthetic import opinions
from jaxrnn.data.synthetic.opinions import _BAD, _GOOD, _NEGATIONS, LABELS


def praises(clause):
    words = clause.split()
    assert words[0] == "the" and words[2] == "was" and words[-1] in _GOOD + _BAD
    negated = any(f" {negation} " in clause for negation in _NEGATIONS)
    return (words[-1] in _GOOD) != negated


def test_the_labels_follow_from_the_rules():
    kinds = set()
    for text, label in opinions(2000, seed=0):
        before, but, after = text.partition(" , but ")
        main, although, _ = text.partition(" although ")
        clauses = [clause for half in text.split(" , but ") for clause in half.split(" although ")]
        said = after if but else main if although else before
        assert LABELS[praises(said)] == label
        if len(clauses) == 2:
            assert praises(clauses[0]) != praises(clauses[1])
        kinds.add((label, bool(but), bool(although)))
    assert len(kinds) == 6


def test_the_labels_are_as_likely_and_a_seed_says_all():
    some = opinions(4000, seed=(1, 2))
    assert abs(np.mean([label == "praise" for _, label in some]) - 0.5) < 0.03
    assert some == opinions(4000, seed=(1, 2)) and some != opinions(4000, seed=(1, 3))
    with pytest.raises(ValueError, match="`count` must be a positive integer; got 0"):
        opinions(0, seed=0)


def test_labelled_lines_are_read_as_they_are(tmp_path):
    path = tmp_path / "lines.tsv"
    path.write_bytes("\ufeffup\tyes\tindeed \r\n\n down \tné\u2028e\n".encode())
    assert read_labelled(path) == [("yes\tindeed", "up"), ("né\u2028e", "down")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"up\tyes\nno label\n", "have a label, a tab and a text in line 2 of .*; got 'no label'"),
        (b"\tyes\n", "have a label, a tab and a text in line 1"),
        (b"up\t \n", "have a label, a tab and a text in line 1"),
        (b"\n \n", "hold at least one text"),
        (b"", ""),
        (b"up\t\xff\n", ""),
    ],
)
def test_bad_lines_are_named(content, message, tmp_path):
    (tmp_path / "lines.tsv").write_bytes(content)
    with pytest.raises(ValueError, match=f"`data` must {message}"):
        read_labelled(tmp_path / "lines.tsv", "data")
