"""The reproductions on chunks and on digits: features, scores, runs that go on when stopped."""

import gzip
import json
import signal
import struct
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

PAPERS = Path(__file__).parents[1] / "benchmarks" / "papers"


@pytest.fixture
def sentences(tmp_path):
    """A folder with an easy language: a determiner begins a chunk, a noun goes on with it."""
    rng, folder = np.random.default_rng(0), tmp_path / "chunks"
    folder.mkdir()
    phrases = (["the DT B-NP", "dog NN I-NP"], ["Sleeps VBZ B-VP"], [". . O"], ["in IN B-PP"])
    for part, count in {"train": 64, "test": 20}.items():
        lines = []
        for _ in range(count):
            chosen = rng.integers(0, 4, rng.integers(1, 5))
            lines.append("\n".join(line for n in chosen for line in phrases[n]) + "\n")
        (folder / f"{part}.txt").write_text("\n".join(lines))
    return folder


def result(module, monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments), "--json"])
    assert module.main() == 0
    out = capsys.readouterr().out
    return json.loads(out.splitlines()[-1]), out


def test_features_of_words(paper):
    room = paper("chunking")
    found = room.values({"word": ["The", "McDonald's", "1990-91"], "pos": ["DT", "NNP", "CD"]})
    assert found["word"] == ["the", "mcdonald's", "0000-00"]
    assert found["suffix"] == ["the", "d's", "-00"]
    assert found["shape"] == ["Xx", "XxXx'x", "9-9"] and found["pos"] == ["DT", "NNP", "CD"]


def test_what_comes_once_has_the_last_numbers_and_what_never_came_has_none(paper):
    room = paper("chunking")
    make = lambda words, tags: {"word": words, "pos": ["X"] * len(words), "chunk": tags}
    code = room.codes(
        [make(["a", "b", "a"], ["O", "B-NP", "I-NP"]), make(["a", "c", "c"], ["O"] * 3)]
    )
    assert code.known["word"] == {"a": 1, "c": 2, "b": 3} and code.rare == 3
    assert code.labels == ("B-NP", "I-NP", "O")
    features, tags = code.example(make(["c", "new", "b"], ["O", "O", "B-NP"]))
    assert features[:, 0].tolist() == [2, 0, 3] and features.shape == (3, 4)
    assert tags.tolist() == [2, 2, 0]
    unseen = code.example(make(["a"], ["B-VP"]))
    assert unseen.tags.shape == (1,)


def test_rare_words_are_unknown_in_every_second_place_in_training_only(paper):
    room = paper("chunking")
    model = room.Chunker((9, 5, 5, 5), ("O", "B-X", "I-X"), 6, 4, 0.0, rngs=nnx.Rngs(0))
    words = jnp.tile(jnp.arange(9)[:, None], (1, 400))
    features = jnp.stack([words, *[jnp.zeros_like(words)] * 3], axis=-1)
    table = np.asarray(model.embeds[0].embedding[...])
    vectors = np.asarray(model.vectors(features, jax.random.key(0)))[..., : table.shape[1]]
    hidden = (vectors == table[0]).all(-1)
    assert not hidden[1:6].any() and (abs(hidden[6:].mean(-1) - 0.5) < 0.1).all()
    kept = np.asarray(model.vectors(features))[..., : table.shape[1]]
    np.testing.assert_array_equal(kept, table[words])


@pytest.fixture
def small(paper, monkeypatch):
    script = paper("conll2000")
    monkeypatch.setattr(script, "HIDDEN", 8)
    monkeypatch.setattr(script, "BATCH_SIZE", 8)
    monkeypatch.setattr(script, "BUCKETS", 1)
    monkeypatch.setattr(script, "LEARNING_RATE", 3e-2)
    return script


def test_chunks_are_found_and_a_finished_run_is_only_tested_again(
    small, sentences, tmp_path, monkeypatch, capsys
):
    given = ["--data", sentences, "--out", tmp_path / "out", "--epochs", "6"]
    found, out = result(small, monkeypatch, capsys, *given)
    assert found["test"] > 90 and found["valid"] > 90
    assert f"test {found['test']:.2f}" in out and "94.13" in out
    again, _ = result(small, monkeypatch, capsys, *given)
    assert (again["test"], again["valid"]) == (found["test"], found["valid"])
    monkeypatch.setattr(sys, "argv", ["s", *map(str, given), "--seed", "1"])
    assert small.main() == 2
    assert "error: `out` must hold a run with seed = 1, or be" in capsys.readouterr().err


def test_predictions_come_back_in_the_order_of_the_sentences(small, paper):
    room = paper("chunking")
    lengths = [3, 1, 25, 2, 7]
    make = lambda n: {"word": [f"w{n}"] * n, "pos": ["X"] * n, "chunk": ["O", *["B-A"] * (n - 1)]}
    sentences = [make(n) for n in lengths]
    code = room.codes(sentences)

    class Echo:
        """Says for each word whether its sentence is longer than two."""

        def tags(self, features, lengths):
            return jnp.broadcast_to((lengths > 2)[:, None], features.shape[:2]).astype(int)

    found = small.predicted(Echo(), code, [code.example(sentence) for sentence in sentences])
    assert found == [[code.labels[int(n > 2)]] * n for n in lengths]


def write_mnist(folder, counts=(96, 40)):
    """Pictures whose class is the row that is inked."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for part, count in zip(("train", "t10k"), counts, strict=True):
        labels = rng.integers(0, 4, count).astype(np.uint8)
        images = np.zeros((count, 4, 3), np.uint8)
        images[np.arange(count), labels] = 255
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            path = folder / f"{part}-{name}-ubyte.gz"
            path.write_bytes(gzip.compress(header + array.tobytes()))
    return folder


def test_digits_are_read_and_a_finished_run_is_only_tested_again(
    paper, tmp_path, monkeypatch, capsys
):
    script = paper("mnist_rows")
    for name, value in (("HIDDEN", 8), ("BATCH_SIZE", 8), ("LEARNING_RATE", 3e-2), ("GROUP", 20)):
        monkeypatch.setattr(script, name, value)
    folder = write_mnist(tmp_path / "mnist")
    given = ["--data", folder, "--out", tmp_path / "out", "--epochs", "6"]
    found, out = result(script, monkeypatch, capsys, *given)
    assert found["test"] > 90 and "test" in out
    again, _ = result(script, monkeypatch, capsys, *given)
    assert again["test"] == found["test"] and again["valid"] == found["valid"]


def test_a_run_that_is_stopped_goes_on_to_the_same_end(paper, tmp_path, monkeypatch, capsys):
    script = paper("mnist_rows")
    for name, value in (("HIDDEN", 8), ("BATCH_SIZE", 8), ("LEARNING_RATE", 3e-2), ("GROUP", 20)):
        monkeypatch.setattr(script, name, value)
    given = ["--data", write_mnist(tmp_path / "mnist"), "--epochs", "3"]
    whole, _ = result(script, monkeypatch, capsys, *given, "--out", tmp_path / "whole")
    on, calls = script._on, []

    def stopping(digits):
        def of(loss_fn):
            validate = on(digits)(loss_fn)

            def and_stop(params):
                calls.append(1)
                if len(calls) == 2:  # the first one is before the first update
                    signal.raise_signal(signal.SIGINT)
                return validate(params)

            return and_stop

        return of

    monkeypatch.setattr(script, "_on", stopping)
    given += ["--out", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", ["mnist_rows.py", *map(str, given)])
    assert script.main() == 130
    monkeypatch.setattr(script, "_on", on)
    found, _ = result(script, monkeypatch, capsys, *given)
    assert (found["test"], found["valid"]) == (whole["test"], whole["valid"])
    lines = [(tmp_path / out / "run" / "metrics.jsonl").read_text() for out in ("whole", "out")]
    curves = [[_but_time(json.loads(line)) for line in each.splitlines()] for each in lines]
    assert curves[0] == curves[1] and len(curves[0]) > 3


def _but_time(record):
    return {
        name: record[name]
        for name in record.keys() & {"step", "loss", "grad_norm", "validation_loss"}
    }


@pytest.mark.parametrize("script", ["conll2000", "mnist_rows"])
def test_a_folder_without_the_data_is_one_line(script, tmp_path):
    command = [sys.executable, PAPERS / f"{script}.py", "--data", tmp_path]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 2 and ran.stderr.startswith("error: `data` must hold the file ")
    assert len(ran.stderr.splitlines()) == 1 and not list(tmp_path.iterdir())
