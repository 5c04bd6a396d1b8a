"""The measuring: contenders do the work, figures are what they say, errors are one line."""

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn import bench
from jaxrnn.bench import pairs, timing
from jaxrnn.bench.contender import Contender, Program, inputs
from jaxrnn.bench.jax_model import JaxModel, check_gradient, check_outputs
from jaxrnn.bench.pairs import prepare
from jaxrnn.cli.main import run

SIZE = bench.Size(batch=2, length=3, inputs=2, hidden=4)
CONTENDERS = {"jaxrnn": bench.OURS, **bench.PEERS}
SCRIPT = Path(__file__).parents[1] / "benchmarks" / "vs_peers.py"

EXTRA = pytest.mark.peer
CASES = [
    pytest.param(name, cell, marks=() if contender.package in {"jaxrnn", "flax"} else EXTRA)
    for name, contender in CONTENDERS.items()
    for cell in contender.cells
]


@pytest.mark.parametrize(("name", "cell"), CASES)
def test_a_contender_does_the_work(name, cell):
    contender = CONTENDERS[name]
    if why := contender.available():
        pytest.skip(f"{contender.package}: {why}")
    # Raises where outputs or a leaf of the gradient, the inputs' included, are not real.
    programs = prepare(contender, bench.Point(cell, SIZE), inputs(SIZE), "all")
    forward, gradient = (programs[kind] for kind in bench.KINDS)
    ys = np.asarray(forward.run())
    assert sorted(ys.shape) == sorted((SIZE.length, SIZE.batch, SIZE.hidden))
    if contender.on_jax:
        value, (d_params, d_xs) = gradient.run()
        assert value == pytest.approx(np.mean(ys**2), rel=1e-5)
        assert sum(leaf.size for leaf in jax.tree.leaves(d_params)) >= 2 * 4 + 4 * 4 + 4
        assert sorted(d_xs.shape) == sorted((SIZE.length, SIZE.batch, SIZE.inputs))
        assert (gradient.compile_seconds or 0) > 0 and gradient.temporary_bytes is not None
    else:
        assert {"inputs", "weight_ih_l0", "bias_hh_l0"} <= gradient.run().keys()
        assert gradient.compile_seconds is None and gradient.temporary_bytes is None


def test_work_that_was_not_done_is_seen():
    ones, shape = np.ones((3, 2, 4)), (3, 2, 4)
    check_outputs(ones, shape)
    check_gradient([("w", ones)])
    for outputs in (ones[:1], 0 * ones, np.nan * ones):
        with pytest.raises(ValueError, match="`outputs` must"):
            check_outputs(outputs, shape)
    for leaf in (0 * ones, np.inf * ones):
        with pytest.raises(ValueError, match="`gradient w` must"):
            check_gradient([("b", ones), ("w", leaf)])


def lazy(name="lazy", package="flax", outputs=lambda params, xs: 0 * xs * params):
    """A contender whose network is one function of a single number."""
    params, hidden = jnp.float32(1), SIZE.inputs
    build = lambda cell, size, xs: JaxModel(outputs, params, xs, hidden)
    return Contender(name, package, build, ("elman",))


def test_who_cannot_be_measured_is_marked():
    def broken(params, xs):
        raise RuntimeError("broken build\nof the peer")

    peers = [lazy(), lazy(package="no-such-package"), lazy(outputs=broken)]
    rows = bench.measure_point(bench.Point("elman", SIZE), peers, rounds=1)
    assert [row["status"] for row in rows] == [
        "failed: ValueError: `outputs` must not be all zero; got zeros",
        "not installed",
        "failed: RuntimeError: broken build",
    ]
    assert lazy().why_not("elman") is None and lazy().why_not("gru") == "no such cell"


def test_against_a_cell_of_another_kind_ours_is_of_that_kind(monkeypatch):
    prepared, prepare = [], pairs.prepare

    def spy(contender, point, xs, wrt):
        prepared.append((contender.name, point.cell))
        return prepare(contender, point, xs, wrt)

    monkeypatch.setattr(pairs, "prepare", spy)
    other = lazy("other")._replace(ours=bench.PEERS["haiku"].ours)
    bench.measure_point(bench.Point("elman", SIZE), [lazy("a"), other, lazy("b")], rounds=1)
    ours = [("jaxrnn", "elman"), ("jaxrnn", "elman-relu")]
    theirs = [(name, "elman") for name in ("a", "other", "b")]
    assert prepared == [ours[0], theirs[0], ours[1], theirs[1], theirs[2]]


class Clock:
    """A clock that moves only when a call of a known duration is made."""

    def __init__(self, monkeypatch):
        self.now, self.calls = 0.0, []
        monkeypatch.setattr(timing.time, "perf_counter", lambda: self.now)

    def call(self, name, *seconds):
        """A function that takes these seconds by turns, the last of them from there on."""
        left = list(seconds)

        def function():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return function


def test_calls_are_interleaved_and_the_median_is_taken(monkeypatch):
    clock = Clock(monkeypatch)
    # One call to see how often to repeat, then one for each round; an outlier does not count.
    calls = [clock.call("a", 1.0, 2.0, 9.0, 3.0), clock.call("b", 1.0)]
    assert bench.interleaved(calls, rounds=3) == [3.0, 1.0]
    assert "".join(clock.calls) == "ab" + "ab" + "ba" + "ab"


def test_short_calls_are_repeated(monkeypatch):
    clock = Clock(monkeypatch)
    assert bench.interleaved([clock.call("a", 0.004)], rounds=2) == [pytest.approx(0.004)]
    assert len(clock.calls) == 2 + 2 * (1 + 5)  # each sample: one before it, and 20 ms


def test_the_matmul_floor_is_measured_for_both_kinds():
    floor = bench.matmul_floor("gru", SIZE, rounds=1, wrt="all")
    assert floor.keys() == set(bench.KINDS) and min(floor.values()) > 0


def row(peer, size, forward, gradient, cell="lstm"):
    both = {"forward": {"ratio": forward}, "value_and_grad": {"ratio": gradient}}
    return {"cell": cell, "size": size, "devices": 1, "peer": peer, "status": "measured", **both}


def test_summary():
    small, large = [1, 2, 3, 4], [5, 6, 7, 8]
    rows = [row("haiku", small, 4.0, 2.0), row("keras", small, 1.0, 8.0), row("torch", small, 1, 1)]
    rows += [row("haiku", large, 9.0, 8.0), {**row("keras", large, 0, 0), "status": "failed: x"}]
    rows += [row("torch", small, 4.0, 4.0, cell="gru")]
    assert [len(point) for point in bench.points(rows)] == [3, 2, 1]
    forward, gradient = bench.summarise(rows)
    assert forward["kind"] == "forward" and forward["points"] == 3
    assert forward["fastest_jax_peer"]["geometric_mean"] == pytest.approx(3.0)  # of 1 and 9
    assert forward["fastest_jax_peer"]["worst"]["peer"] == "keras"
    assert gradient["fastest_jax_peer"]["geometric_mean"] == pytest.approx(4.0)  # of 2 and 8
    worst = {"cell": "lstm", "size": small, "devices": 1, "peer": "haiku", "ratio": 2.0}
    assert gradient["fastest_jax_peer"]["worst"] == worst
    assert gradient["torch"] == {"geometric_mean": pytest.approx(2.0), "lstm": pytest.approx(1.0)}


def test_summary_of_nothing():
    (part, _) = bench.summarise([{**row("keras", [1, 2, 3, 4], 0, 0), "status": "not installed"}])
    assert part["fastest_jax_peer"] == {"geometric_mean": None, "worst": None}
    assert part["torch"] == {"geometric_mean": None, "lstm": None}


def test_who_is_over_budget_is_left_out_of_longer_scans(monkeypatch):
    class Fake:
        def program(self, kind, *, wrt="params", devices=1):
            return Program(
                lambda: None, lambda result: None, compile_seconds=1.0, temporary_bytes=0
            )

    slow, quick = (Contender(name, "jax", lambda *_: Fake()) for name in ("slow", "quick"))
    # One second for a call at T = 10; at T = 20 four calls of two seconds and the compilation.
    fake = lambda calls, rounds: [1.0, 0.1][-len(calls) :]
    module = importlib.import_module("jaxrnn.bench.sweep")  # not the function of that name
    monkeypatch.setattr(module, "interleaved", fake)
    layer = bench.Layer("lstm", 2, 2, 4, rounds=2, seconds=15.0)
    heard = []
    rows = bench.sweep(layer, [10, 20, 40], [slow, quick], heard.append)
    assert len(heard) == bench.announcements([10, 20, 40], [slow, quick])
    statuses = {(r["contender"], r["length"]): r["status"] for r in rows}
    assert [statuses["slow", T] for T in (10, 20, 40)] == ["measured", *["over budget"] * 2]
    assert statuses["quick", 20] == "measured"
    assert rows[0]["microseconds_per_step"] == pytest.approx(1e5)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """What `jaxrnn bench` prints and writes, over a file of an earlier run."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "bench.json").write_text("of an earlier run")
    options = "--cell elman --batch 2 --inputs 2 --hidden 3 --lengths 4,2 --rounds 1"
    options += " --peers flax-nnx-optimized --out-dir"
    assert run(["bench", *options.split(), str(folder)]) == 0
    return folder


def test_a_sweep_writes_its_files(swept):
    assert sorted(path.name for path in swept.iterdir()) == ["bench.json", "bench.png"]
    assert (swept / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_json_of_a_sweep(swept):
    result = json.loads((swept / "bench.json").read_text())
    assert result.keys() == {"machine", "options", "rows"}
    assert result["options"]["cell"] == "elman"
    assert result["machine"].keys() >= {"versions", "device", "cpu", "cores", "load", "date"}
    assert result["machine"]["versions"]["jax"] == jax.__version__
    seen = [(row["length"], row["contender"], row["kind"]) for row in result["rows"]]
    names = ["jaxrnn", "flax-nnx-optimized"]
    assert seen == [(T, name, kind) for T in (2, 4) for name in names for kind in bench.KINDS]
    for row in result["rows"]:
        if row["contender"] == "flax-nnx-optimized":
            assert row["status"] == "no such cell"
            continue
        assert row["status"] == "measured" and row["temporary_mib"] >= 0
        assert row["milliseconds"] > 0 and row["compile_seconds"] > 0
        per_step = 1e3 * row["milliseconds"] / row["length"]
        assert row["microseconds_per_step"] == pytest.approx(per_step)


def test_a_batch_that_cannot_be_split_is_measured_on_one_device():
    odd = SIZE._replace(batch=3)
    counts = [(point.size.batch, point.devices) for point in bench.grid(["gru"], [SIZE, odd], 2)]
    assert counts == [(2, 1), (3, 1), (2, 2)]


def vs_peers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vs_peers", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["vs_peers"] = module  # where dataclasses look their annotations up
    spec.loader.exec_module(module)
    return module


def test_json_of_the_grid(monkeypatch, capsys):
    options = "--cells gru --sizes 2,3,2,4 --peers flax-linen,flax-linen-optimized --rounds 1"
    monkeypatch.setattr(sys, "argv", ["vs_peers.py", *options.split(), "--json"])
    assert vs_peers().main() == 0
    out = capsys.readouterr().out
    assert "no such cell" in out and "geometric mean to the fastest JAX peer" in out
    result = json.loads(out.splitlines()[-1])
    assert result.keys() == {"machine", "options", "summary", "floors", "rows"}
    measured, missing = result["rows"]
    assert (measured["cell"], measured["size"], measured["devices"]) == ("gru", [2, 3, 2, 4], 1)
    assert (measured["peer"], missing["peer"]) == ("flax-linen", "flax-linen-optimized")
    assert (measured["status"], missing["status"]) == ("measured", "no such cell")
    for kind in bench.KINDS:
        ours, theirs = measured[kind]["jaxrnn"], measured[kind]["peer"]
        assert ours.keys() == {"milliseconds", "compile_seconds", "temporary_mib"} == theirs.keys()
        ratio = theirs["milliseconds"] / ours["milliseconds"]
        assert measured[kind]["ratio"] == pytest.approx(ratio)
        assert result["floors"][0][kind] > 0
    assert [part["kind"] for part in result["summary"]] == list(bench.KINDS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--sizes 1,2,3", "`sizes` must be four positive integers B,T,D,H for each point"),
        ("--sizes 1,2,3,0", "`sizes` must be four positive integers B,T,D,H for each point"),
        ("--cells lstm,rnn", "`cells` must be among elman, lstm, gru; got 'rnn'"),
        ("--peers pytorch", "`peers` must be among flax-nnx,"),
        ("--rounds 0", "`rounds` must be a positive integer; got 0"),
        ("--devices 0", "`devices` must be a positive integer; got 0"),
        ("--wrt xs", "invalid choice 'xs' for argument '--wrt'"),
        ("--nonsense 1", "Unrecognized options: --nonsense"),
    ],
)
def test_wrong_options_of_the_grid(options, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["vs_peers.py", *options.split()])
    assert vs_peers().main() == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith("error: ") and message in captured.err


TWO_DEVICES = """
import runpy, sys
import jax, numpy as np
sys.argv = [{script!r}, *"--cells elman --sizes 2,3,2,4 --rounds 1 --json".split()]
sys.argv += ["--devices", "2", "--peers", "flax-nnx"]
try:
    runpy.run_path({script!r}, run_name="__main__")
except SystemExit as exit:
    assert exit.code == 0
from jaxrnn import bench
from jaxrnn.bench.contender import inputs
size = bench.Size(4, 3, 2, 4)
model = bench.OURS.build("elman", size, inputs(size))
one, two = (model.program("value_and_grad", wrt="all", devices=n).run() for n in (1, 2))
assert len(two[1][1].devices()) == 2
jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), one, two)
"""


def test_two_devices():
    """A process of its own, since the number of devices is fixed when JAX is first used."""
    code = TWO_DEVICES.format(script=str(SCRIPT))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    points = [(row["size"], row["devices"], row["status"]) for row in result["rows"]]
    assert points == [([2, 3, 2, 4], count, "measured") for count in (1, 2)]
    assert [part["devices"] for part in result["summary"]] == [1, 1, 2, 2]
    assert len(result["floors"]) == 1
