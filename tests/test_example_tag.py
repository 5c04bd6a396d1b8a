"""The example of a tagger, at reduced size."""

import json
import sys


def main(example, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["tag.py", *map(str, arguments)])
    return example.main()


def test_a_crf_beats_a_softmax_on_whole_sentences(example, monkeypatch, tmp_path, capsys):
    given = ["--steps", 120, "--out", tmp_path / "out", "--json"]
    assert main(example, monkeypatch, *given) == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    assert set(result) == {"softmax", "CRF", "word alone", "grammar"}
    assert result["CRF"]["sentences"] > result["softmax"]["sentences"]
    assert result["CRF"]["allowed"] > result["softmax"]["allowed"]
    assert result["softmax"]["words"] > result["word alone"]["words"]
    assert result["grammar"]["allowed"] == 1
    assert result["grammar"]["sentences"] > result["CRF"]["sentences"] - 0.03
    assert f"{result['CRF']['words']:.1%}" in out
    assert (tmp_path / "out" / "tag.png").read_bytes().startswith(b"\x89PNG")


def test_bad_input_is_one_line(example, monkeypatch, tmp_path, capsys):
    assert main(example, monkeypatch, "--steps", "0", "--out", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error == "error: `steps` must be a positive integer; got 0\n"
    assert not (tmp_path / "out").exists()
