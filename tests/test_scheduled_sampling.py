"""Scheduled sampling against loops in Python, and that it does what it is for."""

import math
import subprocess
import sys
import textwrap

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxrnn import elman
from jaxrnn.data.streams import Segment
from jaxrnn.generate import sample
from jaxrnn.models.language_model import LanguageModel, functions
from jaxrnn.recurrence.masks import select
from jaxrnn.train import (
    ensemble_update,
    evaluator,
    exponential_decay,
    init_ensemble,
    inverse_sigmoid_decay,
    linear_decay,
    scheduled_loss,
    scheduled_sampling,
    tbptt_scan,
)

T, B, V, H = 7, 3, 5, 4
CELL = elman(3, H)


def make_model(key=0, cell=CELL, vocabulary_size=V):
    return functions(LanguageModel(cell, vocabulary_size=vocabulary_size, rngs=nnx.Rngs(key)))


MODEL = make_model()


def make_inputs(*shape, seed=0):
    return jnp.array(np.random.default_rng(seed).integers(0, V, shape))


def make_segment(seed=0):
    rng = np.random.default_rng(seed)
    tokens, resets = rng.integers(0, V, (2, T, B)), rng.random((T, B)) < 0.2
    return Segment(tokens[0], tokens[1], rng.random((T, B)) < 0.7, resets)


def in_a_loop(step, params, carry, inputs, *, truth, key, resets=None, reset_carry=None):
    """The definition, one step after the other; also returns the symbols that were read."""
    step = jax.jit(step)
    coin_key, draw_key = jax.random.split(key)
    coins = np.asarray(jax.random.uniform(coin_key, inputs.shape)) < truth
    keys = jax.random.split(draw_key, len(inputs))
    read, outputs = [], []
    for t, x in enumerate(inputs):
        use_true = coins[t] if t else np.ones_like(coins[t])
        if resets is not None:
            use_true = use_true | np.asarray(resets[t])
            back = lambda new, old, t=t: select(jnp.asarray(resets[t]), new, old)
            carry = jax.tree.map(back, reset_carry, carry)
        noise = jax.random.gumbel(keys[t - 1], (*x.shape, V)) if t else 0
        drawn = np.argmax(outputs[-1] + noise, axis=-1) if t else x
        read.append(np.where(use_true, x, drawn))
        carry, logits = step(params, carry, jnp.asarray(read[-1]))
        outputs.append(logits)
    return carry, jnp.stack(outputs), np.stack(read)


UPDATES = np.array([0, 1, 2, 3, 10, 57, 999, 123456])


@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        (linear_decay(1.2, 0.01, 0.3), lambda i: max(0.3, 1.2 - 0.01 * i)),
        (linear_decay(0.5, 0.0), lambda i: 0.5),
        (exponential_decay(0.99), lambda i: 0.99**i),
        (inverse_sigmoid_decay(1.0), lambda i: 1 / (1 + math.exp(min(i, 500)))),
        (inverse_sigmoid_decay(300.0), lambda i: 300 / (300 + math.exp(min(i / 300, 500)))),
    ],
)
def test_decays(schedule, formula, x64):
    decayed = jax.jit(jax.vmap(schedule))(UPDATES)
    expected = [formula(int(i)) for i in UPDATES]
    np.testing.assert_allclose(decayed, expected, rtol=1e-12, atol=1e-200)


def test_an_update_without_end_overflows_nothing():
    last = jnp.int32(2**31 - 1)
    assert float(inverse_sigmoid_decay(1.0)(last)) == 0
    assert float(exponential_decay(0.5)(last)) == 0
    assert float(linear_decay(1.0, 1e-3, 0.25)(last)) == 0.25


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: linear_decay(-1, 0.1), "`k` must be finite and not negative; got -1"),
        (lambda: linear_decay(1, -0.1), "`c` must be finite and not negative; got -0.1"),
        (lambda: linear_decay(1, 0.1, 1.0), "`least` must be at least 0 and below 1; got 1.0"),
        (lambda: exponential_decay(1.0), "`k` must lie between 0 and 1; got 1.0"),
        (lambda: exponential_decay(0.0), "`k` must lie between 0 and 1; got 0.0"),
        (lambda: inverse_sigmoid_decay(0.5), "`k` must be finite and at least 1; got 0.5"),
    ],
)
def test_wrong_decays(wrong, message):
    with pytest.raises(ValueError) as error:
        wrong()
    assert str(error.value) == message


@pytest.mark.parametrize("shape", [(T, B), (T,), (1, B), (T, 2, 1)])
def test_always_true_is_teacher_forcing_bit_for_bit(shape, key):
    inputs, carry = make_inputs(*shape), CELL.initial_carry(shape[1:])
    got = scheduled_sampling(MODEL.step, MODEL.params, carry, inputs, truth=1.0, key=key())
    scan = jax.jit(lambda c, xs: jax.lax.scan(lambda c, x: MODEL.step(MODEL.params, c, x), c, xs))
    chex.assert_trees_all_equal(got, scan(carry, inputs))


def test_never_true_is_free_running(x64, key):
    """The symbols that `generate.sample` writes after the first one, with the same key."""
    inputs, carry, k = make_inputs(T, B), MODEL.initial_carry(B), key()
    params = jax.tree.map(lambda leaf: 3 * leaf.astype(float), MODEL.params)

    def telling(params, carry, symbols):
        inner, logits = MODEL.step(params, carry[0], symbols)
        return (inner, 10 * carry[1] + symbols), logits

    told = (jax.tree.map(lambda leaf: leaf.astype(float), carry), jnp.zeros(B, int))
    after, _ = scheduled_sampling(telling, params, told, inputs, truth=0.0, key=k)
    draw_key = jax.random.split(k)[1]
    _, written = sample(MODEL.step, params, told[0], inputs[:1], length=T, key=draw_key)
    digits = np.concatenate([inputs[:1], written[:-1]])
    assert after[1].tolist() == [int("".join(map(str, column))) for column in digits.T]
    assert (digits != inputs).any()


@pytest.mark.parametrize("truth", [0.0, 0.4])
@pytest.mark.parametrize("with_resets", [False, True])
def test_a_loop_in_python(truth, with_resets, x64, key):
    params = jax.tree.map(lambda leaf: 3 * leaf.astype(float), MODEL.params)
    carry = jax.random.normal(key(), (B, H), float)
    options = {}
    if with_resets:
        resets = jnp.array(np.random.default_rng(1).random((T, B)) < 0.3)
        options = {"resets": resets, "reset_carry": jax.random.normal(key(), (B, H), float)}
        carry = carry.at[1].set(jnp.nan)  # which the reset takes away
        options["resets"] = resets.at[0, 1].set(True)
    options |= {"truth": truth, "key": key()}
    inputs = make_inputs(T, B)

    def total(params):
        after, logits = scheduled_sampling(MODEL.step, params, carry, inputs, **options)
        return jnp.sum(jnp.sin(logits)) + jnp.sum(after), (after, logits)

    (_, got), gradient = jax.value_and_grad(total, has_aux=True)(params)
    after, logits, read = in_a_loop(MODEL.step, params, carry, inputs, **options)
    chex.assert_trees_all_close(got, (after, logits), rtol=1e-12, atol=1e-14)
    assert (read != inputs).any()

    # No gradient through what was drawn: that of teacher forcing with the symbols that were read.
    @jax.jit
    @jax.grad
    def forced_gradient(params):
        now = carry
        outputs = []
        for t in range(T):
            if with_resets:
                now = select(options["resets"][t], options["reset_carry"], now)
            now, y = MODEL.step(params, now, jnp.asarray(read[t]))
            outputs.append(y)
        return jnp.sum(jnp.sin(jnp.stack(outputs))) + jnp.sum(now)

    chex.assert_trees_all_close(gradient, forced_gradient(params), rtol=1e-10, atol=1e-12)
    assert all(leaf.any() for leaf in jax.tree.leaves(gradient))


def test_every_symbol_has_a_coin_of_its_own(key):
    """The model always draws 1 and the text is 0, so what is read tells the coins."""
    steps, rows = 40, 500

    def step(params, carry, symbols):
        return carry, jnp.stack([symbols * 0.0, symbols * 0.0 + 1e4], axis=-1) + symbols[:, None]

    _, logits = scheduled_sampling(
        step, None, (), jnp.zeros((steps, rows), int), truth=0.3, key=key()
    )
    drawn = np.asarray(logits[..., 0])  # 1 where the drawn symbol was read
    assert not drawn[0].any()
    # 19,500 coins: the standard error is 0.0033, of a row 0.073, of a step 0.02.
    np.testing.assert_allclose(drawn[1:].mean(), 0.7, atol=0.014)
    np.testing.assert_allclose(drawn[1:].mean(axis=0).std(), 0.073, atol=0.01)
    np.testing.assert_allclose(drawn[1:].mean(axis=1).std(), 0.0205, atol=0.01)
    neighbours = np.corrcoef(drawn[1:-1].ravel(), drawn[2:].ravel())[0, 1]
    assert abs(neighbours) < 0.03


def test_no_steps(key):
    carry = MODEL.initial_carry(B)
    empty = jnp.zeros((0, B), int)
    after, logits = scheduled_sampling(MODEL.step, MODEL.params, carry, empty, truth=0.5, key=key())
    chex.assert_trees_all_equal(after, carry)
    assert logits.shape == (0, B, V)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": jnp.zeros((T, B))}, "`inputs` must hold integers, [T, *B]; got float32[7, 3]"),
        ({"truth": 1.5}, "`truth` must be a probability; got 1.5"),
        ({"truth": jnp.ones(B)}, "`truth` must be a scalar; got (3,)"),
        ({"resets": jnp.zeros(T, bool)}, "`resets` must have the shape (7, 3); got (7,)"),
        (
            {"resets": jnp.zeros((T, B), bool)},
            "`reset_carry` must be given with resets; got None",
        ),
    ],
)
def test_wrong_arguments(change, message, key):
    arguments = {"inputs": make_inputs(T, B), "truth": 0.5, "key": key(), **change}
    inputs = arguments.pop("inputs")
    with pytest.raises(ValueError) as error:
        scheduled_sampling(MODEL.step, MODEL.params, MODEL.initial_carry(B), inputs, **arguments)
    assert str(error.value) == message


def test_the_loss_without_sampling_is_that_of_the_model(x64, key):
    segment, carry = make_segment(), MODEL.initial_carry(B)
    loss_fn = scheduled_loss(MODEL.step, MODEL.initial_carry)
    expected = MODEL.loss(MODEL.params, carry, segment, None)
    for options in ((None,), (None, 0.0), (key(), 1.0), (key(),)):
        got = loss_fn(MODEL.params, carry, segment, *options)
        chex.assert_trees_all_close(got, expected, rtol=1e-6)
    sampled = loss_fn(MODEL.params, carry, segment, key(), 0.0)
    assert abs(sampled[0] - expected[0]) > 1e-3 and sampled[1] == expected[1]
    segments = jax.tree.map(lambda leaf: leaf[None], segment)
    np.testing.assert_allclose(
        evaluator(loss_fn)(MODEL.params, carry, segments), expected[0] / expected[1], rtol=1e-6
    )


# One device and two, in a process of its own because JAX fixes their number when it starts.
DEVICES = """
    import jax
    jax.config.update("jax_num_cpu_devices", 2)
    import chex, numpy as np, optax
    from jax.sharding import Mesh
    from jaxrnn.train import init_state, linear_decay, scheduled_loss, tbptt_scan
    from test_scheduled_sampling import MODEL, make_segment

    loss_fn = scheduled_loss(MODEL.step, MODEL.initial_carry)
    segments = jax.tree.map(lambda *x: np.stack(x)[..., :2], *map(make_segment, range(4)))
    mesh = Mesh(np.array(jax.devices()), ("batch",))
    optimizer = optax.adam(1e-2)
    for schedule in (linear_decay(1.0, 0.0), linear_decay(1.0, 0.5)):
        results = []
        for over in (None, mesh):
            state = init_state(MODEL.params, optimizer, MODEL.initial_carry(2), jax.random.key(0))
            update = tbptt_scan(loss_fn, optimizer, mesh=over, schedule=schedule)
            results.append(update(state, segments)[1].loss)
        print(np.allclose(*results, rtol=1e-5, atol=0))
"""


def test_two_devices(pytestconfig):
    """The same numbers while all is true; each device draws symbols of its own after that."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(DEVICES)]
    tests = pytestconfig.rootpath / "tests"
    result = subprocess.run(command, capture_output=True, text=True, cwd=tests, check=False)
    assert result.stdout == "True\nFalse\n", result.stderr


def test_it_helps_a_small_network_to_run_freely():
    """Sixteen sequences, too many for eight units to know by heart.

    Teacher forcing leans on the symbol before, which in free running may be a wrong one. A network
    that has met its own mistakes leans on what it remembers: which sequence it is, and where in it.
    """
    sequences, symbols, steps, members, updates = 16, 6, 12, 4, 300
    rng = np.random.default_rng(0)
    names = symbols + np.arange(sequences)  # the first symbol of each says which one it is
    text = np.concatenate([names[None], rng.integers(0, symbols, (steps, sequences))])
    resets = np.zeros((steps, sequences), bool)
    resets[0] = True
    segment = Segment(text[:-1], text[1:], np.ones_like(resets), resets)
    segments = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (updates, *leaf.shape)), segment)
    make = lambda key: make_model(key, elman(8, 8), symbols + sequences)
    model = make(0)
    loss_fn = scheduled_loss(model.step, model.initial_carry)
    # The probabilities come with the data, so that one program serves all three ways.
    given = lambda params, carry, data, key: loss_fn(params, carry, data[0], key, data[1])
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.02))
    update, start = ensemble_update(tbptt_scan(given, optimizer)), model.initial_carry(sequences)

    @jax.jit
    @jax.vmap
    def free_running(params, key):
        _, written = sample(model.step, params, start, text[:1], length=steps, key=key)
        return jnp.mean(written == text[1:])

    def accuracy(schedule):
        init, key = lambda key: make(key).params, jax.random.key(1)
        state = init_ensemble(init, optimizer, start, key, members=members)
        state, metrics = update(state, (segments, jnp.vectorize(schedule)(jnp.arange(updates))))
        keys = jax.random.split(jax.random.key(2), members)
        return float(np.mean(free_running(state.params, keys))), float(metrics.loss[-1].mean())

    teacher, teacher_loss = accuracy(lambda i: 1.0 + 0 * i)
    scheduled, scheduled_loss_ = accuracy(linear_decay(1.0, 1 / updates))
    always, _ = accuracy(lambda i: 0.0 * i)
    assert teacher_loss < scheduled_loss_  # each is better in what it was trained for
    assert scheduled > teacher + 0.03 and scheduled > always, (teacher, scheduled, always)
