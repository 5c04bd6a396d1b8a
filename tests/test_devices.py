"""Training on two devices: the numbers of one, and the same bits when it is taken up again."""

import json
import subprocess
import sys
import textwrap
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

from jaxrnn.cli import devices
from jaxrnn.cli.config import TrainConfig, load_config
from jaxrnn.cli.main import run
from jaxrnn.train import tbptt_step
from metrics import comparable

# The number of devices is fixed when JAX starts, so two of them take a process of their own.
UPDATES = """
    import jax
    jax.config.update("jax_num_cpu_devices", 2)
    jax.config.update("jax_enable_x64", True)
    import chex, numpy as np, optax
    from jax.sharding import Mesh
    from jaxrnn.train import tbptt_scan, tbptt_step
    from test_tbptt import loss_fn, make_segments, start

    def pick(leaf):
        return leaf[..., :2, :] if leaf.ndim > 3 else leaf[..., :2]

    mesh = Mesh(np.array(jax.devices()), ("batch",))
    optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(1e-2))
    segments = jax.tree.map(pick, make_segments(4))
    first = jax.tree.map(lambda leaf: leaf[0], segments)
    for compile, data in ((tbptt_scan, segments), (tbptt_step, first)):
        results = []
        for over in (None, mesh):
            state = start(optimizer)[2]
            state = state._replace(carry=jax.tree.map(lambda leaf: leaf[:2], state.carry))
            state, metrics = compile(loss_fn, optimizer, mesh=over)(state, data)
            results.append((state._replace(key=jax.random.key_data(state.key)), metrics))
        chex.assert_trees_all_close(*results, rtol=1e-10, atol=1e-13)
    keys = lambda params, carry, segment, key: (
        params * jax.random.normal(key), jax.numpy.ones(()), carry + jax.random.normal(key)
    )
    from jaxrnn.train import init_state
    state = init_state(jax.numpy.ones(()), optimizer, jax.numpy.zeros(2), jax.random.key(0))
    state, _ = tbptt_step(keys, optimizer, mesh=mesh)(state, np.zeros((1, 2)))
    assert state.carry[0] != state.carry[1], "each device draws noise of its own"
    try:
        tbptt_step(keys, optimizer, mesh=mesh)(state._replace(carry=np.zeros(3)), np.zeros((1, 3)))
    except ValueError as error:
        assert str(error) == "`mesh` must have a size that divides the 3 streams; got 2"
    else:
        raise AssertionError("three streams on two devices")
    print("equal")
"""


def test_updates_on_two_devices_are_those_on_one(pytestconfig):
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(UPDATES)]
    tests = pytestconfig.rootpath / "tests"
    result = subprocess.run(command, capture_output=True, text=True, cwd=tests, check=False)
    assert result.stdout == "equal\n", result.stderr


OPTIONS = "--hidden-size 12 --embed-size 5 --batch-size 4 --segment-length 10 --check-every 10"


def train(folder, *options):
    corpus = ["--corpus", str(folder.parent / "text")]
    return [sys.executable, "-m", "jaxrnn", "train", "--run", str(folder), *corpus, *options]


def test_a_run_on_two_devices_is_taken_up_with_the_same_bits(tmp_path):
    (tmp_path / "text").write_text("the quick brown fox jumps over the lazy dog.\n" * 40)
    options = [*OPTIONS.split(), "--devices", "2", "--steps", "20"]
    for name in ("whole", "stopped"):
        subprocess.run(train(tmp_path / name, *options), check=True, capture_output=True)
    # As if it had been stopped after ten updates.
    stopped = tmp_path / "stopped"
    last = stopped / "checkpoints" / "20"
    last.rename(tmp_path / "away")
    done = subprocess.run(train(stopped), check=True, capture_output=True, text=True)
    assert "cpu as 2 devices" in done.stderr
    assert comparable(stopped) == comparable(tmp_path / "whole")
    assert (stopped / "samples.txt").read_bytes() == (tmp_path / "whole/samples.txt").read_bytes()
    result = subprocess.run(
        [sys.executable, "-m", "jaxrnn", "sample", str(stopped), "--length", "5", "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(result.stdout.splitlines()[-1])["step"] == 20


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("0", "`devices` must be a positive integer; got 0"),
        ("3", "`devices` must divide batch_size = 4; got 3"),
        ("2", "`devices` must be at most the 1 that JAX has in this process; got 2"),
    ],
)
def test_wrong_numbers_of_devices(given, message, tmp_path, capsys):
    assert jax.device_count() == 1
    (tmp_path / "text").write_text("ab" * 200)
    options = ["--corpus", str(tmp_path / "text"), "--run", str(tmp_path / "run")]
    assert run(["train", *options, *OPTIONS.split(), "--devices", given]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "cores", "expected"),
    [
        ({}, 2, 2),
        ({}, 1, 1),
        ({"batch_size": 33}, 2, 1),
        ({"batch_size": 8}, 2, 1),
        ({"batch_size": 8, "devices": 2}, 2, 2),
        ({"hidden_size": 512}, 2, 2),
    ],
    ids=str,
)
def test_the_choice(options, cores, expected, monkeypatch):
    monkeypatch.setattr(devices, "cores", lambda: cores)
    monkeypatch.setattr(devices, "_ask_for_host_devices", lambda count: None)
    monkeypatch.setattr(jax, "device_count", lambda: 2)
    assert devices.choose_devices(TrainConfig(**options)) == expected
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert devices.choose_devices(TrainConfig(**options)) == options.get("devices", 1)


def test_a_folder_from_before_there_was_a_choice_goes_on_on_one(tmp_path):
    kept = {**TrainConfig().kept(), "corpus_sha256": ""}
    del kept["devices"]
    (tmp_path / "config.json").write_text(json.dumps(kept))
    assert load_config(tmp_path).devices == 1


def test_a_mesh_of_two_axes():
    nothing: Any = None
    mesh = Mesh(np.array(jax.devices()).reshape(1, 1), ("a", "b"))
    with pytest.raises(ValueError, match="`mesh` must have one axis; got"):
        tbptt_step(nothing, nothing, mesh=mesh)
