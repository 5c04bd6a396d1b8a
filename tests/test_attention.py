"""Attention against NumPy written from the papers, and what padding may and may not do to it."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrnn.nn import (
    AdditiveScore,
    Attention,
    DotScore,
    GeneralScore,
    LocationScore,
    masked_softmax,
)

H, M, A = 4, 5, 3
LENGTHS = np.array([6, 2, 1])


def filled(module):
    """Gives every parameter random float64 numbers that are not zero."""
    graph, params = nnx.split(module)
    leaves, structure = jax.tree.flatten(params)
    rng = np.random.default_rng(7)
    leaves = [jnp.asarray(rng.normal(size=leaf.shape)) for leaf in leaves]
    return nnx.merge(graph, jax.tree.unflatten(structure, leaves))


def softmax(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def dot(score, q, m, seen):
    return q @ m


def general(score, q, m, seen):
    return m @ np.array(score.kernel[...]) @ q


def concat(score, q, m, seen):
    """Luong's: one matrix on both vectors, one after the other."""
    both = np.concatenate([np.array(score.query_kernel[...]), np.array(score.memory_kernel[...])])
    sums = np.concatenate([q, m]) @ both + np.array(score.bias[...])
    return np.array(score.vector[...]) @ np.tanh(sums)


def located(score, q, m, seen):
    """Chorowski's, with its filters and the matrix after them in one."""
    sums = q @ np.array(score.query_kernel[...]) + m @ np.array(score.memory_kernel[...])
    sums = sums + np.array(score.bias[...]) + seen @ np.array(score.filters[...])
    return np.array(score.vector[...]) @ np.tanh(sums)


SCORES = {
    "dot": (DotScore, dot),
    "general": (GeneralScore, general),
    "additive": (partial(AdditiveScore, size=A), concat),
    "location": (partial(LocationScore, size=A, reach=2), located),
}


def expected(attention, equation, queries, memory, lengths, previous):
    """One query and one position at a time."""
    contexts = np.zeros((*queries.shape[:2], memory.shape[-1]))
    weights = np.zeros((*queries.shape[:2], memory.shape[1]))
    for b, n in np.ndindex(*queries.shape[:2]):
        seen = np.pad(previous[b, n], 2)
        scores = [
            equation(attention.score, queries[b, n], memory[b, s], seen[s : s + 5])
            for s in range(lengths[b])
        ]
        if scores:
            weights[b, n, : lengths[b]] = softmax(np.array(scores))
        contexts[b, n] = weights[b, n, : lengths[b]] @ memory[b, : lengths[b]]
    return contexts, weights


def drawn(name, memory_size=M):
    memory_size = H if name == "dot" else memory_size
    rng = np.random.default_rng(3)
    attention = filled(Attention(H, memory_size, score=SCORES[name][0], rngs=nnx.Rngs(0)))
    queries, memory = rng.normal(size=(3, 2, H)), rng.normal(size=(3, 6, memory_size))
    # As they come from a step before: nothing in the padding.
    previous = rng.uniform(size=(3, 2, 6)) * (np.arange(6) < LENGTHS[:, None, None])
    return attention, queries, memory, previous


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", SCORES)
def test_attention_is_the_equation_of_the_paper(name):
    attention, queries, memory, previous = drawn(name)
    for lengths in (LENGTHS, np.array([6, 0, 3])):
        previous = previous * (np.arange(6) < lengths[:, None, None])
        contexts, weights = attention.attend(
            queries, attention.prepare(memory, lengths), jnp.asarray(previous)
        )
        wanted = expected(attention, SCORES[name][1], queries, memory, lengths, previous)
        np.testing.assert_allclose(contexts, wanted[0], atol=1e-12)
        np.testing.assert_allclose(weights, wanted[1], atol=1e-12)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", SCORES)
def test_padding_changes_neither_a_value_nor_a_gradient(name):
    attention, queries, memory, previous = drawn(name)
    graph, params = nnx.split(attention)

    def loss(params, queries, memory, lengths, previous):
        read = nnx.merge(graph, params)
        contexts, weights = read.attend(queries, read.prepare(memory, lengths), previous)
        return jnp.sum(jnp.sin(contexts)) + jnp.sum(jnp.cos(weights) * (weights > 0))

    gradient = jax.value_and_grad(loss, argnums=(0, 1, 2))
    padded = np.where(np.arange(6)[:, None] < LENGTHS[:, None, None], memory, np.nan)
    total, (by_params, by_queries, by_memory) = gradient(params, queries, padded, LENGTHS, previous)
    # The rows one by one, cut to their length.
    alone = [
        gradient(
            params, queries[b : b + 1], memory[b : b + 1, :n], None, previous[b : b + 1, :, :n]
        )
        for b, n in enumerate(LENGTHS)
    ]
    np.testing.assert_allclose(total, sum(value for value, _ in alone), rtol=1e-12)
    summed = jax.tree.map(lambda *each: sum(each), *(grads[0] for _, grads in alone))
    # No score changes with a vector that is added to all of them, so some sums are zero.
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-12), by_params, summed)
    for b, n in enumerate(LENGTHS):
        np.testing.assert_allclose(by_queries[b], alone[b][1][1][0], atol=1e-12)
        np.testing.assert_allclose(by_memory[b, :n], alone[b][1][2][0], atol=1e-12)
        assert np.all(by_memory[b, n:] == 0)


@pytest.mark.parametrize("name", SCORES)
def test_an_empty_memory_gives_zeros_and_no_gradient(name):
    attention, queries, memory, _ = drawn(name)
    lengths = jnp.zeros(3, int)
    contexts, weights = attention(queries, jnp.full(memory.shape, jnp.nan), lengths)
    assert np.all(np.asarray(contexts) == 0) and np.all(np.asarray(weights) == 0)
    total = lambda queries, memory: jnp.sum(attention(queries, memory, lengths)[0])
    for grads in jax.grad(total, argnums=(0, 1))(queries, memory):
        assert np.all(np.asarray(grads) == 0)
    contexts, weights = attention(queries, memory[:, :0])
    assert weights.shape == (3, 2, 0) and np.all(np.asarray(contexts) == 0)


@pytest.mark.parametrize("name", SCORES)
def test_queries_of_any_axes_see_the_same_memory(name):
    attention, queries, memory, previous = drawn(name)
    ready = attention.prepare(memory, LENGTHS)
    contexts, weights = attention.attend(queries, ready, previous)
    one = attention.attend(queries[:, 1], ready, previous[:, 1])
    np.testing.assert_allclose(one[0], contexts[:, 1], atol=1e-6)
    np.testing.assert_allclose(one[1], weights[:, 1], atol=1e-6)
    many = attention.attend(queries[:, :, None], ready, previous[:, :, None])
    assert many[0].shape == (3, 2, 1, attention.memory_size) and many[1].shape == (3, 2, 1, 6)
    np.testing.assert_allclose(many[0][:, :, 0], contexts, atol=1e-6)
    alone = attention(queries[0, 0], memory[0], jnp.array(6))  # no batch
    if name != "location":
        np.testing.assert_allclose(alone[0], contexts[0, 0], rtol=1e-5)


def test_a_location_score_without_weights_is_the_additive_one():
    attention, queries, memory, previous = drawn("location")
    ready = attention.prepare(memory, LENGTHS)
    nothing = attention.attend(queries, ready, jnp.zeros_like(previous))
    np.testing.assert_array_equal(attention.attend(queries, ready)[1], nothing[1])
    looked = attention.attend(queries, ready, previous)[1]
    assert np.abs(np.asarray(looked - nothing[1])).max() > 1e-2


def test_only_the_location_score_looks_back():
    backs = [score(4, 4, rngs=nnx.Rngs(0)).looks_back for score, _ in SCORES.values()]
    assert backs == [False, False, False, True]


def test_large_scores_do_not_overflow():
    scores = jnp.array([[3e38, -3e38, 1.0], [-3e38, -3e38, -3e38]])
    mask = jnp.array([True, True, False])
    np.testing.assert_allclose(masked_softmax(scores, mask), [[1, 0, 0], [0.5, 0.5, 0]])


@pytest.mark.usefixtures("x64")
def test_the_gradient_of_the_softmax_is_its_own():
    scores, wanted = jnp.array([0.3, -1.0, 2.0, 5.0]), jnp.array([1.0, -2.0, 0.5])
    masked = lambda scores: masked_softmax(scores, jnp.arange(4) < 3)[:3] @ wanted
    plain = lambda scores: jax.nn.softmax(scores[:3]) @ wanted
    np.testing.assert_allclose(jax.grad(masked)(scores), jax.grad(plain)(scores), atol=1e-15)
    single = lambda scores: masked_softmax(scores, jnp.arange(4) < 1)[0]
    assert jax.grad(single)(scores).tolist() == [0.0] * 4  # its weight is 1 whatever it scores


def test_weights_of_a_short_dtype_are_float32():
    attention, queries, memory, _ = drawn("general")
    short = lambda array: jnp.asarray(array, jnp.bfloat16)
    _, weights = attention(short(queries), short(memory), LENGTHS)
    assert weights.dtype == jnp.float32
    np.testing.assert_allclose(jnp.sum(weights, axis=-1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Attention(0, 3, rngs=nnx.Rngs(0)),
            "`query_size` must be a positive integer; got 0",
        ),
        (
            lambda: Attention(3, 4, score=DotScore, rngs=nnx.Rngs(0)),
            "`memory_size` must be the size of a query, 3, for an inner product; got 4",
        ),
        (
            lambda: AdditiveScore(3, 4, size=0, rngs=nnx.Rngs(0)),
            "`size` must be a positive integer; got 0",
        ),
        (
            lambda: LocationScore(3, 4, reach=0, rngs=nnx.Rngs(0)),
            "`reach` must be a positive integer; got 0",
        ),
        (
            lambda: drawn("general")[0](jnp.ones((3, H)), jnp.ones((3, 6, 2))),
            "`memory` must have the shape [*B, S, 5]; got (3, 6, 2)",
        ),
        (
            lambda: drawn("general")[0](jnp.ones((3, H)), jnp.ones((3, 6, M)), jnp.ones(2, int)),
            "`lengths` must have the shape (3,); got (2,)",
        ),
        (
            lambda: drawn("general")[0](jnp.ones((2, H)), jnp.ones((3, 6, M))),
            "`queries` must have the shape [3, *N, 4]; got (2, 4)",
        ),
    ],
)
def test_a_wrong_argument_is_named(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message
