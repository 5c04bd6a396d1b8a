"""Output layers against NumPy: exact where they say so, and the sampled one in the limit."""

import itertools
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cases import assert_close, numbers
from jaxrnn.nn import AdaptiveSoftmax, SampledSoftmax, Softmax, zipf_cutoffs
from jaxrnn.nn.members import nats_of_members
from jaxrnn.nn.sampled_softmax import draw_log_uniform, log_inclusion

H, V = 6, 23
CUTOFFS = (4, 5, 12)  # one tail cluster of a single symbol
MAKE: dict[str, Any] = {
    "softmax": Softmax,
    "sampled": partial(SampledSoftmax, samples=5),
    "adaptive": partial(AdaptiveSoftmax, cutoffs=CUTOFFS, shrink=2, block_size=3),
}
each_readout = pytest.mark.parametrize("name", MAKE)
RNG = np.random.default_rng(0)
HS: Any = RNG.normal(size=(7, 2, H))
TARGETS: Any = RNG.integers(0, V, (7, 2))
MASK: Any = RNG.random((7, 2)) < 0.6


def make(name, seed=1):
    """A readout with random values in every parameter: a zero bias would hide a missing one."""
    readout = MAKE[name](H, V, rngs=nnx.Rngs(0))
    nnx.update(readout, numbers(nnx.state(readout), seed))
    return readout


def pure(readout):
    """A readout as `nll(params, hs, targets, mask, key)`, and its params."""
    graph, params = nnx.split(readout, nnx.Param)
    return lambda params, *rest, **key: nnx.merge(graph, params).nll(*rest, **key), params


def log_softmax(logits):
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def log_probabilities(readout, hs):
    """All log-probabilities in float64, from the equations."""
    array = lambda param: np.asarray(param[...], np.float64)
    if not isinstance(readout, AdaptiveSoftmax):
        return log_softmax(hs @ array(readout.vectors).T + array(readout.bias))
    head = log_softmax(hs @ array(readout.head.vectors).T + array(readout.head.bias))
    parts = [head[..., : CUTOFFS[0]]]
    for i, tail in enumerate(readout.tails):
        logits = hs @ array(tail.projection) @ array(tail.vectors).T + array(tail.bias)
        parts.append(head[..., CUTOFFS[0] + i, None] + log_softmax(logits))
    return np.concatenate(parts, axis=-1)


def picked(log_p, targets):
    return -np.take_along_axis(log_p, targets[..., None], -1)[..., 0]


@each_readout
def test_values_are_those_of_the_equations(name, x64):
    readout = make(name)
    log_p = log_probabilities(readout, HS)
    logits = np.asarray(readout(HS))
    assert logits.shape == (7, 2, V)
    np.testing.assert_allclose(log_softmax(logits), log_p, rtol=1e-10)
    nats = readout.nll(HS, TARGETS, MASK)
    np.testing.assert_allclose(nats, np.where(MASK, picked(log_p, TARGETS), 0), rtol=1e-10)
    np.testing.assert_allclose(readout.nll(HS, TARGETS), picked(log_p, TARGETS), rtol=1e-10)


def test_log_probabilities_of_the_adaptive_softmax_sum_to_one(x64):
    np.testing.assert_allclose(np.exp(make("adaptive")(HS)).sum(-1), 1, rtol=1e-12)


@each_readout
def test_gradients_are_those_of_finite_differences(name, x64):
    nll, params = pure(make(name))
    weights = RNG.normal(size=TARGETS.shape)
    leaves, tree = jax.tree.flatten((params, jnp.asarray(HS)))
    sizes = np.cumsum([leaf.size for leaf in leaves])[:-1]

    @jax.jit
    def loss(flat):
        parts = jnp.split(flat, sizes)
        shaped = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
        params, hs = jax.tree.unflatten(tree, shaped)
        return jnp.sum(weights * nll(params, hs, TARGETS, MASK))

    flat = jnp.concatenate([leaf.ravel() for leaf in leaves])
    gradient = jax.jit(jax.grad(loss))(flat)
    directions = RNG.normal(size=(3, flat.size))
    for direction in directions:
        slope = (loss(flat + 1e-5 * direction) - loss(flat - 1e-5 * direction)) / 2e-5
        np.testing.assert_allclose(direction @ gradient, slope, rtol=1e-6)


@pytest.mark.parametrize("block_size", [1, 3, 14, None])
def test_adaptive_loss_and_gradient_are_those_of_its_log_probabilities(block_size, x64):
    make_one = partial(AdaptiveSoftmax, cutoffs=CUTOFFS, shrink=2, block_size=block_size)
    readout = make_one(H, V, rngs=nnx.Rngs(0))
    nnx.update(readout, numbers(nnx.state(readout), 1))
    graph, params = nnx.split(readout, nnx.Param)
    weights = jnp.arange(1.0, 15).reshape(7, 2)

    def by_all(params, hs, targets, mask):
        nats = -jnp.take_along_axis(nnx.merge(graph, params)(hs), targets[..., None], -1)[..., 0]
        return jnp.sum(jnp.where(mask, nats, 0) * weights)

    def by_members(params, hs, targets, mask):
        return jnp.sum(nnx.merge(graph, params).nll(hs, targets, mask) * weights)

    expected, actual = (
        jax.jit(jax.value_and_grad(loss, argnums=(0, 1))) for loss in (by_all, by_members)
    )
    everything, nothing = np.ones((7, 2), bool), np.zeros((7, 2), bool)
    # From any symbol to none but those of the last cluster, and none but those of the head.
    for lowest, highest in [(0, V), (4, V), (5, V), (12, V), (0, 4), (4, 5)]:
        targets = np.clip(TARGETS, lowest, highest - 1)
        for mask in (MASK, everything, nothing):
            arguments = (params, jnp.asarray(HS), targets, mask)
            assert_close(actual(*arguments), expected(*arguments), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("block_size", [1, 2, 5, 8])
def test_any_set_of_members_gets_its_nats_and_gradients(block_size, x64):
    # A sum is enough to see which position was read; brute force over all subsets of five.
    nats_of = lambda weight, hs, targets: weight * hs[:, 0] ** 2 + targets
    hs, targets = jnp.arange(1.0, 6)[:, None], jnp.array([3, 1, 4, 1, 5])

    @jax.jit
    @partial(jax.value_and_grad, argnums=(0, 1), has_aux=True)
    def of(weight, hs, member):
        nats = nats_of_members(nats_of, weight, hs, targets, member, block_size=block_size)
        return nats @ jnp.arange(1.0, 6), nats

    for chosen in itertools.product([False, True], repeat=5):
        member: Any = np.array(chosen)
        (_, nats), (d_weight, d_hs) = of(2.0, hs, member)
        np.testing.assert_allclose(nats, member * (2 * hs[:, 0] ** 2 + targets))
        np.testing.assert_allclose(d_weight, (member * np.arange(1, 6) * hs[:, 0] ** 2).sum())
        np.testing.assert_allclose(d_hs[:, 0], member * np.arange(1, 6) * 4 * hs[:, 0])


@each_readout
@pytest.mark.parametrize("key", [None, jax.random.key(3)], ids=["exact", "with a key"])
@pytest.mark.parametrize(("poison", "symbol"), [(np.nan, -1), (np.inf, V), (-np.inf, 10**6)])
def test_masked_positions_may_hold_anything(name, key, poison, symbol):
    nll, params = pure(make(name))
    loss = lambda params, hs, targets: jnp.sum(nll(params, hs, targets, MASK, key=key))
    value_and_grad = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    hs = np.where(MASK[..., None], HS, poison).astype(np.float32)
    poisoned = value_and_grad(params, hs, np.where(MASK, TARGETS, symbol))
    assert_close(poisoned, value_and_grad(params, HS.astype(np.float32), TARGETS), rtol=0, atol=0)
    assert not poisoned[1][1][~MASK].any() and poisoned[1][1][MASK].all()


@each_readout
@pytest.mark.parametrize("key", [None, jax.random.key(3)], ids=["exact", "with a key"])
def test_a_loss_over_nothing_real_is_zero_and_so_is_its_gradient(name, key):
    nll, params = pure(make(name))
    nothing = jnp.zeros((7, 2), bool)
    loss = lambda params: jnp.sum(nll(params, jnp.full(HS.shape, jnp.nan), TARGETS, nothing))
    value, gradient = jax.value_and_grad(loss)(params)
    assert value == 0 and not any(leaf.any() for leaf in jax.tree.leaves(gradient))
    for shape in [(0,), (3, 0)]:
        hs, targets = jnp.zeros((*shape, H)), jnp.zeros(shape, int)
        assert nll(params, hs, targets, key=key).shape == shape
        assert make(name)(hs).shape == (*shape, V)


@each_readout
def test_any_batch_shape_also_none(name):
    readout = make(name)
    nats = readout.nll(HS, TARGETS, MASK)
    np.testing.assert_allclose(readout.nll(HS[3, 1], TARGETS[3, 1]), nats[3, 1], rtol=1e-5)
    assert readout(HS[3, 1]).shape == (V,)
    deep = readout.nll(HS[None, :, :, None], TARGETS[None, :, :, None], MASK[None, :, :, None])
    np.testing.assert_allclose(deep[0, :, :, 0], nats, rtol=1e-5, atol=1e-6)


@each_readout
def test_under_vmap_a_batch_is_its_examples(name):
    nll, params = pure(make(name))
    nats = nll(params, HS, TARGETS, MASK)
    batched = jax.vmap(partial(nll, params))(HS, TARGETS, MASK)
    np.testing.assert_allclose(batched, nats, rtol=1e-5, atol=1e-6)


@each_readout
def test_bfloat16_gives_nats_in_float32(name):
    readout = make(name)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), nnx.state(readout))
    nnx.update(readout, half)
    hs = jnp.asarray(HS, jnp.bfloat16)
    assert readout(hs).dtype == jnp.bfloat16
    for key in (None, jax.random.key(0)):
        assert readout.nll(hs, TARGETS, key=key).dtype == jnp.float32
    wide = log_probabilities(readout, np.asarray(hs, np.float64))
    np.testing.assert_allclose(readout.nll(hs, TARGETS), picked(wide, TARGETS), atol=0.05)


@each_readout
def test_a_symbol_outside_the_vocabulary_at_a_real_position_is_not_hidden(name):
    readout = make(name)
    for key in (None, jax.random.key(0)):
        nats = readout.nll(jnp.ones((2, H)), jnp.array([0, V]), key=key)
        assert np.isfinite(nats[0]) and np.isnan(nats[1])


@each_readout
def test_a_vocabulary_of_two(name):
    options = {"adaptive": {"cutoffs": (1,)}, "sampled": {"samples": 1}}.get(name, {})
    kinds: dict[str, Any] = {
        "softmax": Softmax,
        "sampled": SampledSoftmax,
        "adaptive": AdaptiveSoftmax,
    }
    readout = kinds[name](H, 2, rngs=nnx.Rngs(0), **options)
    nats = [readout.nll(jnp.ones(H), jnp.array(v)) for v in (0, 1)]
    np.testing.assert_allclose(np.exp(-np.array(nats)).sum(), 1, rtol=1e-5)
    assert np.isfinite(readout.nll(jnp.ones(H), jnp.array(0), key=jax.random.key(0)))


@each_readout
def test_at_the_start_all_symbols_cost_about_alike(name):
    readout = MAKE[name](H, V, rngs=nnx.Rngs(0))
    zeros = jnp.zeros((V, H))
    nats = readout.nll(zeros, jnp.arange(V))
    # From a state of zeros, the full softmax is uniform and the adaptive one is so by clusters.
    assert abs(float(np.exp(-nats).sum()) - 1) < 1e-5
    if name != "adaptive":
        np.testing.assert_allclose(nats, np.log(V), rtol=1e-6)


def test_the_vectors_start_as_those_of_a_linear_layer():
    ours = Softmax(64, 500, rngs=nnx.Rngs(0)).vectors[...]
    linear = nnx.Linear(64, 500, rngs=nnx.Rngs(1)).kernel[...]
    np.testing.assert_allclose(ours.std(), linear.std(), rtol=0.02)
    np.testing.assert_allclose(jnp.abs(ours).max(), jnp.abs(linear).max(), rtol=0.01)


# The sampled softmax


def estimate(readout, drawn, hs, targets):
    """The estimate from the docstring, for symbols that were drawn; also its gradient in s."""
    probability = np.log1p(1 / (np.arange(V) + 1)) / np.log(V + 1)
    inclusion = 1 - (1 - probability) ** len(drawn)
    scores = hs @ np.asarray(readout.vectors[...]).T + np.asarray(readout.bias[...])
    nats = np.zeros(targets.shape)
    for where in np.ndindex(targets.shape):
        others = set(drawn.tolist()) - {int(targets[where])}
        total = sum(np.exp(scores[where][k]) / inclusion[k] for k in others)
        own = scores[where][targets[where]]
        nats[where] = np.log(np.exp(own) + total) - own
    return nats


@pytest.mark.parametrize("seed", range(4))
def test_the_estimate_is_that_of_the_equation(seed, x64):
    readout, key = make("sampled"), jax.random.key(seed)
    drawn = np.asarray(draw_log_uniform(key, 5, V))
    nats = readout.nll(HS, TARGETS, MASK, key=key)
    expected = np.where(MASK, estimate(readout, drawn, HS, TARGETS), 0)
    np.testing.assert_allclose(nats, expected, rtol=1e-5)


def test_proposals_follow_the_law_of_zipf():
    draws = np.asarray(draw_log_uniform(jax.random.key(0), 200_000, V))
    law = np.log1p(1 / (np.arange(V) + 1)) / np.log(V + 1)
    np.testing.assert_allclose(law.sum(), 1)
    np.testing.assert_allclose(np.bincount(draws, minlength=V) / 200_000, law, atol=4e-3)


def test_proposals_reach_every_rare_symbol_of_a_large_vocabulary():
    # A float32 alone would leave out every second of them.
    size = 2_000_000
    draws = np.unique(draw_log_uniform(jax.random.key(0), 2_000_000, size))
    rare = np.count_nonzero(draws >= size - 100_000)
    times = 2_000_000 * np.log(size / (size - 100_000)) / np.log(size)
    np.testing.assert_allclose(rare, 100_000 * (1 - np.exp(-times / 100_000)), rtol=0.02)
    assert np.unique(draws[draws >= size - 100_000] % 4, return_counts=True)[1].min() > rare / 5


def test_the_weights_are_the_chances_to_be_drawn():
    keys = jax.random.split(jax.random.key(0), 20_000)
    draws = jax.vmap(lambda key: draw_log_uniform(key, 8, V))(keys)
    seen = np.mean([(draws == k).any(-1) for k in range(V)], axis=-1)
    np.testing.assert_allclose(np.exp(log_inclusion(jnp.arange(V), 8, V)), seen, atol=0.015)


def test_the_sampled_loss_and_its_gradient_converge_to_the_full_ones():
    graph, params = nnx.split(make("sampled"), nnx.Param)
    keys = jax.random.split(jax.random.key(0), 1000)

    def value_and_gradient(samples, keys):
        def loss(params, key):
            readout = nnx.merge(graph, params)
            readout.samples = samples
            return jnp.mean(readout.nll(HS.astype(np.float32), TARGETS, key=key))

        return jax.vmap(jax.value_and_grad(loss), in_axes=(None, 0))(params, keys)

    exact, slopes = jax.value_and_grad(
        lambda params: jnp.mean(nnx.merge(graph, params).nll(HS.astype(np.float32), TARGETS))
    )(params)

    def errors(samples):
        """Of the loss and of its gradient: the error of the mean over keys, and the mean error."""
        losses, gradients = jax.jit(partial(value_and_gradient, samples))(keys)
        differences = jax.tree.map(
            lambda a, b: np.asarray(a - b).reshape(1000, -1), gradients, slopes
        )
        rows = np.concatenate(jax.tree.leaves(differences), axis=-1)
        differences = [np.asarray(losses - exact)[:, None], rows]
        return [(np.linalg.norm(d.mean(0)), np.linalg.norm(d, axis=-1).mean()) for d in differences]

    for by_samples in zip(*map(errors, (4, 16, 64, 1024)), strict=True):
        of_mean, mean = np.array(by_samples).T
        assert (of_mean[:3] < mean[:3]).all()
        assert (of_mean[:3] > 1.3 * of_mean[1:]).all() and (mean[:3] > 1.3 * mean[1:]).all()
        assert mean[3] < 1e-5  # by now every symbol is drawn


def test_the_sampled_sum_is_unbiased(x64):
    readout = make("sampled")
    hs, target = jnp.asarray(HS[0, 0]), jnp.asarray(TARGETS[0, 0])
    keys = jax.random.split(jax.random.key(1), 8_000)
    ratio = jax.vmap(lambda key: jnp.exp(readout.nll(hs, target, key=key)))(keys)
    np.testing.assert_allclose(ratio.mean(), jnp.exp(readout.nll(hs, target)), rtol=0.03)


def test_the_same_key_draws_the_same_sample_and_another_another():
    readout = make("sampled")
    draw = lambda seed: np.asarray(readout.nll(HS, TARGETS, key=jax.random.key(seed)))
    np.testing.assert_array_equal(draw(0), draw(0))
    assert (draw(0) != draw(1)).any()


def test_drawing_the_target_alone_leaves_a_loss_of_zero():
    # All five samples are the target, so nothing is left to compare it with.
    readout = SampledSoftmax(H, 1, samples=5, rngs=nnx.Rngs(0))
    loss = lambda hs: readout.nll(hs, jnp.array(0), key=jax.random.key(0))
    value, gradient = jax.value_and_grad(loss)(jnp.ones(H))
    assert value == 0 and not gradient.any()


# Memory


def temporary_bytes(readout, positions):
    graph, params = nnx.split(readout, nnx.Param)
    hs, targets = jnp.ones((positions, 32)), jnp.zeros(positions, int)

    def loss(params, hs, key):
        return jnp.sum(nnx.merge(graph, params).nll(hs, targets, key=key))

    lowered = jax.jit(jax.grad(loss, argnums=(0, 1))).lower(params, hs, jax.random.key(0))
    memory: Any = lowered.compile().memory_analysis()
    return memory.temp_size_in_bytes


def test_only_the_full_softmax_holds_all_logits():
    positions, size = 1024, 20_000
    logits = 4 * positions * size
    make = lambda kind, **options: kind(32, size, rngs=nnx.Rngs(0), **options)
    assert temporary_bytes(make(Softmax), positions) >= logits
    assert temporary_bytes(make(SampledSoftmax, samples=64), positions) < logits / 20
    adaptive = make(AdaptiveSoftmax, cutoffs=(100, 1000), block_size=16)
    assert temporary_bytes(adaptive, positions) < logits / 8


# Arguments


def test_cutoffs_share_a_zipfian_text_out():
    for size, tails in [(1000, 1), (10_000, 2), (1_000_000, 4)]:
        cutoffs = zipf_cutoffs(size, tails=tails, head=0.6)
        bounds = np.array([0, *cutoffs, size])
        shares = np.diff(np.log(bounds + 1) / np.log(size + 1))
        np.testing.assert_allclose(shares, [0.6, *[0.4 / tails] * tails], atol=0.002)
    adaptive = AdaptiveSoftmax(H, 300, cutoffs=zipf_cutoffs(300), rngs=nnx.Rngs(0))
    assert adaptive(jnp.ones(H)).shape == (300,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Softmax(0, V, rngs=nnx.Rngs(0)), "`hidden_size` must be a positive integer; got"),
        (lambda: Softmax(H, -1, rngs=nnx.Rngs(0)), "`vocabulary_size` must be a positive integer"),
        (
            lambda: SampledSoftmax(H, V, samples=0, rngs=nnx.Rngs(0)),
            "`samples` must be a positive integer; got 0",
        ),
        (
            lambda: AdaptiveSoftmax(H, V, cutoffs=(), rngs=nnx.Rngs(0)),
            r"`cutoffs` must be integers that rise between 0 and the 23 symbols; got \(\)",
        ),
        (
            lambda: AdaptiveSoftmax(H, V, cutoffs=(5, 5), rngs=nnx.Rngs(0)),
            r"`cutoffs` must be integers that rise .*; got \(5, 5\)",
        ),
        (
            lambda: AdaptiveSoftmax(H, V, cutoffs=(5, V), rngs=nnx.Rngs(0)),
            r"`cutoffs` must be integers that rise .*; got \(5, 23\)",
        ),
        (
            lambda: AdaptiveSoftmax(H, V, cutoffs=(5.5,), rngs=nnx.Rngs(0)),  # pyright: ignore[reportArgumentType]
            "`cutoffs` must be a positive integer; got 5.5",
        ),
        (
            lambda: AdaptiveSoftmax(H, V, cutoffs=(5,), shrink=0, rngs=nnx.Rngs(0)),
            "`shrink` must be a positive integer; got 0",
        ),
        (
            lambda: AdaptiveSoftmax(H, V, cutoffs=(5,), block_size=0, rngs=nnx.Rngs(0)),
            "`block_size` must be a positive integer; got 0",
        ),
        (lambda: zipf_cutoffs(10, tails=9), "`vocabulary_size` must be larger for 9 tail clusters"),
        (lambda: zipf_cutoffs(100, head=1.0), "`head` must lie between 0 and 1; got 1.0"),
        (lambda: zipf_cutoffs(0), "`vocabulary_size` must be a positive integer; got 0"),
    ],
)
def test_a_wrong_option_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@each_readout
def test_a_wrong_argument_is_named(name):
    readout = make(name)
    with pytest.raises(ValueError, match=r"`hs` must have the shape \[\*B, 6\]; got \(7, 2\)"):
        readout(HS[..., 0])
    with pytest.raises(ValueError, match=r"`hs` must have the shape \[\*B, 6\]; got \(2, 5\)"):
        readout.nll(jnp.ones((2, 5)), jnp.zeros(2, int))
    with pytest.raises(ValueError, match=r"`targets` must have the shape \(7, 2\); got \(7,\)"):
        readout.nll(HS, TARGETS[:, 0])
    with pytest.raises(ValueError, match="`targets` must be integers; got float"):
        readout.nll(HS, HS[..., 0])
    with pytest.raises(ValueError, match=r"`mask` must have the shape \(7, 2\); got \(2,\)"):
        readout.nll(HS, TARGETS, MASK[0])
