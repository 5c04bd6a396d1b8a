"""The example of music, at reduced size."""

import json
import sys

import numpy as np
import pytest

from jaxrnn.data.formats import read_midi, write_midi
from jaxrnn.data.formats.piano_rolls import PARTS
from jaxrnn.data.synthetic import chorales
from test_formats import write_rolls


def main(example, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["compose.py", *map(str, arguments)])
    return example.main()


def test_it_learns_composes_and_draws(example, tmp_path, monkeypatch, capsys):
    given = ["--steps", 150, "--length", 40, "--out", tmp_path / "out", "--json"]
    assert main(example, monkeypatch, *given) == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    assert 0 < result["nats_per_frame"] < 0.8 * result["static"]
    assert f"static model {result['static']:.2f}" in out
    assert (tmp_path / "out" / "compose.png").read_bytes().startswith(b"\x89PNG")
    roll = read_midi(tmp_path / "out" / "compose.mid")
    assert roll.shape == (40, 88) and roll.any()


def test_it_learns_from_midi_files(example, tmp_path, monkeypatch, capsys):
    for number, roll in enumerate(chorales(12, chords=(3, 3), seed=0)):
        write_midi(tmp_path / f"{number:02}.mid", roll)
    heard, new = example.pieces(example.Options(data=tmp_path))
    assert len(heard) == 10 and len(new) == 2
    np.testing.assert_array_equal(new[0], chorales(12, chords=(3, 3), seed=0)[0])
    given = ["--data", tmp_path, "--steps", 2, "--length", 4, "--out", tmp_path / "out", "--json"]
    assert main(example, monkeypatch, *given) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["static"] > 0


def test_it_learns_from_a_file_of_piano_rolls(example, tmp_path):
    parts = {name: chorales(3, chords=(3, 5), seed=n) for n, name in enumerate(PARTS.values())}
    write_rolls(tmp_path / "rolls.mat", parts)
    heard, new = example.pieces(example.Options(data=tmp_path / "rolls.mat"))
    for found, name in ((heard, "traindata"), (new, "testdata")):
        for one, other in zip(found, parts[name], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--steps", "0"], "`steps` must be a positive integer; got 0"),
        (["--length", "-1"], "`length` must be a positive integer; got -1"),
        (["--temperature", "0"], "`temperature` must be positive; got 0.0"),
        (["--data", "no.mat"], "`data` must be a file; got no.mat"),
        (["--data", "nowhere"], "`data` must hold at least two MIDI files, *.mid; got nowhere"),
    ],
)
def test_wrong_options_are_one_line(option, message, example, tmp_path, monkeypatch, capsys):
    assert main(example, monkeypatch, *option, "--out", tmp_path / "none") == 2
    error = capsys.readouterr().err
    assert error == f"error: {message}\n"
    assert not (tmp_path / "none").exists()
