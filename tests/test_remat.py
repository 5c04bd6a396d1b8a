"""`remat` and `explain`: the same numbers in less memory, and what runs."""

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cases import CELLS, assert_close, each_cell, each_direction, numbers, problem
from jaxrnn import Chunked, elman, explain, gru, lstm, peephole_lstm, stack, unroll
from jaxrnn.nn import RNN
from jaxrnn.recurrence import choose
from jaxrnn.recurrence import remat as nested
from jaxrnn.recurrence.choose import block_lengths

T, B = 7, 3
MASKS = {"seq_lengths": np.array([7, 0, 4], np.int32), "resets": np.zeros((T, B), bool)}
MASKS["resets"][[0, 2, 3, 5, 3], [0, 0, 1, 2, 2]] = True


@lru_cache(maxsize=4)  # what the scan gives is compiled once for all that is held against it
def gradients(cell, **options):
    def loss(params, carry, xs):
        after, ys = unroll(cell, params, carry, xs, **MASKS, **options)
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves((after, ys)))

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    "options",
    [{"remat": 2}, {"remat": 3, "backend": "scan"}],
    ids=str,
)
@each_direction
@each_cell
def test_the_same_numbers(cell, reverse, options):
    given = problem(cell, T, B)
    expected = gradients(cell, reverse=reverse, backend="scan")(*given)
    assert_close(gradients(cell, reverse=reverse, **options)(*given), expected)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [(2, 4), (1, 3, 6), (2, 6, 24)], ids=str)
def test_blocks_in_blocks(lengths, reverse):
    cell = CELLS["own"]
    params, carry, xs = problem(cell, 29, B)

    def loss(run, params, xs):
        after, ys = run(params, carry, xs)
        return jnp.sum(jnp.sin(ys)) + jnp.sum(after["h"])

    plain = partial(unroll, cell, reverse=reverse)
    in_blocks = lambda params, carry, xs: nested.in_blocks(
        partial(plain, params), lengths, carry, xs, reverse
    )
    gradients = lambda run: jax.jit(jax.value_and_grad(partial(loss, run), argnums=(0, 1)))
    assert_close(gradients(in_blocks)(params, xs), gradients(plain)(params, xs))


@pytest.mark.parametrize(
    ("remat", "length", "expected"),
    [
        (None, 100, ()),
        (10, 100, (10,)),
        (10, 10, ()),
        ("sqrt", 100, (10,)),
        ("sqrt", 101, (11,)),
        ("recursive", 64, ()),
        ("recursive", 4096, (64,)),
        ("recursive", 100_000, (64, 4096)),
    ],
)
def test_block_lengths(remat, length, expected):
    assert block_lengths(remat, length) == expected


@pytest.mark.parametrize("name", ["lstm", "own"])
def test_less_memory(name):
    cell = CELLS[name]
    params, carry, xs = problem(cell, 8192, 2)

    def temporary(remat):
        loss = lambda params: jnp.sum(unroll(cell, params, carry, xs, remat=remat)[1][-1])
        memory = jax.jit(jax.grad(loss)).lower(params).compile().memory_analysis()
        assert memory is not None
        return memory.temp_size_in_bytes

    outputs = 8192 * 2 * 4 * 4  # float32 [T, B, H]
    assert temporary(None) > 4 * outputs
    assert temporary("sqrt") < 3 * outputs
    assert temporary("recursive") < 4 * outputs


def test_explain():
    cell = stack(CELLS["own"], gru(4, 5), lstm(5, 6))
    params, carry, xs = problem(cell, 40, B)
    own, low, high = explain(cell, params, carry, xs)
    assert own == ("scan", (), "the cell is not made of dense parts")
    assert low.backend == Chunked(40, "gates", 1) and "dense parts" in low.reason
    assert high.backend == Chunked(40, "gates", 1)
    assert [choice.backend for choice in explain(cell, params, carry, xs, backend="scan")] == [
        "scan"
    ] * 3
    own, low, high = explain(cell, params, carry, xs, remat=10)
    assert own[:2] == ("scan", (10,)) and low[:2] == high[:2] == (Chunked(10, "borders", 1), ())
    shapes = jax.eval_shape(lambda: (params, carry, xs))
    assert explain(cell, *shapes, remat="recursive")[2].blocks == ()
    assert explain(lambda params, carry, x: (carry, x), (), carry, xs)[0].backend == "scan"
    assert explain(cell, params, carry, xs[:0])[1].reason == "there are no steps"


@pytest.mark.parametrize(
    ("make", "batch", "cores", "devices", "backend", "shares"),
    [
        (lstm, 16, 2, 1, "auto", 2),
        (lstm, 16, 2, 1, Chunked(), 2),
        (lstm, 16, 2, 1, Chunked(shares=3), 3),
        (elman, 64, 2, 1, "auto", 2),
        (lstm, 16, 1, 1, "auto", 1),  # one core
        (lstm, 16, 2, 2, "auto", 1),  # several devices, as many as there are cores
        (lstm, 2, 2, 1, "auto", 1),  # few sequences
        (elman, 16, 2, 1, "auto", 1),  # little to do in a step
        (peephole_lstm, 16, 2, 1, "auto", 1),  # four gates, and no derivative by hand
        (lstm, 16, 2, 1, Chunked(keep="borders"), 1),
    ],
)
def test_shares(monkeypatch, make, batch, cores, devices, backend, shares):
    monkeypatch.setattr(choose, "cores", lambda: cores)
    monkeypatch.setattr(jax, "device_count", lambda: devices)
    cell = make(128, 128)
    given = jax.eval_shape(cell.init, jax.random.key(0)), cell.initial_carry((batch,))
    xs = jax.ShapeDtypeStruct((9, batch, 128), jnp.float32)
    (choice,) = explain(cell, *given, xs, backend=backend)
    assert isinstance(choice.backend, Chunked) and choice.backend.shares == shares


def test_another_platform_runs_the_scan(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    (choice,) = explain(CELLS["lstm"], *problem(CELLS["lstm"], T, B))
    assert choice.backend == "scan" and "gpu" in choice.reason


@pytest.mark.usefixtures("x64")
def test_module():
    xs = numbers(jnp.zeros((B, T, 3)))
    plain, again = (RNN(CELLS["lstm"], rngs=nnx.Rngs(0), remat=remat) for remat in (None, 2))
    loss = lambda rnn: jnp.sum(rnn(xs)[1] ** 2)
    assert_close(nnx.grad(loss)(again), nnx.grad(loss)(plain))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"remat": 0}, "`remat` must be None, a positive number of steps"),
        ({"remat": True}, "`remat` must be None, a positive number of steps"),
        ({"remat": "all"}, "`remat` must be None, a positive number of steps"),
        ({"remat": 2, "backend": Chunked()}, "`remat` must be None where `backend` is a Chunked"),
    ],
)
def test_wrong_remat(options, message):
    arguments = problem(CELLS["lstm"], T, B)
    with pytest.raises(ValueError, match=message):
        unroll(CELLS["lstm"], *arguments, **options)
    with pytest.raises(ValueError, match=message):
        explain(CELLS["lstm"], *arguments, **options)
