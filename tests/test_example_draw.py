"""The example of DRAW, at reduced size."""

import json
import sys

import pytest


def main(example, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["draw.py", *map(str, arguments)])
    return example.main()


def test_it_learns_to_draw_and_shows_it(example, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(example, "UNITS", 64)
    given = ["--steps", 500, "--glimpses", 2, "--out", tmp_path / "out", "--json"]
    assert main(example, monkeypatch, *given) == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    assert 24 < result["independent_pixels"] < 25
    # Without codes that tell something it can be no better than pixels by themselves.
    assert result["nats"] < result["independent_pixels"] - 0.2
    assert f"2 strokes: at most {result['nats']:.2f} nats" in out
    assert (tmp_path / "out" / "draw.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["steps", "glimpses"])
def test_bad_input_is_one_line(name, example, monkeypatch, tmp_path, capsys):
    assert main(example, monkeypatch, f"--{name}", 0, "--out", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: `{name}` must be a positive integer; got 0")
    assert len(error.splitlines()) == 1 and not (tmp_path / "out").exists()
