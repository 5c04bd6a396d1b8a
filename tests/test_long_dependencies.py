"""The benchmark of long dependencies: its runs go on where they stopped, its scores tell."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def room(benchmarks):
    """Imports a file of `benchmarks/memory_tasks` by its name."""
    return lambda name: benchmarks(f"memory_tasks.{name}")


def small(experiment, **training):
    return replace(experiment, training=replace(experiment.training, **training))


def test_a_run_that_is_killed_goes_on_to_the_same_result(room, tmp_path, monkeypatch):
    training = room("training")
    monkeypatch.setattr(training, "SPAN", 3)
    monkeypatch.setattr(training, "SAVE_SECONDS", 0.0)
    experiment = small(room("parity").parity("tanh"), updates=9)
    calls = []

    def killed(updates, losses):
        calls.append(updates)
        if updates == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.run(experiment, tmp_path / "a", 2, killed)
    result = training.run(experiment, tmp_path / "a", 2, lambda updates, _: calls.append(updates))
    # Update 6 was made again: the first run stopped before its checkpoint.
    assert calls == [3, 6, 6, 9]
    whole = training.run(experiment, tmp_path / "b", 2, lambda *_: None)
    assert result["curve"] == whole["curve"] and result["scores"] == whole["scores"]
    assert len(set(result["curve"][-1])) == 2  # networks of their own, on data of their own
    again = training.run(experiment, tmp_path / "a", 2, killed)
    assert again == result and len(calls) == 4
    with pytest.raises(
        ValueError, match=r"`out` must hold a run with clip = 2\.0, or .*; got 1\.0 in"
    ):
        training.run(small(experiment, clip=2.0), tmp_path / "a", 2, killed)


def test_a_run_ends_when_every_network_has_learned(room, tmp_path, monkeypatch):
    training = room("training")
    monkeypatch.setattr(training, "SPAN", 2)
    experiment = small(room("parity").parity("tanh"), updates=8, enough=1.0)
    result = training.run(experiment, tmp_path, 2, lambda *_: None)
    assert len(result["curve"]) == 1
    assert training.learned_after(result, 0) == 2
    assert training.learned_after({**result, "enough": 0.0}, 0) is None


@pytest.mark.parametrize(("reach", "accepted"), [(300, 300), (5, 5)])
def test_counting_scores_the_largest_n_up_to_which_all_is_right(reach, accepted, room, monkeypatch):
    counting = room("counting")
    monkeypatch.setattr(counting, "TEST_COUNT", 300)
    network = room("network").Network

    def names(self, params, xs):
        """Counts with numbers, up to `reach`."""
        a, b = (jnp.minimum(jnp.cumsum(xs[..., n], axis=0), reach) for n in (1, 2))
        in_a, in_b = xs[..., 1] == 1, xs[..., 2] == 1
        start = xs[..., 0] == 1
        legal = jnp.stack([in_b & (a == b), start | in_a, in_a | (in_b & (a > b))], axis=-1)
        return jnp.where(legal, 1.0, -1.0)

    monkeypatch.setattr(network, "at_each_step", names)
    score = counting.counting("tanh").score
    assert int(score(None, jax.random.key(0))) == accepted


@pytest.mark.parametrize(
    ("module", "make", "chance"),
    [("adding", ("adding", 100, "lstm"), 1 + 1 / 6), ("order", ("order", "gru"), 0.75)],
)
def test_a_network_that_answers_zero_scores_what_that_is_worth(module, make, chance, room):
    name, *arguments = make
    experiment = getattr(room(module), name)(*arguments)
    params = experiment.network.init(jax.random.key(0))  # the readout is zero
    assert float(experiment.score(params, jax.random.key(1))) == pytest.approx(chance, abs=0.05)
    assert not experiment.solved(float(experiment.score(params, jax.random.key(1))))


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--tasks", "x"], "`tasks` must be among"), (["--seeds", "0"], "`seeds` must be a positive")],
)
def test_wrong_options_are_one_line(options, message, tmp_path):
    command = [sys.executable, BENCHMARKS / "long_dependencies.py", *options]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 2 and ran.stderr.startswith(f"error: {message}")
    assert len(ran.stderr.splitlines()) == 1 and not list(tmp_path.iterdir())


def test_a_finished_folder_prints_its_table_and_draws(room, tmp_path):
    parity = room("parity").parity
    rows = {}
    for unit in ("tanh", "lstm"):
        curve = [[0.5, 0.6], [0.0005, 0.2]]
        rows[unit] = room("training").describe(parity(unit)) | {"curve": curve, "seconds": 2.0}
        rows[unit]["scores"] = [0.0, 0.5]
        folder = tmp_path / f"parity-{unit}-2"
        folder.mkdir()
        (folder / "result.json").write_text(json.dumps(rows[unit]))
    command = [sys.executable, BENCHMARKS / "long_dependencies.py", "--out", tmp_path, "--json"]
    command += ["--tasks", "parity", "--units", "tanh,lstm", "--seeds", "2"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout.splitlines()[-1])["rows"][0]["scores"] == [0.0, 0.5]
    assert "1 of 2" in ran.stdout and "200 -" in ran.stdout and "chance 0.5" in ran.stdout
    assert (tmp_path / "long_dependencies.png").read_bytes().startswith(b"\x89PNG")
