"""`jaxrnn evaluate`: a trained model on a text, beside an n-gram model and their mixture."""

import itertools
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn import baselines, data
from jaxrnn.cli import evaluate as command
from jaxrnn.cli.config import load_config
from jaxrnn.cli.folder import restore
from jaxrnn.cli.main import run
from jaxrnn.cli.network import first_state, network

TEXT = "".join(f"the {a} saw a {b} in {c}\n" for a in "abcdefg" for b in "hijkl" for c in "mnopq")
SMALL = ["--hidden-size", "8", "--batch-size", "4", "--segment-length", "10", "--steps", "12"]


def trained(folder, level, *options):
    text = folder / "text.txt"
    text.write_text(TEXT, "utf-8")
    path = folder / "run"
    command = ["train", "--corpus", str(text), "--run", str(path), "--level", level, *SMALL]
    assert run([*command, *options]) == 0
    return path


@pytest.fixture(scope="module")
def char_run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("evaluate"), "char")


def result(capsys, *arguments):
    capsys.readouterr()
    assert run(["evaluate", *map(str, arguments), "--json"]) == 0
    out = capsys.readouterr().out
    return json.loads(out.splitlines()[-1]), out


def nats_step_by_step(path, tokens):
    """The model's negative log-probabilities, read one symbol at a time."""
    config, tokenizer = load_config(path), data.load_tokenizer(path / "vocabulary.json")
    model = network(config, tokenizer.vocabulary_size)
    params = restore(path, first_state(config, model)).params
    carry, nats = model.initial_carry(1), []
    for before, after in itertools.pairwise(tokens):
        carry, logits = model.step(params, carry, jnp.array([before]))
        nats.append(-jax.nn.log_softmax(logits[0])[after])
    return np.array(nats)


def test_the_figures_are_those_of_the_model_step_by_step(char_run, capsys):
    found, out = result(capsys, char_run)
    last = json.loads((char_run / "metrics.jsonl").read_text().splitlines()[-1])
    assert found["bits_per_token"] == round(last["validation_bits"], 4)
    assert found["step"] == 12 and found["unknown"] == 0 and "recurrent" in out
    tokenizer = data.load_tokenizer(char_run / "vocabulary.json")
    tokens = tokenizer.encode(data.split(TEXT)[1])
    nats = nats_step_by_step(char_run, tokens)
    assert found["tokens"] == len(tokens)
    np.testing.assert_allclose(found["perplexity"], np.exp(nats.mean()), rtol=1e-4)


def test_another_text_with_unknown_characters(char_run, capsys, tmp_path):
    (tmp_path / "other").write_text("the Z saw\n", "utf-8")
    found, _ = result(capsys, char_run, "--text", tmp_path / "other")
    assert found["tokens"] == 10 and found["unknown"] == 1
    tokens = data.load_tokenizer(char_run / "vocabulary.json").encode("the Z saw\n")
    nats = nats_step_by_step(char_run, tokens)
    np.testing.assert_allclose(found["perplexity"], np.exp(nats.mean()), rtol=1e-4)


def test_an_ngram_model_and_the_mixture(char_run, capsys):
    found, out = result(capsys, char_run, "--ngram", "3")
    training, validation = data.split(TEXT)
    tokenizer = data.CharTokenizer.from_text(training)
    model = baselines.NGram(
        tokenizer.encode(training), order=3, vocabulary_size=tokenizer.vocabulary_size
    )
    logs = model.log_probabilities(tokenizer.encode(validation))[1:]
    models = found["models"]
    assert models["3-gram"]["bits_per_token"] == round(float(-logs.mean() / np.log(2)), 4)
    # After twelve updates the counts are far better, and the mixture knows it.
    assert models["mixture"]["weight"] < 0.5 and "3-gram" in out
    assert models["mixture"]["bits_per_token"] < models["recurrent"]["bits_per_token"]


def test_a_model_that_learns_on_is_better(char_run, capsys):
    found, _ = result(capsys, char_run, "--dynamic", "0.1")
    models = found["models"]
    better = models["recurrent, learning on"]["bits_per_token"]
    assert better < models["recurrent"]["bits_per_token"] == found["bits_per_token"]


@pytest.mark.parametrize("level", ["byte", "word", "bpe"])
def test_other_levels(level, tmp_path, capsys):
    options = ["--vocabulary", "270"] if level == "bpe" else []
    path = trained(tmp_path, level, *options)
    found, _ = result(capsys, path, "--ngram", "2")
    tokenizer = data.load_tokenizer(path / "vocabulary.json")
    assert tokenizer.level == level
    uniform = np.log2(tokenizer.vocabulary_size)
    assert 0 < found["models"]["2-gram"]["bits_per_token"] < uniform
    assert run(["sample", str(path), "--prompt", "the a", "--length", "5"]) == 0
    assert capsys.readouterr().out.startswith("the a")


@pytest.mark.parametrize("readout", ["sampled", "adaptive"])
def test_output_layers_for_large_vocabularies(readout, tmp_path, capsys):
    options = ["--readout", readout, "--samples", "8"]
    path = trained(tmp_path, "word", *options)
    found, _ = result(capsys, path)
    tokenizer = data.load_tokenizer(path / "vocabulary.json")
    nats = nats_step_by_step(path, tokenizer.encode(data.split(TEXT)[1]))
    np.testing.assert_allclose(found["perplexity"], np.exp(nats.mean()), rtol=1e-4)


def test_weights_of_a_mixture_come_from_the_other_half():
    # Each model is right about one half; fitted on the half itself the mixture would be perfect.
    sure, wrong = np.log(0.999), np.log(0.001)
    logs = np.array([[sure] * 5 + [wrong] * 5, [wrong] * 5 + [sure] * 5])
    weights, mixed = command.cross_mixed(logs)
    np.testing.assert_allclose(weights, [0.5, 0.5], atol=1e-3)
    assert (mixed < np.log(0.01)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("missing", "`run` must be a folder that `jaxrnn train` made; got missing"),
        ("{} --text missing", "`text` must be a file that exists; got missing"),
        ("{} --text one", "`text` must hold two symbols; got 1"),
        ("{} --ngram 0", "`ngram` must be a positive integer; got 0"),
        ("{} --dynamic -1", "`dynamic` must be a positive learning rate; got -1.0"),
    ],
)
def test_wrong_options(char_run, arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one").write_text("a")
    assert run(["evaluate", *arguments.replace("{}", str(char_run)).split()]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == f"error: {message}\n"


def test_a_run_without_a_checkpoint(char_run, tmp_path, capsys):
    copy = tmp_path / "run"
    shutil.copytree(char_run, copy)
    shutil.rmtree(copy / "checkpoints")
    assert run(["evaluate", str(copy)]) == 2
    assert "`run` must hold a checkpoint" in capsys.readouterr().err
