"""The example of sentences, at reduced size."""

import json
import sys

import matplotlib.image
import pytest


def main(example, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["sentiment.py", *map(str, arguments)])
    return example.main()


def test_it_reads_in_order_and_shows_what_it_attends_to(example, tmp_path, monkeypatch, capsys):
    given = ["--steps", 200, "--out", tmp_path / "out", "--json"]
    assert main(example, monkeypatch, *given) == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    assert result["accuracy"] > 0.95 and 0.4 < result["by_counts"] < 0.6
    assert f"read in order {result['accuracy']:.1%}, words counted {result['by_counts']:.1%}" in out
    assert matplotlib.image.imread(tmp_path / "out" / "sentiment.png").std() > 0.01


def test_it_learns_from_labelled_lines(example, tmp_path, monkeypatch, capsys):
    lines = [f"{kind}\t{word} indeed" for kind, word in (("up", "yes"), ("down", "no"))] * 25
    (tmp_path / "lines.tsv").write_text("\n".join(["up\tyes yes", *lines]))
    given = ["--data", tmp_path / "lines.tsv", "--steps", 60, "--out", tmp_path / "out", "--json"]
    assert main(example, monkeypatch, *given) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result == {"accuracy": 1.0, "by_counts": 1.0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("good\tyes\nno\n", "`data` must have a label, a tab and a text in line 2 of "),
        ("good\tyes\ngood\tindeed\n", "`data` must have two labels or more; got ['good']"),
        ("\n", "`data` must "),
    ],
)
def test_bad_lines_are_one_line(content, message, example, tmp_path, monkeypatch, capsys):
    (tmp_path / "lines.tsv").write_text(content)
    given = ["--data", tmp_path / "lines.tsv", "--out", tmp_path / "none"]
    assert main(example, monkeypatch, *given) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}") and len(error.splitlines()) == 1
    assert main(example, monkeypatch, "--steps", 0, "--out", tmp_path / "none") == 2
    assert capsys.readouterr().err == "error: `steps` must be a positive integer; got 0\n"
    assert not (tmp_path / "none").exists()
