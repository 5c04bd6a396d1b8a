"""The feed-forward language model: the paper's equations, its window, and what it cannot learn."""

import importlib
import io
import json
import sys
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from rich.console import Console

from jaxrnn import gru
from jaxrnn.baselines import FeedForwardLanguageModel, functions
from jaxrnn.data import streams
from jaxrnn.data.streams import Segment
from jaxrnn.generate import sample
from jaxrnn.models import LanguageModel, language_model
from jaxrnn.train import evaluator, fit, init_state, tbptt_scan

V, K, E, H = 5, 3, 4, 6
RNG = np.random.default_rng(0)
each_kind = pytest.mark.parametrize("direct", [False, True], ids=["plain", "direct"])


def make(direct=True, vocabulary_size=V, context=K):
    """A model in which every leaf has random values of the precision of the test."""
    sizes = {"vocabulary_size": vocabulary_size, "context": context}
    model = FeedForwardLanguageModel(
        **sizes, embed_size=E, hidden_size=H, direct=direct, rngs=nnx.Rngs(0)
    )
    graph, params = nnx.split(model, nnx.Param)
    rng = np.random.default_rng(1)
    random = lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), dtype=float)
    return nnx.merge(graph, jax.tree.map(random, params))


def text(*shape, vocabulary_size=V):
    return RNG.integers(0, vocabulary_size, shape)


def segment(inputs, resets=None, mask=None):
    return Segment(
        inputs,
        text(*inputs.shape),
        np.ones(inputs.shape, bool) if mask is None else mask,
        np.zeros(inputs.shape, bool) if resets is None else resets,
    )


class Paper:
    """Equation (1) of Bengio et al. 2003 for one sequence, position by position, in NumPy."""

    def __init__(self, model):
        leaf = lambda variable: np.asarray(variable[...])
        self.table = leaf(model.embed.embedding)
        self.w_hidden, self.d = leaf(model.hidden.kernel), leaf(model.hidden.bias)
        self.w_out, self.b = leaf(model.readout.kernel), leaf(model.readout.bias)
        self.w_direct = leaf(model.direct.kernel) if model.direct is not None else None

    def window(self, symbols, t, resets=None):
        """The K symbols up to t; V stands for each that is before the text."""
        first = max([0, *(s for s in range(t + 1) if resets is not None and resets[s])])
        return [int(symbols[s]) if s >= first else V for s in range(t - K + 1, t + 1)]

    def logits(self, window):
        x = np.concatenate([self.table[w] for w in window])
        y = self.b + np.tanh(self.d + x @ self.w_hidden) @ self.w_out
        return y if self.w_direct is None else y + x @ self.w_direct

    def gradients(self, symbols, targets, mask):
        """The gradient of the nats of all positions where `mask` is true, by hand."""
        names = ["table", "w_hidden", "d", "w_out", "b", "w_direct"]
        grads = {n: np.zeros_like(getattr(self, n)) for n in names if getattr(self, n) is not None}
        for t in np.flatnonzero(mask):
            window = self.window(symbols, t)
            x = np.concatenate([self.table[w] for w in window])
            a = np.tanh(self.d + x @ self.w_hidden)
            y = self.logits(window)
            dy = np.exp(y - y.max()) / np.exp(y - y.max()).sum()
            dy[targets[t]] -= 1
            da = (self.w_out @ dy) * (1 - a**2)
            dx = self.w_hidden @ da
            grads["b"] += dy
            grads["w_out"] += np.outer(a, dy)
            grads["d"] += da
            grads["w_hidden"] += np.outer(x, da)
            if self.w_direct is not None:
                dx += self.w_direct @ dy
                grads["w_direct"] += np.outer(x, dy)
            for place, w in enumerate(window):
                grads["table"][w] += dx[place * E : (place + 1) * E]
        return grads


@each_kind
@pytest.mark.parametrize("batch_shape", [(), (3,), (2, 3)], ids=str)
def test_equals_the_paper(x64, direct, batch_shape):
    model, tokens = make(direct), text(7, *batch_shape)
    window, logits = model(tokens)
    paper = Paper(model)
    for b in np.ndindex(*batch_shape):
        symbols = tokens[(slice(None), *b)]
        expected = [paper.logits(paper.window(symbols, t)) for t in range(7)]
        np.testing.assert_allclose(logits[(slice(None), *b)], expected, rtol=1e-12)
        assert window[b].tolist() == symbols[-K:].tolist()


@each_kind
def test_gradient_equals_the_one_by_hand(x64, direct):
    model, tokens, mask = make(direct), text(6, 2), RNG.random((6, 2)) < 0.7
    lm, given = functions(model), segment(tokens, mask=mask)
    grads = jax.grad(lambda p: lm.loss(p, lm.initial_carry(2), given, None)[0])(lm.params)
    paper = Paper(model)
    parts = [paper.gradients(tokens[:, b], given.targets[:, b], mask[:, b]) for b in range(2)]
    expected = {name: parts[0][name] + parts[1][name] for name in parts[0]}
    found = Paper(nnx.merge(nnx.split(model, nnx.Param)[0], grads))
    for name, value in expected.items():
        assert np.any(value != 0), name
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-9, atol=1e-12)


@each_kind
def test_steps_equal_one_call(x64, direct):
    model, tokens = make(direct), text(8, 2)
    lm = functions(model)
    whole_carry, whole = model(tokens)
    carry = lm.initial_carry(2)
    for t in range(8):
        carry, logits = lm.step(lm.params, carry, tokens[t])
        np.testing.assert_allclose(logits, whole[t], rtol=1e-12)
    np.testing.assert_array_equal(carry, whole_carry)


@pytest.mark.parametrize("cut", [0, 1, 2, 5, 7])
def test_a_text_cut_anywhere_equals_the_whole(x64, cut):
    model, tokens, resets = make(), text(7, 4), RNG.random((7, 4)) < 0.25
    carry, whole = model(tokens, resets=resets)
    middle, first = model(tokens[:cut], resets=resets[:cut])
    last, second = model(tokens[cut:], resets=resets[cut:], initial_carry=middle)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-12)
    np.testing.assert_array_equal(last, carry)


def test_a_reset_clears_the_window_before_the_step(x64):
    model, tokens, resets = make(), text(9, 3), RNG.random((9, 3)) < 0.4
    resets[2] = True
    carry, logits = model(tokens, resets=resets, initial_carry=text(3, K))
    paper = Paper(model)
    for b in range(3):
        begun = int(np.argmax(resets[:, b]))
        for t in range(begun, 9):
            window = paper.window(tokens[:, b], t, resets[:, b])
            np.testing.assert_allclose(logits[t, b], paper.logits(window), rtol=1e-12)
        assert carry[b].tolist() == paper.window(tokens[:, b], 8, resets[:, b])


def test_only_the_last_k_symbols_count(x64):
    model, tokens = make(), text(6)
    _, logits = model(tokens)
    for changed in range(6):
        other = tokens.copy()
        other[changed] = (other[changed] + 1) % V
        differs = np.any(np.asarray(model(other)[1] != logits), axis=-1)
        assert np.flatnonzero(differs).tolist() == list(range(changed, min(changed + K, 6)))


def test_the_start_is_no_symbol_of_the_text(x64):
    model, tokens = make(), text(4)
    before = [model(tokens, initial_carry=jnp.full(K, symbol))[1][0] for symbol in range(V)]
    assert all(np.any(each != model(tokens)[1][0]) for each in before)


@pytest.mark.parametrize("batch_shape", [(), (2,)], ids=str)
def test_no_steps_change_nothing(batch_shape):
    model, carry = make(), jnp.asarray(text(*batch_shape, K))
    resets = jnp.zeros((0, *batch_shape), bool)
    after, logits = model(text(0, *batch_shape), initial_carry=carry, resets=resets)
    np.testing.assert_array_equal(after, carry)
    assert logits.shape == (0, *batch_shape, V)


def test_one_symbol_and_one_in_sight(x64):
    model = make(vocabulary_size=1, context=1)
    _, logits = model(text(3, 2, vocabulary_size=1))
    assert logits.shape == (3, 2, 1) and bool(jnp.all(logits == logits[0, 0]))


def test_loss_is_the_sum_of_the_nats_of_real_targets(x64):
    model, tokens = make(), text(6, 3)
    mask = RNG.random((6, 3)) < 0.6
    resets = RNG.random((6, 3)) < 0.3
    given = segment(tokens, resets, mask)
    junk = given._replace(targets=np.where(mask, given.targets, -77))
    lm, carry = functions(model), jnp.asarray(text(3, K))
    nats, after = lm.nll(lm.params, carry, junk, None)
    total, symbols, end = lm.loss(lm.params, carry, junk, jax.random.key(0))
    logits = np.asarray(model(tokens, initial_carry=carry, resets=resets)[1])
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = -np.log(np.take_along_axis(p, given.targets[..., None], -1)[..., 0]) * mask
    np.testing.assert_allclose(nats, expected, rtol=1e-10)
    np.testing.assert_allclose(total, expected.sum(), rtol=1e-10)
    assert int(symbols) == mask.sum()
    chex.assert_trees_all_equal(after, end)
    grads = jax.grad(lambda p: lm.loss(p, carry, junk, None)[0])(lm.params)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(grads))


def learn(lm, training, validation, *, updates, learning_rate=0.02):
    """Trains with the machinery of recurrent models; mean nats on the other segments."""
    optimizer, size = optax.adam(learning_rate), training.inputs.shape[-1]
    state = init_state(lm.params, optimizer, lm.initial_carry(size), jax.random.key(0))
    evaluate, found = evaluator(lm.loss), []
    carry = lm.initial_carry(validation.inputs.shape[-1])

    def validate(params):
        found.append(float(evaluate(params, carry, validation)))
        return found[-1]

    console, update = Console(file=io.StringIO()), tbptt_scan(lm.loss, optimizer)
    fit(update, state, training, steps=updates, validate=validate, console=console)
    return found


def network(context, vocabulary_size):
    sizes = {"vocabulary_size": vocabulary_size, "context": context}
    return functions(
        FeedForwardLanguageModel(**sizes, embed_size=4, hidden_size=16, rngs=nnx.Rngs(0))
    )


@pytest.mark.parametrize(
    ("context", "floor"), [(1, 0.5 * np.log(2)), (2, 0.0)], ids=["memory-less", "two"]
)
def test_learns_a_text_as_far_as_its_context_tells(context, floor):
    cut = lambda repeats: streams(np.tile([0, 1, 0, 2], repeats), batch_size=4, segment_length=10)
    before, after = learn(network(context, 3), cut(60), cut(40), updates=150)
    assert before > 0.9 and floor - 1e-3 < after < floor + 0.03


def echoes(count, delay, *, steps=12, size=32):
    """Segments in which each symbol is the one `delay` before its turn, which itself is random."""
    first = RNG.integers(0, 2, (count, delay, size))
    whole = np.tile(first, (1, steps // delay + 2, 1))[:, : steps + 1].astype(np.int32)
    mask = np.broadcast_to(np.arange(steps)[:, None] >= delay - 1, (count, steps, size))
    resets = np.broadcast_to(np.arange(steps)[:, None] == 0, mask.shape)
    return Segment(whole[:, :-1], whole[:, 1:], mask, resets)


def test_a_dependency_longer_than_the_context_stays_at_its_floor():
    # w_{t+1} = w_{t-2}: three symbols in sight tell it, and two nothing at all.
    training, validation = echoes(40, 3), echoes(4, 3)
    short = learn(network(2, 2), training, validation, updates=200)[-1]
    enough = learn(network(3, 2), training, validation, updates=200)[-1]
    recurrent = language_model.functions(
        LanguageModel(gru(4, 16), vocabulary_size=2, rngs=nnx.Rngs(0))
    )
    assert np.log(2) - 0.02 < short < np.log(2) + 0.05
    assert enough < 0.02
    assert learn(recurrent, training, validation, updates=200)[-1] < 0.02


def test_writes_texts():
    lm, prompt = network(2, 3), jnp.zeros((2, 4), int)
    _, symbols = sample(
        lm.step, lm.params, lm.initial_carry(4), prompt, length=5, key=jax.random.key(0)
    )
    assert symbols.shape == (5, 4) and int(symbols.min()) >= 0 and int(symbols.max()) < 3


@pytest.fixture
def script(tmp_path, monkeypatch, capsys):
    """Runs the benchmark on a small corpus in `tmp_path`; its status, result and complaints."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks" / "papers"))
    module = importlib.import_module("feed_forward")
    for seed, part in enumerate(("train", "valid", "test")):
        words = np.random.default_rng(seed).choice(["a", "b", "<unk>"], 150)
        lines = [f" {w} c {w} \n" for w in words]
        (tmp_path / f"ptb.{part}.txt").write_text("".join(lines), "utf-8")

    def run(*options):
        where = ["--data", str(tmp_path), "--out", str(tmp_path / "run"), "--batch-size", "8"]
        monkeypatch.setattr(sys, "argv", ["feed_forward.py", *where, "--json", *options])
        status, printed = module.main(), capsys.readouterr()
        result = json.loads(printed.out.splitlines()[-1]) if status == 0 else None
        return status, result, printed.err.splitlines()

    return run


def test_the_benchmark_trains_once_and_refuses_another_run_in_its_folder(script, tmp_path):
    fast = ("--context", "2", "--learning-rate", "0.03", "--epochs", "6")
    status, first, _ = script(*fast)
    assert status == 0
    test = {row["model"]: row["test"] for row in first["rows"]}
    # One word of three at the start of each line of four, and nothing else is open.
    assert all(3 ** (1 / 4) - 0.02 < value < 1.5 for value in test.values())
    assert test["both"] <= max(test.values()) and 0 <= first["network_weight"] <= 1
    metrics = (tmp_path / "run" / "metrics.jsonl").read_text()
    _, again, _ = script(*fast)
    assert again["rows"] == first["rows"]
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == metrics
    status, _, errors = script(*fast, "--context", "3")
    assert status == 2
    assert errors[-1].startswith("error: `out` must hold no run with another context; got")
    (tmp_path / "ptb.test.txt").write_text(" zebra \n", "utf-8")
    status, _, errors = script(*fast)
    assert status == 2 and "`data` must hold no words in ptb.test.txt that" in errors[-1]
    (tmp_path / "ptb.test.txt").unlink()
    assert script(*fast)[0] == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make(vocabulary_size=0), "`vocabulary_size` must be a positive integer; got 0"),
        (lambda: make(context=0), "`context` must be a positive integer; got 0"),
        (
            lambda: FeedForwardLanguageModel(
                vocabulary_size=2, context=2, embed_size=0, hidden_size=2, rngs=nnx.Rngs(0)
            ),
            "`embed_size` must be a positive integer; got 0",
        ),
        (
            lambda: FeedForwardLanguageModel(
                vocabulary_size=2, context=2, embed_size=1, hidden_size=-2, rngs=nnx.Rngs(0)
            ),
            "`hidden_size` must be a positive integer; got -2",
        ),
        (
            lambda: make()(jnp.zeros((3, 2))),
            r"`tokens` must be integers of the shape \[T, \*B\]; got float32\[3, 2\]",
        ),
        (lambda: make()(jnp.array(1)), r"`tokens` must be integers .*; got int32\[\]"),
        (
            lambda: make()(text(3, 2), initial_carry=text(K, 2)),
            r"`initial_carry` must have the shape \(2, 3\); got \(3, 2\)",
        ),
        (
            lambda: make()(text(3, 2), resets=np.zeros(3, bool)),
            r"`resets` must have the shape \(3, 2\); got \(3,\)",
        ),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
