"""The reproduction on translations: words as numbers, three networks, perplexities, BLEU."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn.data import pad
from jaxrnn.data.formats import TextPair
from jaxrnn.losses import nll

PAPERS = Path(__file__).parents[1] / "benchmarks" / "papers"
WORDS = {"ein": "a", "hund": "dog", "mann": "man", "rennt": "runs", "schnell": "fast", "und": "and"}


@pytest.fixture
def captions(tmp_path):
    """A folder with an easy language: each word has one translation."""
    rng, folder = np.random.default_rng(0), tmp_path / "captions"
    folder.mkdir()
    for part, count in (("train", 256), ("val", 16), ("test_2016_flickr", 20)):
        lines = [rng.choice([*WORDS], rng.integers(4, 7)) for _ in range(count)]
        german = "\n".join(" ".join(line) for line in lines)
        english = "\n".join(" ".join(WORDS[word] for word in line) for line in lines)
        (folder / f"{part}.lc.norm.tok.de").write_text(german + "\n")
        (folder / f"{part}.lc.norm.tok.en").write_text(english + "\n")
    return folder


def test_words_that_come_twice_are_known(paper):
    room = paper("translation")
    pairs = [TextPair("ein hund", "a dog"), TextPair("ein mann", "a </s> <unk>")]
    code = room.codes(pairs)
    assert code.source.vocabulary_size == 3 and code.target.vocabulary_size == 3
    source, target = code.pair(TextPair("ein hund", "a a"))
    end = code.source.boundary
    assert source.tolist() == [2, 0, end] and target.tolist() == [2, 2, code.target.boundary]


def test_groups_hold_every_example_and_what_is_found_comes_back_in_order(paper, monkeypatch):
    epochs = paper("epochs")
    monkeypatch.setattr(epochs, "GROUP", 4)
    examples = [np.full(n, n) for n in (3, 25, 1, 7, 19, 41, 2, 5, 30)]
    groups = list(epochs.groups(examples))
    assert [batch.values.shape for _, batch in groups] == [(4, 20), (4, 40), (1, 60)]
    assert sorted(np.concatenate([places for places, _ in groups])) == list(range(9))
    found = epochs.in_order((places, batch.lengths.tolist()) for places, batch in groups)
    assert found == [len(example) for example in examples]


def small(room, kind="attention") -> Any:
    pairs = [TextPair(" ".join(WORDS), " ".join(WORDS.values()))] * 2
    return room.codes(pairs), room.translator(kind, room.codes(pairs), 8, 0.5, 0)


@pytest.mark.parametrize("kind", ["plain", "context", "attention"])
def test_a_network_is_measured_given_its_own_words(paper, kind):
    room = paper("translation")
    code, model = small(room, kind)
    texts = TextPair("ein hund rennt", "a dog runs fast"), TextPair("mann", "man")
    pairs = [code.pair(pair) for pair in texts]
    total, count = room.loss_by_own_words(model, pad(pairs), None)
    parts, expected = room.functions(model), 0.0
    for source, target in pairs:
        opened, carry, prompt = parts.start(parts.params, jnp.asarray(source))
        last = prompt[0]
        for symbol in target:
            carry, logits = parts.step(opened, carry, last)
            expected += float(nll(logits, jnp.asarray(symbol)))
            last = jnp.argmax(logits)
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    assert count == 5 + 2
    true, _ = room.loss(model, pad(pairs), None)
    assert not np.isclose(total, true)


def test_a_translation_ends_where_its_line_does_and_beams_of_width_one_are_greedy(paper):
    room = paper("translation")
    code, model = small(room)
    write = room.Translate(model, code, length=4)
    end = code.target.boundary
    assert write.text(np.array([2, 3, end, 4])) == code.target.decode([2, 3])
    assert write.text(np.array([2, 3])) == code.target.decode([2, 3])
    assert write.text(np.array([end, 2])) == ""
    batch = pad([code.pair(TextPair("ein hund", "")), code.pair(TextPair("und ein mann", ""))])
    assert len(write(batch, 1)) == len(write(batch, 3)) == 2


def test_it_learns_translates_and_a_finished_run_is_only_tested_again(
    paper, captions, tmp_path, monkeypatch, capsys
):
    script = paper("multi30k")
    recipe = script.RECIPE._replace(batch_size=16, buckets=1, schedule=lambda _: 2e-2)
    monkeypatch.setattr(script, "RECIPE", recipe)
    given = ["--data", captions, "--hidden-size", 32, "--dropout", 0, "--epochs", 10]
    given += ["--beam", 2, "--out", tmp_path / "out", "--json"]
    monkeypatch.setattr(sys, "argv", ["multi30k.py", *map(str, given)])
    assert script.main() == 0
    out = capsys.readouterr().out
    found = json.loads(out.splitlines()[-1])
    assert 1 <= found["perplexity"] < 2 and found["vocabularies"] == [8, 8]
    assert found["perplexity"] <= found["perplexity_by_own_words"] + 1e-3
    assert f"perplexity {found['perplexity']}" in out and "24.03" in out
    assert found["bleu_greedy"] > 50 and found["bleu_beam"] > 50
    assert script.main() == 0
    again = json.loads(capsys.readouterr().out.splitlines()[-1])
    same = ("perplexity", "perplexity_by_own_words", "bleu_greedy", "bleu_beam")
    assert all(again[name] == found[name] for name in same)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--dropout", 1], "`dropout` must lie in [0, 1); got 1.0"),
        (["--beam", 0], "`beam` must be a positive integer; got 0"),
        (["--epochs", 0], "`epochs` must be a positive integer; got 0"),
    ],
)
def test_bad_options_are_one_line(option, message, paper, captions, tmp_path, monkeypatch, capsys):
    given = ["--data", captions, "--out", tmp_path / "out", *option]
    monkeypatch.setattr(sys, "argv", ["multi30k.py", *map(str, given)])
    assert paper("multi30k").main() == 2
    error = capsys.readouterr().err
    assert error == f"error: {message}\n"
    assert not (tmp_path / "out").exists()


def test_a_folder_without_the_data_is_one_line(tmp_path):
    command = [sys.executable, PAPERS / "multi30k.py", "--data", tmp_path]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: `data` must hold the file train.lc.norm.tok.de")
    assert len(ran.stderr.splitlines()) == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", ["multi30k", "conll2000"])
def test_without_its_score_nothing_is_trained(
    script, paper, captions, tmp_path, monkeypatch, capsys
):
    packages = {"sacrebleu", "seqeval"}
    for name in packages | {name for name in sys.modules if name.partition(".")[0] in packages}:
        monkeypatch.setitem(sys.modules, name, None)
    given = ["--data", captions, "--out", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", [script, *map(str, given)])
    assert paper(script).main() == 2
    error = capsys.readouterr().err
    assert error.endswith(": pip install 'jaxrnn[scores]'\n") and len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()
