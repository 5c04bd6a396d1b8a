"""The candidate for a GPU: a cell taken apart gate by gate, and its kernels in interpret mode."""

import importlib
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxlib.version import __version_info__ as jaxlib_version

import jaxrnn
from cases import CELLS, D, H, assert_close, numbers, problem
from jaxrnn import unroll

TAKEN_APART = ["elman", "elman-relu", "lstm", "gru", "leaky-learned", "minimal-gated"]
TAKEN_APART += ["peephole-lstm", "coupled-lstm", "antisymmetric", "slstm"]
assert_close32 = partial(assert_close, rtol=1e-5, atol=1e-6)
needs_mosaic = pytest.mark.skipif(
    jaxlib_version < (0, 11), reason="Mosaic GPU has no interpret mode before jax 0.11"
)


@pytest.fixture(scope="module")
def per_gate(benchmarks):
    return benchmarks("fused.per_gate").per_gate


@pytest.fixture(scope="module")
def fused(benchmarks):
    return benchmarks("fused.layer").fused


@pytest.mark.parametrize("name", TAKEN_APART)
def test_a_cell_gate_by_gate_is_the_cell(name, per_gate):
    params, carry, xs = problem(CELLS[name], 1, 5)
    parts: Any = CELLS[name].dense
    z = parts.project(params, xs[0])
    r = parts.hidden(carry) @ parts.recurrent_kernel(params)
    apart = per_gate(parts, params, carry)
    gates = lambda array: [gate.T for gate in jnp.split(array, array.shape[-1] // H, axis=-1)]
    vectors = [jax.tree.leaves(params)[number] for number in apart.inside]
    inside = [gates(jnp.broadcast_to(vector, (5, vector.size))) for vector in vectors]
    state = [leaf.T for leaf in jax.tree.leaves(carry)]
    after, y = apart.point(inside, state, gates(z), gates(r))
    expected, y_expected = parts.pointwise(params, carry, z, r)
    assert_close32([leaf.T for leaf in after], jax.tree.leaves(expected))
    assert_close32(y.T, y_expected)
    assert_close32(apart.hidden(state).T, parts.hidden(carry))
    # A leaf that is said not to be read is not: NaN there would reach the result.
    hole = [leaf if read else leaf * jnp.nan for leaf, read in zip(state, apart.reads, strict=True)]
    assert_close32(apart.point(inside, hole, gates(z), gates(r))[1].T, y_expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("layer-norm-lstm", "have no parameters but vectors|have an elementwise `pointwise`"),
        ("clockwork", "have no constant arrays in `pointwise`"),
        ("indrnn", "have gates of the size H, each with a recurrent product; got 0"),
    ],
)
def test_a_cell_that_cannot_be_taken_apart_says_why(name, message, per_gate):
    params, carry, _ = problem(CELLS[name], 1, 2)
    with pytest.raises(ValueError, match=f"`cell` must .*({message})"):
        per_gate(CELLS[name].dense, params, carry)


def layer(name, hidden, length, batch, dtype=jnp.bfloat16, **options):
    cell = getattr(jaxrnn, name)(D, hidden, **options)
    params, carry, xs = problem(cell, length, batch)
    # Smaller weights than the laws', because so many units are summed.
    params = jax.tree.map(lambda leaf: leaf / 4, params)
    return cell, *jax.tree.map(lambda leaf: leaf.astype(dtype), (params, carry, xs))


def with_gradients(run, cell, params, carry, xs):
    def loss(params, carry, xs):
        last, ys = run(cell, params, carry, xs)
        weigh = lambda leaf: jnp.sum(jnp.sin(leaf.astype(jnp.float32)) * numbers(leaf * 1.0, 7))
        return sum(map(weigh, jax.tree.leaves((last, ys)))), (last, ys)

    return jax.jit(jax.value_and_grad(loss, (0, 1, 2), has_aux=True))(params, carry, xs)


@needs_mosaic
@pytest.mark.parametrize(
    ("name", "hidden", "length", "batch", "dtype", "limit", "options"),
    [
        ("elman", 64, 1, 16, "bfloat16", 2e-2, {}),
        # Two warpgroups; two blocks, one of them with padding.
        ("lstm", 128, 6, 19, "bfloat16", 2e-2, {}),
        ("gru", 64, 3, 1, "bfloat16", 2e-2, {}),  # not additive, a parameter in `pointwise`
        ("gru", 128, 3, 16, "float16", 3e-3, {}),
        ("peephole_lstm", 64, 7, 16, "bfloat16", 2e-2, {}),
        # A carry of four; blocks of each head. Its maxima have kinks, where rounding tells.
        ("slstm", 192, 3, 17, "float16", 2e-2, {"heads": 3}),
    ],
)
def test_kernels_equal_the_scan_in_float32(
    name, hidden, length, batch, dtype, limit, options, fused
):
    mosaic: Any = importlib.import_module("jax.experimental.pallas.mosaic_gpu")
    given = layer(name, hidden, length, batch, dtype, **options)
    interpreted = partial(fused, interpret=mosaic.InterpretGPUParams(), **options)
    (_, outputs), gradients = with_gradients(interpreted, *given)
    cell, *arrays = given
    wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), arrays)
    (_, expected), true_gradients = with_gradients(partial(unroll, backend="scan"), cell, *wide)
    pairs = zip(
        jax.tree.leaves((outputs, gradients)),
        jax.tree.leaves((expected, true_gradients)),
        strict=True,
    )
    for found, true in pairs:
        assert found.dtype == jnp.dtype(dtype) and found.shape == true.shape
        norm = np.linalg.norm(np.asarray(true, float))
        assert np.linalg.norm(np.asarray(found, float) - np.asarray(true, float)) < limit * norm


@needs_mosaic
@pytest.mark.parametrize(
    ("name", "hidden"), [("elman", 256), ("lstm", 64), ("lstm", 128), ("gru", 128), ("slstm", 64)]
)
def test_kernels_are_lowered_for_a_gpu(name, hidden, fused):
    cell, params, carry, xs = layer(name, hidden, 4, 16)
    loss = lambda *given: jnp.sum(fused(cell, *given)[1].astype(jnp.float32))
    traced = jax.jit(jax.grad(loss, (0, 1, 2))).trace(params, carry, xs)
    program = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert program.count("custom_call @mosaic_gpu") == 2 and "while" not in program


@pytest.mark.parametrize(
    ("name", "hidden", "dtype", "message"),
    [
        ("lstm", 96, "bfloat16", "`hidden_size` must be a multiple of 64; got 96"),
        ("lstm", 64, "float32", "`xs` must be of bfloat16 or float16; got float32"),
        ("lstm", 192, "bfloat16", r"`hidden_size` must leave \d+ bytes of shared memory more"),
        ("gru_reset_before", 64, "bfloat16", "`cell` must be dense"),
    ],
)
def test_what_does_not_fit_is_refused(name, hidden, dtype, message, fused):
    cell, *given = layer(name, hidden, 4, 16, dtype)
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(partial(fused, cell), *given)
