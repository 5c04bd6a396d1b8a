"""The command line: results, one line for each wrong input, nothing half-written."""

import json
import shutil
from typing import Any

import pytest

from jaxrnn.cli.main import run
from jaxrnn.cli.train import CONTEXT, _last_lines
from jaxrnn.data import encode_text

SMALL = ["--hidden-size", "12", "--embed-size", "5", "--batch-size", "4", "--segment-length", "10"]
SMALL += ["--check-every", "10"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 20 updates on a text of 4,000 characters."""
    folder = tmp_path_factory.mktemp("cli")
    text = folder / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog.\n" * 90, encoding="utf-8")
    path = folder / "run"
    assert run(["train", "--corpus", str(text), "--run", str(path), "--steps", "20", *SMALL]) == 0
    return text, path


def test_a_run_folder_holds_everything(trained):
    _, path = trained
    names = {entry.name for entry in path.iterdir()}
    assert names == {
        "checkpoints",
        "config.json",
        "curve.png",
        "metrics.jsonl",
        "samples.txt",
        "vocabulary.json",
    }
    assert (path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_train_reports_and_a_finished_run_reports_again(trained, capsys):
    _, path = trained
    assert run(["train", "--run", str(path), "--json"]) == 0
    out = capsys.readouterr().out.splitlines()
    result = json.loads(out[-1])
    assert result.keys() == {
        *("bits_per_char", "perplexity", "bits_per_token"),
        *("seconds", "tokens_per_second", "run", "steps"),
    }
    assert result["bits_per_token"] == result["bits_per_char"]
    assert 0 < result["bits_per_char"] < 5 and result["run"] == str(path)
    assert out[-2].startswith("write more:") and f"sample {path}" in out[-2]
    last = json.loads((path / "metrics.jsonl").read_text().splitlines()[-1])
    assert result["bits_per_char"] == round(last["validation_bits"], 4)


def test_sample_goes_on_from_the_prompt(trained, capsys):
    _, path = trained
    arguments = ["sample", str(path), "--prompt", "the ", "--length", "40"]
    assert run([*arguments, "--json"]) == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    assert result["prompt"] == "the " and len(result["text"]) == 40 and result["step"] == 20
    assert out.startswith("the " + result["text"])
    run(arguments)
    assert capsys.readouterr().out.startswith("the " + result["text"])  # the same seed
    run([*arguments, "--seed", "1"])
    assert not capsys.readouterr().out.startswith("the " + result["text"])


def test_characters_that_were_never_seen_are_said(trained, capsys):
    _, path = trained
    assert run(["sample", str(path), "--prompt", "thé Q", "--length", "5"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("thé Q")
    assert captured.err == "note: read as the unknown symbol: 'Q' 'é' (not in the text)\n"


def test_byte_level(tmp_path, capsys):
    text = tmp_path / "text"
    text.write_bytes("naïve façade, déjà vu; ".encode() * 200)
    folder = tmp_path / "run"
    options = ["--level", "byte", "--corpus", str(text), "--run", str(folder), "--steps", "10"]
    assert run(["train", *options, *SMALL, "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    # 27 bytes for 23 characters, so a character costs more bits than a byte.
    assert result["bits_per_char"] == pytest.approx(last["validation_bits"] * 27 / 23, rel=0.01)
    assert run(["sample", str(folder), "--prompt", "é", "--length", "5"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train --cell lsmt", "invalid choice 'lsmt' for argument '--cell'"),
        ("train --hidden-size abc", "--hidden-size: invalid literal for int() with base 10: 'abc'"),
        ("train --hidden-size -3", "`hidden_size` must be a positive integer; got -3"),
        ("train --layers 0", "`layers` must be a positive integer; got 0"),
        ("train --batch-size 0", "`batch_size` must be a positive integer; got 0"),
        ("train --segment-length -1", "`segment_length` must be a positive integer; got -1"),
        ("train --steps 0", "`steps` must be a positive integer; got 0"),
        ("train --check-every 0", "`check_every` must be a positive integer; got 0"),
        ("train --learning-rate -1", "`learning_rate` must be positive; got -1.0"),
        ("train --clip-norm 0", "`clip_norm` must be positive; got 0.0"),
        ("train --validation 1.5", "`validation` must lie between 0 and 1; got 1.5"),
        ("train --corpus missing", "`corpus` must be a file that exists; got missing"),
        ("train --corpus empty", "`corpus` must not be empty; got empty"),
        ("train --corpus one", "`corpus` must hold two different symbols; got 'a'"),
        ("train --corpus short", "`corpus` must hold more than batch_size x segment_length = 2048"),
        ("train --corpus short", "symbols to train on; got 950"),
        ("train --corpus same", "`corpus` must hold two different symbols; got 'a'"),
        ("train --corpus latin", "`corpus` must be UTF-8 text (or be read with `level` byte)"),
        ("train --corpus latin", "byte 0xe9 at offset 4"),
        ("train --vocabulary 9", "`vocabulary` must be left out at levels char and byte; got 9"),
        ("train --level word --vocabulary 1", "`vocabulary` must be at least 2 at level word"),
        ("train --level bpe --vocabulary 99", "`vocabulary` must be at least 257 at level bpe"),
        ("train --level word --corpus short", "`corpus` must hold two different symbols; got"),
        ("train --tied --embed-size 9", "9 in, 256 out"),
        ("train --tied --readout adaptive", "`tied` must be false with an adaptive softmax"),
        ("train --readout sampled --samples 0", "`samples` must be a positive integer; got 0"),
        ("train --input-dropout 1", "`input_dropout` must be a probability in [0, 1); got 1.0"),
        ("train --weight-drop 1", "`weight_drop` must be a probability in [0, 1); got 1.0"),
        ("train --corpus .", "`corpus` must be a file that exists; got ."),
        ("train --run other", "`run` must be a new folder, or one that `jaxrnn train` made"),
        ("train --run empty", "`run` must be a new folder, or one that `jaxrnn train` made"),
        ("train --nonsense 3", "Unrecognized options: --nonsense"),
        ("sample", "Run folder that `jaxrnn train` made. (required)"),
        ("sample missing", "`run` must be a folder that `jaxrnn train` made; got missing"),
        ("nonsense", "Unrecognized options: nonsense"),
        ("", "Expected one of {train, sample, evaluate, baseline, bench}"),
        ("bench --cell lsmt", "invalid choice 'lsmt' for argument '--cell'"),
        ("bench --lengths 16,x", "`lengths` must be positive integers, separated by commas; got"),
        ("bench --lengths 0", "`lengths` must be positive integers, separated by commas; got '0'"),
        ("bench --peers pytorch", "`peers` must be among flax-nnx, flax-nnx-optimized, flax-linen"),
        ("bench --batch 0", "`batch` must be a positive integer; got 0"),
        ("bench --inputs 0", "`inputs` must be a positive integer; got 0"),
        ("bench --hidden -1", "`hidden` must be a positive integer; got -1"),
        ("bench --rounds 0", "`rounds` must be a positive integer; got 0"),
        ("bench --seconds 0", "`seconds` must be positive; got 0.0"),
        ("bench --out-dir one", "`out_dir` must be a folder, or a new name for one; got one"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "one").write_text("a")
    (tmp_path / "short").write_text("ab" * 500)
    (tmp_path / "same").write_text("a" * 5000)
    (tmp_path / "latin").write_bytes("cafe\xe9 ".encode("latin-1") * 1000)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("not a run")
    before = sorted(tmp_path.rglob("*"))
    assert run(arguments.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1 and captured.err.startswith("error: ")
    assert message in captured.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--hidden-size 13", "`hidden_size` must be 12, which the run folder"),
        ("--steps 30", "`steps` must be 20, which the run folder"),
        ("--cell gru", "`cell` must be lstm, which the run folder"),
        ("--corpus {other}", "`corpus` must be "),
    ],
)
def test_a_run_of_another_configuration(trained, options, message, capsys, tmp_path):
    _, path = trained
    other = tmp_path / "other.txt"
    other.write_text("something else entirely\n" * 200)
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    assert run(["train", "--run", str(path), *options.format(other=other).split()]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and message in captured.err
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before


def test_a_corpus_that_changed_under_its_run(trained, tmp_path, capsys):
    text, path = trained
    copy = tmp_path / "run"
    shutil.copytree(path, copy)
    changed = tmp_path / "text.txt"
    changed.write_text(text.read_text().replace("fox", "cat"))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "corpus": str(changed)}))
    assert run(["train", "--run", str(copy)]) == 2
    assert "`corpus` must be the text that the run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prompt", ""], "`prompt` must hold at least one character; got ''"),
        (["--length", "0"], "`length` must be a positive integer; got 0"),
        (["--temperature", "-1"], "`temperature` must not be negative; got -1.0"),
        (["--top-k", "0"], "`top_k` must be a positive integer; got 0"),
        (["--top-p", "0"], "`top_p` must lie in (0, 1]; got 0.0"),
        (["--beam", "0"], "`width` must be a positive integer; got 0"),
        (
            ["--beam", "2", "--top-k", "3"],
            "`top_k` must be left out with `beam`, which draws nothing; got 3",
        ),
    ],
)
def test_wrong_options_of_sample(trained, options, message, capsys):
    _, path = trained
    assert run(["sample", str(path), *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == f"error: {message}\n"


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json"])
def test_damaged_files_of_a_run(trained, name, tmp_path, capsys):
    _, path = trained
    copy = tmp_path / "run"
    shutil.copytree(path, copy)
    (copy / name).write_text('{"level": ')
    assert run(["sample", str(copy)]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and name in captured.err


def test_a_run_without_a_checkpoint(trained, tmp_path, capsys):
    _, path = trained
    copy = tmp_path / "run"
    shutil.copytree(path, copy)
    shutil.rmtree(copy / "checkpoints")
    assert run(["sample", str(copy)]) == 2
    assert "`run` must hold a checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize("cell", ["layer_norm_lstm", "slstm"])
def test_other_units_with_dropout_between_layers(cell, tmp_path, capsys):
    text = tmp_path / "text"
    text.write_text("some words and some more words, " * 40)
    folder = tmp_path / "run"
    options = ["--corpus", str(text), "--run", str(folder), "--steps", "10", "--layers", "2"]
    options += ["--cell", cell, "--dropout", "0.3", *SMALL, "--json"]
    assert run(["train", *options]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[-1])["bits_per_char"]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    shutil.rmtree(folder)
    assert run(["train", *options]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["bits_per_char"] == first
    shutil.rmtree(folder)
    assert run(["train", *options, "--dropout", "0.0"]) == 0
    without = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    # Before the first update validation is the same, because nothing is dropped there.
    assert lines[0] == without[0] and lines[1]["loss"] != without[1]["loss"]


def test_a_rate_of_dropout_for_the_first_layer_alone(tmp_path, capsys):
    text = tmp_path / "text"
    text.write_text("some words and some more words, " * 40)
    losses = {}
    for rate in (None, "0.3", "0.0"):
        folder = tmp_path / f"run-{rate}"
        options = ["--corpus", str(text), "--run", str(folder), "--steps", "1", "--dropout", "0.3"]
        options += [] if rate is None else ["--input-dropout", rate]
        assert run(["train", *options, *SMALL]) == 0
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        losses[rate] = next(m["loss"] for line in lines if "loss" in (m := json.loads(line)))
    assert losses[None] == losses["0.3"] != losses["0.0"]


def test_a_rate_of_dropout_that_is_none(tmp_path, capsys):
    options = ["--run", str(tmp_path / "run"), "--dropout", "1.5"]
    assert run(["train", *options, *SMALL]) == 2
    assert "`dropout` must be a probability in [0, 1); got 1.5" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("level", ["char", "byte", "word", "bpe"])
def test_samples_go_on_from_the_last_line_break_of_the_training_text(level):
    size: Any = {"vocabulary_size": 300} if level in ("word", "bpe") else {}
    last_lines = lambda text: (
        encoded := encode_text(text, level=level, **size),
        _last_lines(encoded),
    )
    text, prompt = last_lines("one two\nthree four\nfive six seven " * 40)
    window = text.training[-CONTEXT:]
    assert 0 < len(prompt) < len(window) and (window[: len(prompt)] == prompt).all()
    assert text.tokenizer.decode(prompt).endswith("three four\n")
    assert "\n" not in text.tokenizer.decode(window[len(prompt) :])
    text, prompt = last_lines("one two three " * 40)
    assert (prompt == text.training[-CONTEXT:]).all()
