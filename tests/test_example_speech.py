"""Tones are written down at reduced size."""

import json
import sys

import pytest


def test_it_learns_and_prints_and_draws(example, tmp_path, monkeypatch, capsys):
    options = ["--steps", "160", "--noise", "0.1", "--width", "2"]
    argv = ["speech.py", *options, "--out", str(tmp_path), "--json"]
    monkeypatch.setattr(sys, "argv", argv)
    assert example.main() == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    # Nothing at all is written at first, which is an error rate of 1.
    assert result["beam"] < 0.75 * result["guess"]
    assert result["greedy"] < 0.75 * result["guess"]
    assert set(result["heard"]) <= set(range(1, 9))
    assert "beam of 2" in out
    assert (tmp_path / "speech.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], "`steps` must be a positive integer"),
        (["--noise", "-1"], "`noise` must not be"),
    ],
)
def test_wrong_options_are_one_line(example, options, message, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "none"
    monkeypatch.setattr(sys, "argv", ["speech.py", *options, "--out", str(folder)])
    assert example.main() == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}") and len(error.splitlines()) == 1
    assert not folder.exists()
