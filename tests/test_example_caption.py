"""Drawings are captioned at reduced size."""

import json
import sys

import pytest


def test_it_learns_and_prints_and_draws(example, tmp_path, monkeypatch, capsys):
    options = ["--steps", "40", "--condition", "every-step"]
    argv = ["caption.py", *options, "--out", str(tmp_path), "--json"]
    monkeypatch.setattr(sys, "argv", argv)
    assert example.main() == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    assert result["exact"] > 2 * result["usual"]
    assert "captions right in every word" in out and result["usual_caption"] in out
    assert (tmp_path / "caption.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], "`steps` must be a positive integer"),
        (["--condition", "x"], "invalid choice"),
    ],
)
def test_wrong_options_are_one_line(example, options, message, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "none"
    monkeypatch.setattr(sys, "argv", ["caption.py", *options, "--out", str(folder)])
    assert example.main() == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}") and len(error.splitlines()) == 1
    assert not folder.exists()
