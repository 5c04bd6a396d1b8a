"""Drawings are captioned at reduced size."""

import json
import sys

import pytest
from flax import nnx


def test_it_learns_and_prints_and_draws(example, tmp_path, monkeypatch, capsys):
    # One shape only takes fewer steps, and the tests compile convolutions to slow programs.
    shapes = example.shapes
    few = lambda count, seed: [one for one in shapes(count // 8, seed=seed) if len(one.caption) < 5]
    monkeypatch.setattr(example, "shapes", few)
    row = lambda images: images.reshape(*images.shape[:-2], -1)
    dense = lambda size, rngs: nnx.Linear(size, 64, rngs=rngs)
    encoder = lambda rngs: nnx.Sequential(row, dense(24 * 24, rngs), nnx.relu, dense(64, rngs))
    monkeypatch.setattr(example, "encoder", encoder)
    options = ["--steps", "300", "--condition", "every-step"]
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
