"""The example of encoders and decoders, at a reduced size."""

import json
import sys

import matplotlib.image
import pytest


def test_it_learns_words_tells_and_draws(example, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(example, "LONGEST", 4)
    monkeypatch.setattr(example, "LENGTHS", (2, 3, 30))
    monkeypatch.setattr(example, "LETTERS", "abc")
    command = [
        "translate.py",
        "--task",
        "reverse",
        "--steps",
        "125",
        "--out",
        str(tmp_path),
        "--json",
    ]
    monkeypatch.setattr(sys, "argv", command)
    assert example.main() == 0
    *lines, last = capsys.readouterr().out.splitlines()
    result = json.loads(last)
    assert list(result) == ["reverse"]
    assert list(result["reverse"]) == ["without attention", "with attention"]
    for shares in result["reverse"].values():
        assert list(shares) == ["2", "3", "30"]
    # By chance one word of 3 letters in 256 or more is right.
    assert result["reverse"]["with attention"]["3"] > 0.9
    assert lines[0].startswith("reverse, without attention, without any error: 2: ")
    assert lines[-1] == str(tmp_path / "translate.png")
    assert matplotlib.image.imread(tmp_path / "translate.png").std() > 0.01


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--steps", "0", "`steps` must be a positive integer; got 0"),
        ("--task", "sing", "sing"),
    ],
)
def test_bad_input_is_one_line(option, value, message, example, tmp_path, monkeypatch, capsys):
    command = ["translate.py", option, value, "--out", str(tmp_path / "none")]
    monkeypatch.setattr(sys, "argv", command)
    assert example.main() == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
    assert not (tmp_path / "none").exists()
