"""The ways to run a layer that `benchmarks/backends.py` compares, and what it says of them."""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import rnn as cudnn

from jaxrnn import bench, lstm, unroll
from jaxrnn.bench.jax_model import JaxModel

SIZE = bench.Size(batch=4, length=5, inputs=3, hidden=4)


@pytest.fixture(scope="module")
def ways(benchmarks):
    return benchmarks("ways")


def run(benchmarks, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["backends.py", *arguments])
    return benchmarks("backends").main()


@pytest.mark.parametrize("cell", ["elman", "lstm", "gru", "slstm"])
@pytest.mark.parametrize("hoisted", [False, True])
def test_scans_written_by_hand_equal_unroll(ways, cell, hoisted, x64):
    unit = ways.CELLS[cell](SIZE.inputs, SIZE.hidden)
    params = ways.parameters(cell, SIZE, "float64")
    xs = jax.random.normal(jax.random.key(0), (SIZE.length, SIZE.batch, SIZE.inputs))
    expected = ways.by_unroll("scan")(unit, params, xs)
    for steps in (1, 4):
        found = ways.by_scan(steps, hoisted=hoisted)(unit, params, xs)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_cudnn_gets_our_parameters_in_its_own_layout(ways, x64):
    cell = lstm(SIZE.inputs, SIZE.hidden)
    params = jax.tree.map(
        lambda leaf: jax.random.normal(jax.random.key(leaf.size), leaf.shape),
        cell.init(jax.random.key(0)),
    )
    xs = jax.random.normal(jax.random.key(1), (SIZE.length, SIZE.batch, SIZE.inputs))
    shape = SIZE.inputs, SIZE.hidden, 1, False
    weights = cudnn.unpack_lstm_weights(ways.cudnn_weights(params), *shape)
    zeros = jnp.zeros((1, SIZE.batch, SIZE.hidden))
    lengths = jnp.full((SIZE.batch,), SIZE.length, jnp.int32)
    given = xs.swapaxes(0, 1), zeros, zeros, *weights, lengths
    # The reference that JAX tests its binding to cuDNN against.
    ys, h, c = cudnn.lstm_ref(*given, SIZE.inputs, SIZE.hidden, 1, 0.0, False)
    carry, expected = unroll(cell, params, cell.initial_carry((SIZE.batch,)), xs)
    np.testing.assert_allclose(ys.swapaxes(0, 1), expected, rtol=1e-12)
    np.testing.assert_allclose((h[0], c[0]), carry, rtol=1e-12)


def with_options(options):
    layer = lambda params, xs: params * xs
    return JaxModel(layer, 2.0, jnp.ones((3, 2, 4)), 4, compiler_options=options)


def test_xla_knows_the_options_of_a_graph(ways):
    for options in (ways.GRAPH, ways.GRAPH_UNROLLED):
        with_options(options).program("forward").run()


def test_xla_is_told_the_options():
    with pytest.raises(Exception, match="xla_gpu_no_such_option"):
        with_options({"xla_gpu_no_such_option": 1}).program("forward")


def test_every_way_that_can_run_here_is_measured_and_exact(benchmarks, ways, monkeypatch, capsys):
    can = [name for name in ways.WAYS if not ways.why_not(name, "lstm", "float32")]
    assert {"scan", "hoisted-4", "gates"} <= set(can) and "cudnn" not in can
    options = "--sizes", "4,5,3,4", "--rounds", "1", "--ways", ",".join([*can, "cudnn", "flax-nnx"])
    assert run(benchmarks, monkeypatch, *options, "--json") == 0
    shown = capsys.readouterr().out
    assert "left out, only on a GPU: cudnn" in shown
    rows = {row["way"]: row for row in json.loads(shown.splitlines()[-1])["rows"]}
    assert rows["flax-nnx"]["status"] == "measured" and "error" not in rows["flax-nnx"]["forward"]
    for name in can:
        for kind in bench.KINDS:
            figures = rows[name][kind]
            assert 0 < figures["error"] < 1e-6 and figures["same_twice"]
            assert figures["microseconds_per_step"] == pytest.approx(200 * figures["milliseconds"])


def test_an_error_is_seen(benchmarks, ways, monkeypatch, capsys):
    wrong = lambda cell, params, xs: 1.01 * ways.by_unroll("scan")(cell, params, xs)

    def broken(cell, params, xs):
        raise RuntimeError("no such kernel\nat all")

    monkeypatch.setitem(ways.WAYS, "scan", ways.Way(wrong))
    monkeypatch.setitem(ways.WAYS, "gates", ways.Way(broken))
    options = "--sizes", "2,3,2,2", "--rounds", "1", "--ways", "scan,gates", "--dtypes", "bfloat16"
    assert run(benchmarks, monkeypatch, *options, "--json") == 0
    shown = capsys.readouterr().out
    assert "left out, failed: RuntimeError: no such kernel: gates" in shown
    (scan, _) = json.loads(shown.splitlines()[-1])["rows"]
    assert scan["forward"]["error"] == pytest.approx(0.01, abs=5e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sizes", "1,2,3"), "`sizes` must be four positive integers"),
        (("--dtypes", "float64"), "`dtypes` must be among float32, bfloat16, float16; got"),
        (("--ways", "fast"), "`ways` must be among scan, "),
        (("--rounds", "0"), "`rounds` must be a positive integer; got 0"),
    ],
)
def test_wrong_options_are_one_line(options, message, benchmarks, monkeypatch, capsys):
    assert run(benchmarks, monkeypatch, *options) == 2
    out, err = capsys.readouterr()
    assert not out and message in err.splitlines()[-1]
