"""The chunked engine equals the scan, which is what correct means: values and every gradient."""

import re
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cases import CASES, CELLS, DENSE, D, H, assert_close, each_direction, numbers, problem
from jaxrnn import Chunked, elman, gru, lstm, unroll
from jaxrnn.nn import RNN, Bidirectional
from jaxrnn.recurrence.product import LARGE

T, B = 6, 3
MASKS = {
    "seq_lengths": np.array([6, 0, 4], np.int32),
    "resets": np.zeros((T, B), bool),
}
MASKS["resets"][[0, 2, 3, 5, 3], [0, 0, 1, 2, 2]] = True

KEEP = ("gates", "carries", "borders")
each_policy = pytest.mark.parametrize("keep", KEEP)
# A stack with a cell that is not dense runs that one on the scan.
each_case = pytest.mark.parametrize("name", [*DENSE, "stack-with-own"])


# What the scan gives is compiled once for all that is held against it; many programs at a time
# would fill the memory maps of a process.
@lru_cache(maxsize=4)
def value_and_gradients(cell, masked, reverse, backend):
    """A function of everything that has a gradient: params, carry, the carry at resets, inputs."""

    def loss(params, carry, reset_carry, xs, weights):
        options = {**MASKS, "reset_carry": reset_carry} if masked else {}
        after, ys = unroll(cell, params, carry, xs, reverse=reverse, backend=backend, **options)
        leaves = sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(after))
        return jnp.sum(ys * weights) + leaves, (after, ys)

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2, 3), has_aux=True))


def arguments(cell, seed=0):
    params, carry, xs = problem(cell, T, B, seed=seed)
    weights = numbers(
        jnp.zeros((T, B, *jax.eval_shape(cell.step, params, carry, xs[0])[1].shape[1:]))
    )
    return params, carry, numbers(carry, seed + 1), xs, weights


@pytest.mark.usefixtures("x64")
@each_policy
@each_direction
@each_case
def test_equals_the_scan_with_lengths_and_resets(name, reverse, keep):
    cell = CELLS[name]
    given = arguments(cell)
    expected = value_and_gradients(cell, True, reverse, "scan")(*given)
    actual = value_and_gradients(cell, True, reverse, Chunked(4, keep))(*given)  # 4 + 2 steps
    assert_close(actual, expected)


@pytest.mark.usefixtures("x64")
@each_direction
@pytest.mark.parametrize("shares", [2, 3])
@each_case
def test_shares_side_by_side_equal_the_scan(name, reverse, shares):
    cell = CELLS[name]
    given = arguments(cell)
    expected = value_and_gradients(cell, True, reverse, "scan")(*given)
    backend = Chunked(4, shares=shares)  # 2 + 1 sequences, or one each; 4 steps and the last 2
    assert_close(value_and_gradients(cell, True, reverse, backend)(*given), expected)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["elman", "elman-relu", "lstm", "gru", "leaky-learned"])
def test_shares_of_a_batch_without_masks(name):
    cell = CELLS[name]
    given = arguments(cell)
    expected = value_and_gradients(cell, False, False, "scan")(*given)
    for length in (None, 1, 4):
        run = value_and_gradients(cell, False, False, Chunked(length, shares=2))
        assert_close(run(*given), expected)


@pytest.mark.usefixtures("x64")
@each_policy
@pytest.mark.parametrize("length", [1, 2, 5, 6])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_any_chunk_length(name, length, keep):
    cell = CELLS[name]
    given = arguments(cell)
    expected = value_and_gradients(cell, False, False, "scan")(*given)
    actual = value_and_gradients(cell, False, False, Chunked(length, keep))(*given)
    assert_close(actual, expected)


@pytest.mark.usefixtures("x64")
@each_policy
@pytest.mark.parametrize("length", [3, 19])
@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_more_steps_than_a_block(name, length, keep):
    # One chunk, or several and a shorter last one.
    cell = CELLS[name]
    params, carry, xs = problem(cell, 19, B)
    masks = {"seq_lengths": np.array([19, 0, 11], np.int32), "resets": np.zeros((19, B), bool)}
    masks["resets"][[0, 4, 9, 18], [0, 0, 2, 0]] = True

    def gradients(backend):
        def loss(params, carry, xs):
            run = partial(unroll, cell, params, carry, xs, backend=backend, **masks)
            return sum(jnp.sum(jnp.sin(run(reverse=reverse)[1])) for reverse in (False, True))

        return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))(params, carry, xs)

    assert_close(gradients(Chunked(length, keep)), gradients("scan"))


@pytest.mark.usefixtures("x64")
@each_policy
@pytest.mark.parametrize("make", [elman, lstm, gru])
def test_a_large_kernel(make, keep):
    cell = make(D, 405)
    params, carry, xs = problem(cell, T, B)
    assert cell.dense.recurrent_kernel(params).nbytes >= 5 * LARGE // 4
    small = jax.tree.map(lambda leaf: 0.05 * leaf, params)  # 405 terms in a sum: far from saturated
    given = small, carry, numbers(carry, 1), xs, numbers(jnp.zeros((T, B, 405)))
    expected = value_and_gradients(cell, True, False, "scan")(*given)
    actual = value_and_gradients(cell, True, False, Chunked(4, keep))(*given)
    assert_close(actual, expected)


@pytest.mark.usefixtures("x64")
def test_a_large_kernel_under_vmap_and_twice_differentiated():
    cell = lstm(D, 203)
    params, carry, xs = problem(cell, T, B)
    seeds = jax.tree.map(lambda leaf: jnp.stack([0.05 * leaf, -0.04 * leaf]), params)

    def slope(backend, params):
        def loss(scale):
            scaled = jax.tree.map(lambda leaf: scale * leaf, params)
            return jnp.sum(unroll(cell, scaled, carry, xs, backend=backend)[1] ** 3)

        return jax.grad(lambda scale: jax.grad(loss)(scale) ** 2)(1.0)

    expected = jax.vmap(partial(slope, "scan"))(seeds)
    for backend in (Chunked(4), Chunked(4, shares=2)):
        assert_close(jax.vmap(partial(slope, backend))(seeds), expected)


def loop_bodies(cell, batch, backend):
    """The bodies of all loops of the compiled gradient over 61 steps, as lists of lines."""
    params, carry, xs = problem(cell, 61, batch)
    loss = lambda params: jnp.sum(unroll(cell, params, carry, xs, backend=backend)[1] ** 2)
    program = jax.jit(jax.grad(loss)).lower(params).compile().as_text()
    assert program is not None
    names = re.findall(r"body=%([\w.-]+)", program)
    bodies = [part for part in program.split("\n\n") if part.split(" ", 1)[0][1:] in names]
    assert bodies and len(bodies) == len(set(names))
    return [body.splitlines()[1:] for body in bodies]


@pytest.mark.parametrize("shares", [1, 2])
@pytest.mark.parametrize("name", DENSE)
def test_no_array_over_time_is_copied_in_a_loop(name, shares):
    # A step that copies one costs the more, the longer the sequence.
    bodies = loop_bodies(CELLS[name], {1: 1, 2: 8}[shares], Chunked(shares=shares))
    bodies = [body for body in bodies if not any(" while(" in line for line in body)]
    assert bodies
    assert not [line for body in bodies for line in body if re.search(r"\[61,.* copy\(", line)]


@pytest.mark.parametrize("length", [None, 7])
@pytest.mark.parametrize("name", ["elman", "elman-relu", "lstm", "gru"])
def test_loops_of_shares_have_no_memory_in_common(name, length):
    # What a body computes and its loop does not carry along goes into memory that XLA shares with
    # whatever else has no use for it at that time, so that two loops would wait for each other.
    for body in loop_bodies(CELLS[name], 4, Chunked(length, shares=2)):
        carried = set(re.findall(r"%([\w.-]+)", next(line for line in body if "ROOT" in line)))
        for line in reversed(body):  # a bitcast is the same memory
            if same := re.match(r"\s*%([\w.-]+) = \S+ bitcast\(%([\w.-]+)\)", line):
                carried |= {same[2]} if same[1] in carried else set()
        made = [re.match(r"\s*%([\w.-]+) = f32\[\d\S* ([\w-]+)\(", line) for line in body]
        free = {"parameter", "get-tuple-element", "constant", "bitcast"}
        assert not [
            each[0] for each in made if each and each[2] not in free and each[1] not in carried
        ]


@each_case
def test_float32_to_rounding(name):
    cell = CELLS[name]
    given = arguments(cell)
    expected = value_and_gradients(cell, True, False, "scan")(*given)
    actual = value_and_gradients(cell, True, False, Chunked(4))(*given)
    assert_close(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("x64")
@each_policy
def test_nan_in_the_padding_reaches_nothing(keep):
    cell = CELLS["lstm"]
    params, carry, reset_carry, xs, weights = arguments(cell)
    padding = jnp.arange(T)[:, None] >= MASKS["seq_lengths"]
    run = value_and_gradients(cell, True, False, Chunked(4, keep))
    clean = run(params, carry, reset_carry, xs, weights)
    for poison in (jnp.nan, jnp.inf):
        poisoned = jnp.where(padding[..., None], poison, xs)
        assert_close(run(params, carry, reset_carry, poisoned, weights), clean)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("shares", [1, 2])
def test_vmap_over_seeds_batches_the_weights(shares):
    cell = CELLS["gru"]
    run = value_and_gradients(cell, True, False, Chunked(4, shares=shares))
    several = [arguments(cell, seed) for seed in range(3)]
    together = jax.vmap(run)(*jax.tree.map(lambda *leaves: jnp.stack(leaves), *several))
    for i, one in enumerate(several):
        assert_close(jax.tree.map(lambda leaf, i=i: leaf[i], together), run(*one))


@pytest.mark.usefixtures("x64")
def test_no_batch_and_no_steps():
    cell = CELLS["lstm"]
    params, carry, xs = problem(cell, 5)
    expected = unroll(cell, params, carry, xs, backend="scan")
    assert_close(unroll(cell, params, carry, xs, backend=Chunked(2)), expected)
    after, ys = unroll(cell, params, carry, xs[:0], backend=Chunked(2))
    assert_close(after, carry)
    assert ys.shape == (0, H)


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_bfloat16_keeps_a_float32_carry_and_float32_gradients(name):
    cell = CASES[name].make(D, H, dtype=jnp.bfloat16)
    given = arguments(cell)
    (_, (after, ys)), gradients = value_and_gradients(cell, True, False, Chunked(4))(*given)
    assert ys.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves((after, gradients))} == {jnp.dtype("float32")}
    expected = value_and_gradients(CELLS[name], True, False, "scan")(*given)[1]
    for a, e in zip(jax.tree.leaves(gradients), jax.tree.leaves(expected), strict=True):
        assert jnp.linalg.norm(a - e) <= 0.03 * jnp.linalg.norm(e)


def test_borders_need_the_least_memory():
    cell = lstm(16, 16)
    params, carry = cell.init(jax.random.key(0)), cell.initial_carry((4,))
    xs = jnp.ones((512, 4, 16))

    def temporary(backend):
        loss = lambda params: jnp.sum(unroll(cell, params, carry, xs, backend=backend)[1][-1])
        memory = jax.jit(jax.grad(loss)).lower(params).compile().memory_analysis()
        assert memory is not None
        return memory.temp_size_in_bytes

    gates, carries, borders = (temporary(Chunked(16, keep)) for keep in KEEP)
    assert borders < carries < gates < temporary("scan")


@pytest.mark.usefixtures("x64")
def test_modules():
    rngs, xs = nnx.Rngs(0), numbers(jnp.zeros((B, T, D)))
    masks = {"seq_lengths": MASKS["seq_lengths"], "resets": MASKS["resets"].T}
    scanned = [RNN(CELLS["lstm"], rngs=rngs, learn_initial_carry=True) for _ in range(2)]
    chunked = [
        RNN(CELLS["lstm"], rngs=rngs, learn_initial_carry=True, backend=Chunked(4))
        for _ in range(2)
    ]
    for one, other in zip(scanned, chunked, strict=True):
        nnx.update(other, nnx.state(one))
    loss = lambda both: jnp.sum(both(xs, **masks)[1] ** 2)
    results = [nnx.value_and_grad(loss)(Bidirectional(*pair)) for pair in (scanned, chunked)]
    assert_close(results[1], results[0])


def test_forward_mode_is_refused_and_said():
    cell = CELLS["lstm"]
    params, carry, xs = problem(cell, T, B)
    run = partial(unroll, cell, params, carry, backend=Chunked(4))
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(run, (xs,), (xs,))


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("fast", '`backend` must be "auto", "scan" or a Chunked; got \'fast\''),
        (Chunked(0), "`backend.length` must be a positive integer; got 0"),
        (Chunked(4, "all"), "`backend.keep` must be one of"),  # type: ignore
        (Chunked(shares=0), "`backend.shares` must be a positive integer; got 0"),
    ],
)
def test_wrong_backends(backend, message):
    with pytest.raises(ValueError, match=message):
        unroll(CELLS["lstm"], *problem(CELLS["lstm"], T, B), backend=backend)
