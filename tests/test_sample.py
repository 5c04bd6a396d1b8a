"""Sampling and greedy writing from step functions whose distribution is known."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrnn import lstm, stack
from jaxrnn.generate import greedy, sample
from jaxrnn.generate.draw import keep_top_k, keep_top_p
from jaxrnn.models import LanguageModel
from jaxrnn.models.language_model import functions

P = np.array([0.5, 0.3, 0.15, 0.05])
LOGITS = jnp.log(jnp.array(P))
PAIR = jnp.array([[1, 0]])
# The 99.9 % points of the chi-square distribution, by degrees of freedom.
CRITICAL = {1: 10.828, 2: 13.816, 3: 16.266, 63: 103.442}


def independent(params, carry, symbols):
    """Every symbol has the same distribution whatever came before; the carry counts."""
    return carry + 1, jnp.broadcast_to(params, (*symbols.shape, params.shape[-1]))


def successor(params, carry, symbols):
    """After symbol s comes s + 1 mod 4; the carry remembers what was read, base 10."""
    return carry * 10 + symbols, 100.0 * jax.nn.one_hot((symbols + 1) % 4, 4)


def row_of(tree, row):
    return jax.tree.map(lambda leaf: leaf[row], tree)


def language_model(cell, size=5):
    model = functions(LanguageModel(cell, vocabulary_size=size, rngs=nnx.Rngs(0)))
    # As initialised, it finds all symbols about equally likely.
    return model._replace(params=jax.tree.map(lambda leaf: 3 * leaf, model.params))


def draws(logits=LOGITS, **options):
    """How often each symbol is drawn, of 16,000."""
    _, written = sample(
        independent,
        logits,
        jnp.zeros(8000, int),
        jnp.zeros((1, 8000), int),
        length=2,
        key=jax.random.key(0),
        **options,
    )
    return np.bincount(written.ravel(), minlength=logits.shape[-1])


def chi_square(counts, p):
    """Pearson's statistic over the symbols that can occur."""
    expected = counts.sum() * p[p > 0]
    return np.sum((counts[p > 0] - expected) ** 2 / expected)


def assert_drawn_from(counts, p):
    p = np.asarray(p) / np.sum(p)
    assert not counts[p == 0].any()
    assert chi_square(counts, p) < CRITICAL[int(np.count_nonzero(p)) - 1]


def test_frequencies_are_the_softmax():
    assert_drawn_from(draws(), P)


def test_the_statistic_tells_distributions_apart():
    assert chi_square(draws(), P**1.1 / np.sum(P**1.1)) > CRITICAL[3]


def test_temperature():
    assert_drawn_from(draws(temperature=0.5), P**2)
    assert_drawn_from(draws(temperature=2.0), P**0.5)
    assert draws(temperature=0.0).tolist() == [16000, 0, 0, 0]


def test_top_k():
    assert_drawn_from(draws(top_k=3), [0.5, 0.3, 0.15, 0])
    assert_drawn_from(draws(top_k=2), [0.5, 0.3, 0, 0])
    assert draws(top_k=1).tolist() == [16000, 0, 0, 0]
    assert draws(top_k=9).tolist() == draws().tolist()


def test_top_p():
    assert_drawn_from(draws(top_p=0.9), [0.5, 0.3, 0.15, 0])
    assert_drawn_from(draws(top_p=0.75), [0.5, 0.3, 0, 0])
    assert draws(top_p=0.45).tolist() == [16000, 0, 0, 0]
    assert draws(top_p=1.0).tolist() == draws(top_p=None).tolist()


def test_top_p_counts_after_the_temperature():
    # Of P^2 the first two hold 0.93, of P only 0.8.
    assert_drawn_from(draws(top_p=0.9, temperature=0.5), [0.25, 0.09, 0, 0])


def test_top_p_counts_what_top_k_has_left():
    # The first two hold 0.8 of all and 0.84 of the first three.
    assert_drawn_from(draws(top_p=0.82, top_k=3), [0.5, 0.3, 0, 0])
    assert_drawn_from(draws(top_p=0.82), [0.5, 0.3, 0.15, 0])


def test_bfloat16_logits_are_drawn_in_float32():
    # In bfloat16 the noise itself has ties, and the statistic is 424.
    assert_drawn_from(draws(jnp.zeros(64, jnp.bfloat16)), np.ones(64))


def test_top_k_keeps_exactly_k_of_equals():
    logits = jnp.array([[1.0, 3.0, 3.0, 3.0], [-0.0, 0.0, -1.0, 0.0]])
    kept = jnp.isfinite(keep_top_k(logits, 2)).astype(int)
    assert kept.tolist() == [[0, 1, 1, 0], [1, 1, 0, 0]]
    assert draws(jnp.zeros(4), top_k=2)[2:].tolist() == [0, 0]


@pytest.mark.parametrize("p", [0.01, 0.3, 0.7, 0.99])
def test_the_nucleus_is_the_smallest_set(p, x64):
    logits = np.random.default_rng(0).normal(size=(50, 20)) * 2
    kept = np.isfinite(keep_top_p(jnp.asarray(logits), p))
    mass = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    for row, stays in zip(mass, kept, strict=True):
        assert stays.any() and row[stays].sum() >= p
        assert row[stays].sum() - row[stays].min() < p
        assert row[~stays].max(initial=0) <= row[stays].min()


def test_the_nucleus_of_equals_takes_the_first():
    kept = jnp.isfinite(keep_top_p(jnp.zeros(8), 0.5))
    assert kept.tolist() == [True] * 4 + [False] * 4


def test_all_of_the_probability_is_every_symbol():
    # In float32 the sum over these reaches 1 long before the last of them.
    logits = jnp.concatenate([jnp.zeros(3), jnp.full(5000, -30.0)])
    assert jnp.isfinite(keep_top_p(logits, 1.0)).all()
    # And the most likely one stays even where p is no number above 0 in float32.
    assert jnp.isfinite(keep_top_p(logits, 1e-60)).sum() == 1


def test_each_row_may_have_its_own_temperature_and_top_p():
    carry, prompt, key = jnp.zeros((3, 500), int), jnp.zeros((1, 3, 500), int), jax.random.key(0)
    rows = jnp.broadcast_to(jnp.array([[0.0], [1.0], [1.0]]), (3, 500))
    nucleus = jnp.broadcast_to(jnp.array([[1.0], [0.4], [1.0]]), (3, 500))
    options = {"length": 1, "key": key, "temperature": rows, "top_p": nucleus}
    _, written = sample(independent, LOGITS, carry, prompt, **options)
    assert [len(np.unique(row)) for row in written[0]] == [1, 1, 4]


def test_reads_the_prompt_and_then_itself():
    carry, written = sample(
        successor,
        None,
        jnp.zeros(2, int),
        jnp.array([[1, 0], [3, 2]]),
        length=3,
        key=jax.random.key(0),
    )
    assert written.T.tolist() == [[0, 1, 2], [3, 0, 1]]
    assert carry.tolist() == [1301, 230]  # prompt and all that was written but the last


def test_one_symbol_without_batch():
    _, written = sample(
        successor, None, jnp.zeros((), int), jnp.array([2]), length=2, key=jax.random.key(0)
    )
    assert written.tolist() == [3, 0]


def test_the_key_decides():
    def draw(seed):
        carry, prompt = jnp.zeros(50, int), jnp.zeros((1, 50), int)
        key = jax.random.key(seed)
        return sample(independent, LOGITS, carry, prompt, length=4, key=key)[1].tolist()

    assert draw(1) == draw(1) != draw(2)


@pytest.mark.parametrize("length", [1, 7])
def test_behind_its_end_a_row_writes_only_that_and_its_carry_stays(length):
    carry, prompt = jnp.zeros(60, int), jnp.full((2, 60), 1)
    options = {"length": length, "key": jax.random.key(3)}
    _, free = sample(independent, LOGITS, carry, prompt, **options)
    carry, written = sample(independent, LOGITS, carry, prompt, end=1, **options)
    first = [row.index(1) if 1 in row else length for row in free.T.tolist()]
    assert length == 1 or min(first) == 0 < max(first) == length
    for row, open_row, at in zip(written.T.tolist(), free.T.tolist(), first, strict=True):
        assert row == open_row[:at] + [1] * (length - at)
    # Read: the prompt, and all that was written but the last or the end.
    assert carry.tolist() == [2 + min(at, length - 1) for at in first]


def test_no_step_is_made_when_every_row_has_ended():
    steps = []

    def counted(params, carry, symbols):
        jax.debug.callback(lambda: steps.append(1))
        return successor(params, carry, symbols)

    carry, written = greedy(counted, None, jnp.zeros(2, int), PAIR, length=1000, end=3)
    jax.effects_barrier()
    assert len(steps) == 3 and written.shape == (1000, 2)
    assert written[:4].T.tolist() == [[2, 3, 3, 3], [1, 2, 3, 3]]
    assert (written[4:] == 3).all()
    assert carry.tolist() == [12, 12]


@pytest.mark.parametrize("end", [None, 2])
def test_greedy_is_temperature_zero_is_a_loop(end):
    cell = stack(lstm(3, 4), lstm(4, 6))
    model = language_model(cell)
    prompt = np.array([[0, 1, 2, 3, 4, 4], [1, 3, 3, 0, 2, 1]])
    start = cell.initial_carry((6,))
    run = model.params, start, prompt
    carry, written = greedy(model.step, *run, length=8, end=end)
    other = sample(model.step, *run, length=8, end=end, key=jax.random.key(0), temperature=0.0)
    chex.assert_trees_all_equal((carry, written), other)

    step = jax.jit(model.step)
    for row in range(6):
        state, _ = step(model.params, row_of(start, row), prompt[0, row])
        symbol, expected = prompt[1, row], []
        for _ in range(8):
            if expected and symbol == end:
                expected.append(end)
                continue
            state, logits = step(model.params, state, symbol)
            symbol = int(logits.argmax())
            expected.append(symbol)
        assert written[:, row].tolist() == expected
        chex.assert_trees_all_close(row_of(carry, row), state, atol=1e-5)


@pytest.mark.parametrize("end", [None, 3])
def test_under_jit_and_vmap(end):
    carry, prompt = jnp.zeros((2, 5), int), jnp.zeros((2, 1, 5), int)
    keys = jax.random.split(jax.random.key(0), 2)

    def write(carry, prompt, key, temperature, top_p):
        options = {"temperature": temperature, "top_p": top_p, "end": end}
        return sample(independent, LOGITS, carry, prompt, length=6, key=key, **options)

    mapped = jax.jit(jax.vmap(write, in_axes=(0, 0, 0, None, None)))
    together = mapped(carry, prompt, keys, 0.9, 0.97)
    for row in range(2):
        alone = write(carry[row], prompt[row], keys[row], 0.9, 0.97)
        chex.assert_trees_all_equal(row_of(together, row), alone)


@pytest.mark.parametrize("end", [None, 2])
def test_compiled_once_for_any_values(end):
    chex.clear_trace_counter()
    traced = chex.assert_max_traces(independent, n=2)  # once to read the prompt, once to write
    for seed in range(3):
        sample(
            traced,
            LOGITS * (seed + 1),
            jnp.zeros(2, int),
            jnp.full((5, 2), seed),
            length=6,
            key=jax.random.key(seed),
            temperature=0.5 + seed,
            top_p=0.5 + 0.1 * seed,
            end=end,
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "`length` must be a positive integer; got 0"),
        ({"top_k": 0}, "`top_k` must be a positive integer; got 0"),
        ({"top_p": 0.0}, r"`top_p` must lie in \(0, 1\]; got 0.0"),
        ({"top_p": 1.5}, r"`top_p` must lie in \(0, 1\]; got 1.5"),
        ({"top_p": np.nan}, r"`top_p` must lie in \(0, 1\]; got nan"),
        ({"temperature": -1.0}, "`temperature` must not be negative; got -1.0"),
        ({"temperature": np.ones(3)}, r"`temperature` must be a number or .* \(2,\); got \(3,\)"),
        ({"end": -1}, "`end` must be a symbol, an integer that is not negative; got -1"),
        ({"end": 1.0}, "`end` must be a symbol, an integer that is not negative; got 1.0"),
        ({"end": 4}, r"`end` must lie in \[0, V=4\); got 4"),
        (
            {"end": 0, "carry": jnp.zeros(3)},
            r"`carry` must have a shape that begins .*; got \(3,\)",
        ),
        ({"prompt": jnp.zeros((0, 2), int)}, "`prompt` must hold at least one symbol"),
        ({"prompt": jnp.zeros((1, 2))}, "`prompt` must be integers; got float32"),
        ({"logits": jnp.zeros(300), "prompt": np.zeros((1, 2), np.uint8)}, "`prompt` .* got uint8"),
    ],
)
def test_wrong_arguments(options, message):
    arguments = {"prompt": jnp.zeros((1, 2), int), "length": 3, "key": jax.random.key(0)}
    arguments |= {"carry": jnp.zeros(2, int), "logits": LOGITS} | options
    given = [arguments.pop(name) for name in ("logits", "carry", "prompt")]
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        sample(independent, *given, **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": -2}, "`length` must be a positive integer; got -2"),
        ({"end": True}, "`end` must be a symbol, an integer that is not negative; got True"),
        ({"end": 7}, r"`end` must lie in \[0, V=4\); got 7"),
        ({"prompt": jnp.zeros((0, 2), int)}, "`prompt` must hold at least one symbol"),
    ],
)
def test_wrong_arguments_of_greedy(options, message):
    arguments = {"prompt": PAIR, "length": 3} | options
    with pytest.raises(ValueError, match=f"^{message}"):
        greedy(independent, LOGITS, jnp.zeros(2), arguments.pop("prompt"), **arguments)
