"""The example of glimpses, at reduced size."""

import json
import sys

import pytest


def main(example, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["glimpse.py", *map(str, arguments)])
    return example.main()


def test_it_learns_to_read_and_draws(example, monkeypatch, tmp_path, capsys):
    given = ["--steps", 100, "--glimpses", 3, "--out", tmp_path / "out", "--json"]
    assert main(example, monkeypatch, *given) == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    assert result["accuracy"] > 2.5 * result["chance"] and 0.1 <= result["chance"] < 0.2
    assert f"3 glimpses: {result['accuracy']:.1%}" in out
    assert (tmp_path / "out" / "glimpse.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["steps", "glimpses"])
def test_bad_input_is_one_line(name, example, monkeypatch, tmp_path, capsys):
    assert main(example, monkeypatch, f"--{name}", 0, "--out", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: `{name}` must be a positive integer; got 0")
    assert len(error.splitlines()) == 1 and not (tmp_path / "out").exists()
