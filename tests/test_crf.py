"""The conditional random field, against every sequence of tags written out one by one."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrnn.nn import CRF, Chain, bio_allowed, log_partition, path_score, viterbi

LENGTHS = np.array([4, 1, 0, 3, 2])
REAL_STEPS = jnp.asarray(LENGTHS)


def drawn(tags=3, steps=4, batch=5, seed=0):
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=tags), rng.normal(size=(tags, tags)), rng.normal(size=tags)
    return Chain(*map(jnp.asarray, parts)), rng.normal(size=(batch, steps, tags))


def score_by_hand(chain, scores, tags):
    """The score of one sequence of tags, term by term."""
    if len(tags) == 0:
        return 0.0
    total = float(chain.start[tags[0]] + chain.end[tags[-1]])
    total += sum(scores[t, tag] for t, tag in enumerate(tags))
    return total + sum(float(chain.between[a, b]) for a, b in itertools.pairwise(tags))


def every_path(chain, scores):
    """All sequences of tags over `scores [n, K]` with their scores."""
    chain = Chain(*map(np.asarray, chain))
    paths = list(itertools.product(range(scores.shape[1]), repeat=len(scores)))
    return paths, np.array([score_by_hand(chain, scores, path) for path in paths])


def with_nan_padding(scores):
    real = np.arange(scores.shape[1]) < LENGTHS[:, None]
    return jnp.asarray(np.where(real[..., None], scores, np.nan)), real


def test_log_partition_is_the_sum_over_all_sequences(x64):
    chain, scores = drawn()
    found = log_partition(chain, with_nan_padding(scores)[0], REAL_STEPS)
    for b, n in enumerate(LENGTHS):
        _, each = every_path(chain, scores[b, :n])
        assert float(found[b]) == pytest.approx(np.log(np.exp(each).sum()), rel=1e-12)


def test_path_score_adds_steps_neighbours_and_borders(x64):
    chain, scores = drawn()
    tags = np.random.default_rng(1).integers(0, 3, (5, 4))
    real = np.arange(4) < LENGTHS[:, None]
    garbage = np.where(real, tags, -99)
    found = path_score(chain, with_nan_padding(scores)[0], jnp.asarray(garbage), REAL_STEPS)
    expected = [score_by_hand(chain, scores[b, :n], tags[b, :n]) for b, n in enumerate(LENGTHS)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_viterbi_is_the_best_of_all_sequences(x64):
    for seed in range(3):
        chain, scores = drawn(seed=seed)
        best = jax.jit(viterbi)(chain, with_nan_padding(scores)[0], REAL_STEPS)
        for b, n in enumerate(LENGTHS):
            paths, each = every_path(chain, scores[b, :n])
            assert tuple(best.tags[b, :n].tolist()) == paths[each.argmax()]
            assert (best.tags[b, n:] == 0).all()
            assert float(best.score[b]) == pytest.approx(each.max(), rel=1e-12)


def test_the_gradient_are_the_marginals(x64):
    chain, scores = drawn()
    crf = CRF(3, rngs=nnx.Rngs(0))
    crf.start[...], crf.between[...], crf.end[...] = chain
    padded, real = with_nan_padding(scores)
    found = crf.marginals(padded, REAL_STEPS)
    expected = np.zeros(scores.shape)
    for b, n in enumerate(LENGTHS):
        paths, each = every_path(chain, scores[b, :n])
        shares = np.exp(each) / np.exp(each).sum()
        for path, share in zip(paths, shares, strict=True):
            for t, tag in enumerate(path):
                expected[b, t, tag] += share
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found.sum(-1), real, atol=1e-12)


def test_gradients_of_the_loss_are_expected_minus_given_counts(x64):
    chain, scores = drawn()
    tags = jnp.asarray(np.random.default_rng(2).integers(0, 3, (5, 4)))
    padded, real = with_nan_padding(scores)

    def loss(chain, scores):
        return jnp.sum(
            log_partition(chain, scores, REAL_STEPS) - path_score(chain, scores, tags, REAL_STEPS)
        )

    of_chain, of_scores = jax.grad(loss, argnums=(0, 1))(chain, padded)
    start, between, end = np.zeros(3), np.zeros((3, 3)), np.zeros(3)
    for b, n in enumerate(LENGTHS):
        paths, each = every_path(chain, scores[b, :n])
        shares = np.exp(each) / np.exp(each).sum()
        given = tuple(tags[b, :n].tolist())
        for path, weight in [*zip(paths, shares, strict=True), (given, -1.0)]:
            for a, c in itertools.pairwise(path):
                between[a, c] += weight
            if path:
                start[path[0]] += weight
                end[path[-1]] += weight
    np.testing.assert_allclose(of_chain.between, between, atol=1e-12)
    np.testing.assert_allclose(of_chain.start, start, atol=1e-12)
    np.testing.assert_allclose(of_chain.end, end, atol=1e-12)
    assert (of_scores[~real] == 0).all() and np.isfinite(of_scores).all()


def test_probabilities_of_all_sequences_add_up_to_one(x64):
    chain, scores = drawn(batch=1)
    crf = CRF(3, rngs=nnx.Rngs(0))
    crf.start[...], crf.between[...], crf.end[...] = chain
    every = jnp.asarray(list(itertools.product(range(3), repeat=4)))
    nats = crf.nll(jnp.broadcast_to(scores, (81, 4, 3)), every)
    assert float(jnp.exp(-nats).sum()) == pytest.approx(1, rel=1e-12)


def test_a_crf_that_has_learned_nothing_is_a_softmax(x64):
    _, scores = drawn()
    scores = jnp.asarray(scores)
    crf = CRF(3, rngs=nnx.Rngs(0))
    tags = jnp.asarray(np.random.default_rng(2).integers(0, 3, (5, 4)))
    each = -jax.nn.log_softmax(scores)[np.arange(5)[:, None], np.arange(4), tags]
    np.testing.assert_allclose(crf.nll(scores, tags), each.sum(-1), rtol=1e-12)
    np.testing.assert_array_equal(crf.viterbi(scores).tags, scores.argmax(-1))


@pytest.mark.parametrize("batch_shape", [(), (2,), (2, 3)])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_any_batch_shape_and_any_number_of_steps(batch_shape, steps):
    chain, _ = drawn()
    rng = np.random.default_rng(3)
    scores = jnp.asarray(rng.normal(size=(*batch_shape, steps, 3)), jnp.float32)
    best = viterbi(chain, scores)
    assert best.tags.shape == (*batch_shape, steps) and best.score.shape == batch_shape
    total = log_partition(chain, scores)
    assert total.shape == batch_shape and (total >= best.score - 1e-5).all()
    np.testing.assert_allclose(path_score(chain, scores, best.tags), best.score, rtol=1e-5)
    if steps == 0:
        assert (total == 0).all()


def test_long_sequences_in_half_precision_are_summed_in_single():
    crf = CRF(5, rngs=nnx.Rngs(0))
    scores = jnp.zeros((1, 3000, 5), jnp.bfloat16)
    total = crf.log_partition(scores)
    assert total.dtype == jnp.float32
    assert float(total[0]) == pytest.approx(3000 * np.log(5), rel=1e-4)


LABELS = ("O", "B-X", "I-X", "B-Y", "I-Y")


def may_follow(before, label):
    """IOB2 as a sentence: inside a chunk only behind the same chunk's label."""
    return not label.startswith("I-") or (before is not None and before[2:] == label[2:])


def test_what_bio_allows_is_what_the_scheme_says():
    allowed = bio_allowed(LABELS)
    for j, label in enumerate(LABELS):
        assert allowed.start[j] == may_follow(None, label) and allowed.end[j]
        for i, before in enumerate(LABELS):
            assert allowed.between[i, j] == may_follow(before, label)


def test_what_is_not_allowed_has_no_probability(x64):
    crf = CRF(5, rngs=nnx.Rngs(0), allowed=bio_allowed(LABELS))
    rng = np.random.default_rng(4)
    scores = jnp.asarray(rng.normal(size=(1, 3, 5)) + 9 * np.array([0, 0, 1, 0, 1]))
    crf.between[...] = jnp.asarray(rng.normal(size=(5, 5)))
    legal = lambda path: all(
        may_follow(before, label)
        for before, label in itertools.pairwise((None, *(LABELS[tag] for tag in path)))
    )
    chain = Chain(crf.start[...], crf.between[...], crf.end[...])
    paths, each = every_path(chain, np.asarray(scores[0]))
    kept = np.array([legal(path) for path in paths])
    assert 0 < kept.sum() < len(paths) and not kept[each.argmax()]
    expected = np.log(np.exp(each[kept]).sum())
    assert float(crf.log_partition(scores)[0]) == pytest.approx(expected, rel=1e-12)
    best = crf.viterbi(scores)
    assert tuple(best.tags[0].tolist()) == paths[np.where(kept, each, -np.inf).argmax()]
    graph, params, rest = nnx.split(crf, nnx.Param, ...)
    tags = best.tags
    gradient = jax.grad(lambda params: nnx.merge(graph, params, rest).nll(scores, tags).sum())(
        params
    )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    forbidden = jnp.array([[2, 0, 0]])
    assert float(crf.nll(scores, forbidden)[0]) > 5000


def test_under_jit_and_vmap_it_gives_the_same():
    chain, scores = drawn()
    scores = jnp.asarray(scores, jnp.float32)
    whole = log_partition(chain, scores, REAL_STEPS)
    mapped = jax.jit(jax.vmap(partial(log_partition, chain)))(scores, REAL_STEPS)
    np.testing.assert_allclose(whole, mapped, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda crf: CRF(0, rngs=nnx.Rngs(0)), "`tags` must be a positive integer; got 0"),
        (lambda crf: crf.nll(jnp.zeros((2, 4, 3)), jnp.zeros((2, 4), int)), "`scores` must have"),
        (lambda crf: crf.viterbi(jnp.zeros(5)), r"`scores` must have the shape \[\*B, T, 5\]"),
        (
            lambda crf: crf.nll(jnp.zeros((2, 4, 5)), jnp.zeros((2, 3), int)),
            r"`tags` must have the shape \(2, 4\); got \(2, 3\)",
        ),
        (lambda crf: crf.nll(jnp.zeros((2, 4, 5)), jnp.zeros((2, 4))), "`tags` must be integers"),
        (
            lambda crf: crf.log_partition(jnp.zeros((2, 4, 5)), jnp.array([1, 2, 3])),
            r"`lengths` must have the shape \(2,\); got \(3,\)",
        ),
        (
            lambda crf: CRF(3, rngs=nnx.Rngs(0), allowed=bio_allowed(LABELS)),
            r"`allowed` must have the shapes \(\(3,\), \(3, 3\), \(3,\)\)",
        ),
        (lambda crf: bio_allowed(["O", "NP"]), "`labels` must be O, B-something or .*; got 'NP'"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(CRF(5, rngs=nnx.Rngs(0)))
