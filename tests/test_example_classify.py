"""The example of a classifier, at reduced size."""

import json
import sys

import numpy as np
import pytest

from jaxrnn.data import Digits


def main(example, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["classify.py", *map(str, arguments)])
    return example.main()


def test_it_learns_to_read_rows_and_draws(example, monkeypatch, tmp_path, capsys):
    given = ["--read", "rows", "--steps", 80, "--out", tmp_path / "out", "--json"]
    assert main(example, monkeypatch, *given) == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    assert list(result["accuracy"]) == ["rows"] and 0.1 <= result["chance"] < 0.2
    assert result["accuracy"]["rows"] > 0.7
    assert f"read by rows: {result['accuracy']['rows']:.1%}" in out
    assert (tmp_path / "out" / "classify.png").read_bytes().startswith(b"\x89PNG")


def test_both_ways_are_read_from_a_folder(example, monkeypatch, tmp_path, capsys):
    rng = np.random.default_rng(0)
    part = lambda n: Digits(rng.random((n, 3, 2), np.float32), np.arange(n, dtype=np.int32) % 10)
    asked = []
    monkeypatch.setattr(
        example, "read_mnist", lambda path: asked.append(path) or (part(70), part(30))
    )
    given = ["--steps", 1, "--data", tmp_path, "--out", tmp_path, "--json"]
    assert main(example, monkeypatch, *given) == 0 and asked == [tmp_path]
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(result["accuracy"]) == {"rows", "pixels"} and result["chance"] == 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "error: `steps` must be a positive integer; got 0"),
        (["--read", "columns"], "error: "),
        (
            ["--data", "no/such/folder"],
            "error: `folder` must hold the file train-images-idx3-ubyte",
        ),
    ],
)
def test_bad_input_is_one_line(arguments, message, example, monkeypatch, tmp_path, capsys):
    assert main(example, monkeypatch, *arguments, "--out", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.startswith(message) and len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()
