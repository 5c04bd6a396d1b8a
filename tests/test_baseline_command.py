"""`jaxrnn baseline`: the n-gram model on files and on the text of a run."""

import json

import numpy as np
import pytest

from jaxrnn import data
from jaxrnn.baselines import NGram
from jaxrnn.cli.main import run

LINES = "the cat sat\nthe dog sat\na cat ran\nthe cat ran\n" * 5


@pytest.fixture
def files(tmp_path):
    for name, text in {"train": LINES, "valid": "the dog ran\n", "test": "a bird sat\n"}.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def result(capsys, *arguments):
    assert run(["baseline", *map(str, arguments), "--json"]) == 0
    out = capsys.readouterr().out
    return json.loads(out.splitlines()[-1]), out


def test_words_of_files(files, capsys):
    given = [f"--{name}={files / name}" for name in ("train", "valid", "test")]
    found, out = result(capsys, *given, "--level", "word", "--order", "2")
    tokenizer = data.WordTokenizer.from_text(LINES)
    assert found["vocabulary_size"] == tokenizer.vocabulary_size == 8
    tokens = tokenizer.encode("a bird sat\n")
    model = NGram(tokenizer.encode(LINES), order=2, vocabulary_size=8, boundary=tokenizer.boundary)
    nats = -model.log_probabilities(tokens).mean()
    assert found["perplexity"] == round(float(np.exp(nats)), 3)
    assert found["bits_per_token"] == round(float(nats / np.log(2)), 4)
    assert found["texts"]["test"]["unknown"] == 1 and found["texts"]["valid"]["unknown"] == 0
    assert found["texts"]["test"]["tokens"] == 4 and "2-gram" in out
    assert found["texts"]["valid"]["perplexity"] < found["texts"]["test"]["perplexity"]


def test_a_smaller_vocabulary_has_more_unknown_words(files, capsys):
    given = [f"--{name}={files / name}" for name in ("train", "valid")]
    found, _ = result(capsys, *given, "--level", "word", "--vocabulary", "4")
    assert found["vocabulary_size"] == 4
    assert found["texts"]["valid"]["unknown"] == 2  # dog and ran: the, cat and </s> are left


def test_the_best_of_several_orders(files, capsys):
    given = [f"--{name}={files / name}" for name in ("train", "valid", "test")]
    found, out = result(capsys, *given, "--order", "1-3,5")
    assert [each["order"] for each in found["orders"]] == [1, 2, 3, 5] and "best on valid" in out
    bits = {e["order"]: e["texts"]["valid"]["bits_per_token"] for e in found["orders"]}
    assert len(set(bits.values())) > 1 and bits[found["order"]] == min(bits.values())
    alone, _ = result(capsys, *given, "--order", str(found["order"]))
    assert alone["texts"] == found["texts"] and alone["perplexity"] == found["perplexity"]


@pytest.mark.parametrize("level", ["char", "byte"])
@pytest.mark.parametrize("smoothing", ["kneser_ney", "witten_bell", "katz"])
def test_characters_and_bytes(files, capsys, level, smoothing):
    given = [f"--train={files / 'train'}", f"--valid={files / 'valid'}", "--level", level]
    found, _ = result(capsys, *given, "--smoothing", smoothing, "--order", "3")
    assert found["smoothing"] == smoothing and found["order"] == 3
    assert 1 < found["perplexity"] < 10 and found["texts"]["valid"]["tokens"] == 12


def test_the_text_of_a_run(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text(LINES * 10, "utf-8")
    folder = tmp_path / "run"
    sizes = ["--hidden-size", "4", "--embed-size", "3", "--batch-size", "2"]
    sizes += ["--segment-length", "8", "--steps", "1"]
    assert run(["train", "--corpus", str(text), "--run", str(folder), *sizes]) == 0
    capsys.readouterr()
    found, _ = result(capsys, folder)
    training, validation = data.split(LINES * 10)
    assert found["vocabulary_size"] == len(set(training)) + 1
    assert found["texts"].keys() == {"validation"}
    assert found["texts"]["validation"]["tokens"] == len(validation)
    assert found["perplexity"] < 2
    text.write_text(LINES, "utf-8")
    assert run(["baseline", str(folder)]) == 2
    assert "another text" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "`train` must be a text file, or a run folder be given; got None"),
        ("--train {}/train", "`valid` must be a text file, or `test` be one; got None"),
        ("--train {}/none --valid {}/valid", "`train` must be a file that exists; got"),
        ("--train {}/train --valid {}/none", "`valid` must be a file that exists; got"),
        ("--train {}/train --test {}/latin", "`test` must be UTF-8 text"),
        ("{} --level word", "`run` must stand alone, because it has a text and symbols; got"),
        ("--train {}/train --valid {}/valid --order 0", "`order` must be a positive integer"),
        ("--train {}/train --valid {}/valid --order 3-1", "`order` must be a positive integer"),
        ("--train {}/train --valid {}/valid --order 1,x", "or a range such as 1-12; got '1,x'"),
        ("--train {}/train --valid {}/valid --vocabulary 9", "`vocabulary` must be given at level"),
        ("{} --train {}/train", "`run` must stand alone, because"),
        ("{}", "`run` must be a folder that `jaxrnn train` made"),
        ("--train {}/train --valid {}/blank --level word", "`valid` must hold a symbol"),
    ],
)
def test_wrong_options(files, capsys, arguments, message):
    (files / "blank").write_text("  ", "utf-8")
    (files / "latin").write_bytes(b"caf\xe9")
    before = sorted(files.iterdir())
    assert run(["baseline", *arguments.replace("{}", str(files)).split()]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and message in err and err.count("\n") == 1
    assert sorted(files.iterdir()) == before
