"""Killed at any moment, or damaged on disk: in processes of their own, as it happens to users."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from jaxrnn.cli.config import load_config
from jaxrnn.cli.network import first_state, network
from jaxrnn.data import load_tokenizer
from jaxrnn.train import Checkpoints
from metrics import comparable

STEPS = 60
OPTIONS = (
    "--hidden-size 12 --embed-size 5 --batch-size 4 --segment-length 10 --check-every 4 "
    f"--steps {STEPS}"
).split()


def command(*arguments):
    return [sys.executable, "-m", "jaxrnn", *map(str, arguments)]


def train(folder):
    return command("train", "--corpus", folder.parent / "text", "--run", folder, *OPTIONS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("crash") / "whole"
    rng = random.Random(0)
    words = ["some", "words", "in", "random", "order"]
    (folder.parent / "text").write_text(" ".join(rng.choices(words, k=800)))
    subprocess.run(train(folder), check=True, capture_output=True)
    return folder


def final_state(folder):
    config, tokenizer = load_config(folder), load_tokenizer(folder / "vocabulary.json")
    like = first_state(config, network(config, tokenizer.vocabulary_size))
    state, _ = Checkpoints(folder / "checkpoints").restore(like)
    state = state._replace(key=jax.random.key_data(state.key))
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def test_killed_at_random_moments_and_resumed_has_the_same_bits(whole):
    folder = whole.parent / "killed"
    rng = random.Random(1)
    for _ in range(3):
        process = subprocess.Popen(
            train(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # Let it come as far as one more checkpoint than before, then kill it anywhere after.
        seen = checkpoints(folder)
        while process.poll() is None and checkpoints(folder) <= seen:
            time.sleep(0.001)
        time.sleep(rng.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
        assert 0 < checkpoints(folder) < STEPS
    subprocess.run(train(folder), check=True, capture_output=True)
    for a, b in zip(final_state(folder), final_state(whole), strict=True):
        np.testing.assert_array_equal(a, b)
    assert comparable(folder) == comparable(whole)
    assert (folder / "samples.txt").read_text() == (whole / "samples.txt").read_text()


def checkpoints(folder):
    """The latest complete checkpoint, by its name on disk."""
    entries = (folder / "checkpoints").glob("*")
    return max((int(entry.name) for entry in entries if entry.name.isdigit()), default=0)


def cut(folder):
    for path in folder.rglob("d/*"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(folder):
    path = max(folder.rglob("d/*"), key=lambda path: path.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def lose(folder):
    next(folder.rglob("d/*")).unlink()


@pytest.mark.parametrize(
    ("harm", "arguments"),
    [(cut, ["sample"]), (flip, ["train", "--run"]), (lose, ["sample"])],
    ids=["cut", "one bit", "a file lost"],
)
def test_a_damaged_checkpoint_is_one_line_and_changes_nothing(whole, harm, arguments, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    latest = folder / "checkpoints" / str(checkpoints(folder))
    harm(latest)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    done = subprocess.run(command(*arguments, folder), capture_output=True, text=True)
    assert done.returncode == 2
    *_, error = done.stderr.splitlines()
    assert done.stderr.count("error") == 1 and "Traceback" not in done.stderr
    assert "`folder` must hold an undamaged checkpoint" in error
    assert "delete that folder to go on from the checkpoint before" in error
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    if arguments[0] == "train":  # what the line says works
        shutil.rmtree(latest)
        subprocess.run(command("train", "--run", folder), check=True, capture_output=True)
        for a, b in zip(final_state(folder), final_state(whole), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_checkpoint_of_another_model(whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 13}))
    done = subprocess.run(command("sample", folder), capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    assert "`folder` must hold a checkpoint of this model" in done.stderr
