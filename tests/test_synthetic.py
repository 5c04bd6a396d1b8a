"""Synthetic tasks against checkers in plain Python, and their baselines against the data."""

import math
from collections import defaultdict
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn import losses
from jaxrnn.data import synthetic

# One call of each task: what every task keeps is tested over all of them.
TASKS = {
    "adding": partial(synthetic.adding, length=9),
    "copy": partial(synthetic.copy_memory, delay=4, symbols=3, recall=5),
    "temporal-order-2": synthetic.temporal_order,
    "temporal-order-3": partial(synthetic.temporal_order, length=50, relevant=3),
    "parity": partial(synthetic.parity, length=12, min_length=3),
    "summation": partial(synthetic.summation, length=7),
    "comparison": partial(synthetic.comparison, length=7),
    "equal-counts-2": partial(synthetic.equal_counts, max_count=6),
    "equal-counts-3": partial(synthetic.equal_counts, max_count=5, min_count=2, letters=3),
    "dyck-1": partial(synthetic.dyck, max_pairs=7),
    "dyck-2": partial(synthetic.dyck, max_pairs=6, min_pairs=2, kinds=2),
    "echo": partial(synthetic.delayed_echo, length=11, delay=3, symbols=4),
}
each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def made(task, key, **sizes):
    """A batch by one compiled call, which takes less time than compiling each operation alone."""
    return jax.jit(partial(task, **sizes))(key)


def columns(*arrays):
    """The sequences of a batch one by one."""
    return zip(*(np.moveaxis(np.asarray(array), 1, 0) for array in arrays), strict=True)


def ends(mask):
    """The lengths of the sequences, whose masks are ones and then zeros."""
    lengths = np.asarray(mask).sum(0)
    assert (np.asarray(mask) == (np.arange(len(mask))[:, None] < lengths)).all()
    return lengths


@each_task
def test_a_key_decides_everything_also_in_a_compiled_loop(task, key):
    make = partial(task, batch_size=3)
    keys = jax.random.split(key(), 3)
    singly = [made(task, k, batch_size=3) for k in keys]
    _, together = jax.jit(lambda keys: jax.lax.scan(lambda _, k: (0, make(k)), 0, keys))(keys)
    stacked = jax.tree.map(lambda *batches: jnp.stack(batches), *singly)
    jax.tree.map(np.testing.assert_array_equal, stacked, together)
    assert any((singly[0].inputs != other.inputs).any() for other in singly[1:])


@each_task
def test_the_batch_axis_is_the_second_and_rows_differ(task, key):
    batch = made(task, key(), batch_size=5)
    rows = 0 if isinstance(batch, synthetic.FinalTarget) else 1
    assert batch.inputs.shape[1] == 5 and batch.targets.shape[rows] == 5
    assert len({np.asarray(row).tobytes() for row in jnp.moveaxis(batch.inputs, 1, 0)}) > 1


def test_adding_marks_one_number_in_each_half(key):
    batch = made(synthetic.adding, key(), batch_size=400, length=7)
    places = set()
    for (row,), target in zip(columns(batch.inputs), np.asarray(batch.targets), strict=True):
        first, second = (t for t in range(7) if row[t, 1] == 1)
        assert sorted(row[:, 1]) == [0, 0, 0, 0, 0, 1, 1]
        assert target == pytest.approx(row[first, 0] + row[second, 0])
        places.add((first, second))
    assert places == {(first, second) for first in range(3) for second in range(3, 7)}
    assert (batch.seq_lengths == 7).all()


def test_the_adding_baseline_is_that_of_the_constant_1(key):
    targets = made(synthetic.adding, key(), batch_size=200_000, length=4).targets
    assert jnp.mean((targets - 1) ** 2) == pytest.approx(synthetic.ADDING_BASELINE, abs=0.002)
    # No other constant is better.
    assert jnp.mean(targets) == pytest.approx(1, abs=0.004)


def test_copy_memory_asks_for_the_first_symbols_after_the_sign(key):
    batch = made(synthetic.copy_memory, key(), batch_size=50, delay=6)
    assert batch.inputs.shape == (26, 50) and batch.mask.all()
    for inputs, targets in columns(batch.inputs, batch.targets):
        assert set(inputs[:10]) <= set(range(1, 9))
        assert inputs[10:].tolist() == [0] * 5 + [9] + [0] * 10
        assert targets.tolist() == [0] * 16 + inputs[:10].tolist()
    assert set(np.ravel(batch.inputs[:10])) == set(range(1, 9))


def test_the_copy_baseline_is_that_of_a_guess_after_the_sign(key):
    batch = made(synthetic.copy_memory, key(), batch_size=64, delay=30)
    waits = jnp.log(jax.nn.one_hot(0, 9) + 1e-30)
    guesses = jnp.log(jnp.array([0.0] + [1 / 8] * 8) + 1e-30)
    logits = jnp.where((jnp.arange(50) < 40)[:, None, None], waits, guesses)
    logits = jnp.broadcast_to(logits, (50, 64, 9))
    nats = losses.cross_entropy(logits, batch.targets, batch.mask)
    assert nats == pytest.approx(synthetic.copy_memory_baseline(30), rel=1e-5)


@pytest.mark.parametrize(
    ("relevant", "windows"),
    [(2, [(10, 20), (50, 60)]), (3, [(10, 20), (33, 43), (66, 76)])],
)
def test_temporal_order_reads_as_the_paper_says(relevant, windows, key):
    batch = made(synthetic.temporal_order, key(), batch_size=2000, relevant=relevant)
    seen = [set() for _ in windows]
    for (row,), target, length in zip(
        columns(batch.inputs), *map(np.asarray, (batch.targets, batch.seq_lengths)), strict=True
    ):
        text = "".join(synthetic.TEMPORAL_ORDER_SYMBOLS[symbol] for symbol in row)
        assert text[0] == "E" and set(text[length - 1 :]) == {"B"}
        places = [t for t, symbol in enumerate(text) if symbol in "XY"]
        assert set(text[1 : length - 1]) - set("XY") <= set("abcd")
        for place, (low, high), each in zip(places, windows, seen, strict=True):
            assert low <= place <= high
            each.add(place)
        assert target == int("".join(str("XY".index(text[place])) for place in places), 2)
    assert [len(each) for each in seen] == [11] * relevant
    assert set(batch.seq_lengths.tolist()) == set(range(100, 111))
    # A guess is right once in 2 or 3 coins.
    share = np.bincount(batch.targets, minlength=2**relevant) / 2000
    np.testing.assert_allclose(share, 1 / 2**relevant, atol=0.05)


def test_parity_is_that_of_the_ones_so_far(key):
    batch = made(synthetic.parity, key(), batch_size=2000, length=12, min_length=3)
    lengths = ends(batch.mask)
    assert set(lengths) == set(range(3, 13))
    for bits, targets in columns(batch.inputs, batch.targets):
        assert targets.tolist() == [bits[: t + 1].tolist().count(1) % 2 for t in range(12)]
    assert jnp.mean(batch.targets) == pytest.approx(0.5, abs=0.02)
    assert set(ends(made(synthetic.parity, key(), batch_size=50, length=5).mask)) == {5}


def test_sums_and_comparisons_are_those_of_all_numbers_so_far(key):
    one = made(synthetic.summation, key(), batch_size=20, length=9)
    for numbers, targets in columns(one.inputs, one.targets):
        np.testing.assert_allclose(targets, [sum(numbers[: t + 1, 0]) for t in range(9)], atol=1e-6)
    two = made(synthetic.comparison, key(), batch_size=20, length=9)
    for numbers, targets in columns(two.inputs, two.targets):
        wanted = [sum(numbers[: t + 1, 0]) > sum(numbers[: t + 1, 1]) for t in range(9)]
        assert targets.tolist() == wanted
    assert one.mask.all() and two.mask.all() and one.inputs.min() < -0.5 < 0.5 < one.inputs.max()


def test_the_baselines_of_sums_and_comparisons(key):
    targets = made(synthetic.summation, key(), batch_size=20_000, length=9).targets
    assert jnp.mean(targets**2) == pytest.approx(synthetic.summation_baseline(9), rel=0.03)
    targets = made(synthetic.comparison, key(), batch_size=20_000, length=9).targets
    assert jnp.mean(targets) == pytest.approx(0.5, abs=0.02)


def continuations(language):
    """The symbols that may follow each prefix of the words of a language, the border last."""
    after = defaultdict(set)
    for word in language:
        for t, symbol in enumerate(word + "#"):
            after[word[:t]].add(symbol)
    return after


def check_words(batch, names, language):
    """Compares a batch with a language that is given as the list of all its short words."""
    after, seen = continuations(language), set()
    lengths = ends(batch.mask)
    rows = columns(batch.inputs, batch.targets, batch.legal)
    for (inputs, targets, legal), length in zip(rows, lengths, strict=True):
        read = "".join(names[symbol] for symbol in inputs[:length])
        wanted = "".join(names[symbol] for symbol in targets[:length])
        assert read[0] == wanted[-1] == "#" and read[1:] == wanted[:-1]
        assert read[1:] in language
        assert not inputs[length:].any() and not targets[length:].any()
        for t in range(length):
            allowed = {names[symbol] for symbol in np.flatnonzero(legal[t])}
            assert allowed == after[read[1 : t + 1]]
        seen.add(read[1:])
    return seen


@pytest.mark.parametrize("letters", [1, 2, 3])
def test_equal_counts_has_every_letter_as_often(letters, key):
    names = "#abc"[: letters + 1]
    batch = made(
        synthetic.equal_counts, key(), batch_size=300, max_count=6, min_count=2, letters=letters
    )
    # Longer words than the batch has: that n = 6 is the largest is no rule of the language.
    language = ["".join(letter * n for letter in names[1:]) for n in range(1, 9)]
    assert check_words(batch, names, language) == set(language[1:6])


def test_given_counts_give_the_words_of_these_counts():
    words = synthetic.words_of_counts(jnp.array([3, 1]), max_count=3, letters=3)
    assert words.inputs.T.tolist() == [[0, 1, 1, 1, 2, 2, 2, 3, 3, 3], [0, 1, 2, 3] + [0] * 6]
    assert ends(words.mask).tolist() == [10, 4]


@pytest.mark.parametrize(("low", "high", "letters"), [(1, 8, 2), (3, 7, 3), (1, 1, 2)])
def test_the_baselines_of_equal_counts(low, high, letters, key):
    batch = made(
        synthetic.equal_counts,
        key(),
        batch_size=20_000,
        max_count=high,
        min_count=low,
        letters=letters,
    )
    real = np.asarray(batch.mask)
    before, after = np.asarray(batch.inputs)[real], np.asarray(batch.targets)[real]
    pairs = np.zeros((letters + 1, letters + 1))
    np.add.at(pairs, (before, after), 1)
    share = pairs / pairs.sum(1, keepdims=True)
    nats = -np.log(share[before, after]).sum() / 20_000
    wanted = synthetic.equal_counts_baseline(high, low, letters)
    assert nats == pytest.approx(wanted, rel=0.02, abs=1e-9)
    counts = np.bincount((ends(batch.mask) - 1) // letters)
    shares = counts[counts > 0] / 20_000
    entropy = -np.sum(shares * np.log(shares))
    assert synthetic.equal_counts_entropy(high, low) == pytest.approx(entropy, abs=0.002)


def balanced(pairs, brackets):
    """All words of a Dyck language with a number of pairs."""
    if pairs == 0:
        return [""]
    return [
        opening + inner + closing + rest
        for opening, closing in brackets
        for size in range(pairs)
        for inner in balanced(size, brackets)
        for rest in balanced(pairs - 1 - size, brackets)
    ]


@pytest.mark.parametrize(("brackets", "names"), [(["()"], "#()"), (["()", "[]"], "#([)]")])
def test_dyck_words_balance(brackets, names, key):
    kinds = len(brackets)
    batch = made(synthetic.dyck, key(), batch_size=400, max_pairs=3, min_pairs=1, kinds=kinds)
    language = [word for pairs in range(7) for word in balanced(pairs, brackets)]
    seen = check_words(batch, names, language)
    if kinds == 1:
        assert seen == {word for pairs in (1, 2, 3) for word in balanced(pairs, brackets)}


@pytest.mark.parametrize("kinds", [1, 2, 3])
def test_long_dyck_words_balance_by_a_stack(kinds, key):
    batch = made(synthetic.dyck, key(), batch_size=30, max_pairs=40, min_pairs=30, kinds=kinds)
    assert set(ends(batch.mask)) <= {2 * pairs + 1 for pairs in range(30, 41)}
    deepest = 0
    for inputs, targets, mask, legal in columns(*batch):
        stack = []
        for symbol, target, allowed in zip(inputs[mask], targets[mask], legal[mask], strict=True):
            if 1 <= symbol <= kinds:
                stack.append(symbol)
            elif symbol > kinds:
                assert stack.pop() == symbol - kinds
            deepest = max(deepest, len(stack))
            last = stack[-1] + kinds if stack else 0
            assert set(np.flatnonzero(allowed)) == {*range(1, kinds + 1), last}
            assert allowed[target]
        assert not stack
    assert deepest >= 5


def test_dyck_shapes_are_equally_likely(key):
    batch = made(synthetic.dyck, key(), batch_size=14_000, max_pairs=4, min_pairs=4)
    words, counts = np.unique(np.asarray(batch.targets), axis=1, return_counts=True)
    assert words.shape[1] == 14  # the Catalan number of 4
    np.testing.assert_allclose(counts, 1000, atol=150)  # five standard deviations


def test_the_baselines_of_dyck(key):
    batch = made(synthetic.dyck, key(), batch_size=4000, max_pairs=9, min_pairs=2, kinds=3)
    inputs, targets, real = (np.asarray(a) for a in (batch.inputs, batch.targets, batch.mask))
    closed = real & (inputs > 3)
    done = np.asarray(batch.legal)[closed][:, 0]
    assert done.mean() == pytest.approx(synthetic.dyck_end_baseline(9, 2), rel=0.03)
    both = closed & (targets > 3)
    table = np.zeros((3, 3))
    np.add.at(table, (inputs[both] - 4, targets[both] - 4), 1)
    share = table / table.sum(1, keepdims=True)
    np.testing.assert_allclose(share, synthetic.dyck_kind_baseline(3), atol=0.03)


def test_the_echo_comes_after_the_delay(key):
    batch = made(synthetic.delayed_echo, key(), batch_size=300, length=9, delay=4, symbols=3)
    for inputs, targets, mask in columns(*batch):
        assert mask.tolist() == [t >= 4 for t in range(9)]
        assert [targets[t] for t in range(4, 9)] == [inputs[t - 4] for t in range(4, 9)]
    wanted = np.asarray(batch.targets)[np.asarray(batch.mask)]
    share = np.bincount(wanted, minlength=3) / wanted.size
    nats = -np.log(share) @ share
    assert nats == pytest.approx(synthetic.delayed_echo_baseline(3), abs=0.01)
    assert synthetic.delayed_echo_baseline() == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(synthetic.adding, length=1), "`length` must leave room for two markers; got 1"),
        (partial(synthetic.adding, length=0), "`length` must be a positive integer; got 0"),
        (partial(synthetic.copy_memory, delay=0), "`delay` must be a positive integer; got 0"),
        (partial(synthetic.temporal_order, length=9), "`length` must be at least 10; got 9"),
        (partial(synthetic.temporal_order, relevant=4), "`relevant` must be 2 or 3; got 4"),
        (
            partial(synthetic.parity, length=3, min_length=4),
            "`min_length` must be at most length=3; got 4",
        ),
        (
            partial(synthetic.summation, length=True),
            "`length` must be a positive integer; got True",
        ),
        (partial(synthetic.comparison, length=-1), "`length` must be a positive integer; got -1"),
        (
            partial(synthetic.equal_counts, max_count=3, min_count=5),
            "`min_count` must be at most max_count=3; got 5",
        ),
        (
            partial(synthetic.dyck, max_pairs=3, min_pairs=4),
            "`min_pairs` must be at most max_pairs=3; got 4",
        ),
        (partial(synthetic.dyck, max_pairs=3, kinds=0), "`kinds` must be a positive integer"),
        (
            partial(synthetic.delayed_echo, length=4, delay=4),
            "`delay` must be below length=4; got 4",
        ),
    ],
)
def test_sizes_that_make_no_task_are_refused(call, message, key):
    with pytest.raises(ValueError) as caught:
        call(key(), batch_size=2)
    assert message in str(caught.value)


@each_task
def test_a_batch_has_to_hold_something(task, key):
    with pytest.raises(ValueError, match="`batch_size` must be a positive integer; got 0"):
        task(key(), batch_size=0)
