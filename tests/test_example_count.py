"""Networks made by hand are right at every length, learned ones up to some."""

import json
import sys

import pytest


def test_it_learns_and_prints_and_draws(example, tmp_path, monkeypatch, capsys):
    options = ["--steps", "60", "--length", "8"]
    argv = ["count.py", *options, "--out", str(tmp_path), "--json"]
    monkeypatch.setattr(sys, "argv", argv)
    assert example.main() == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    assert result.keys() == {"parity", "comparison"}
    for right in result.values():
        assert len(right["by_hand"]) == 8 and min(right["by_hand"]) > 0.998
    assert result["comparison"]["learned"][0] > 0.8
    assert "chance 50 %" in out and "comparison   learned" in out
    assert (tmp_path / "count.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], "`steps` must be a positive integer"),
        (["--length", "0"], "`length` must be a positive integer"),
    ],
)
def test_wrong_options_are_one_line(example, options, message, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "none"
    monkeypatch.setattr(sys, "argv", ["count.py", *options, "--out", str(folder)])
    assert example.main() == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}") and len(error.splitlines()) == 1
    assert not folder.exists()
