"""Truncated BPTT is what it says: full inside a segment, nothing across its borders."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxrnn import lstm, unroll
from jaxrnn.train import evaluator, init_state, tbptt_scan, tbptt_step

T, B, D, H = 6, 3, 2, 4
CELL = lstm(D, H)


class Segment(NamedTuple):
    xs: jax.Array  # [T, B, D]
    targets: jax.Array  # [T, B, H]
    mask: jax.Array  # [T, B]
    resets: jax.Array  # [T, B]


def loss_fn(params, carry, segment, key):
    del key
    carry, ys = unroll(CELL, params, carry, segment.xs, resets=segment.resets)
    squares = jnp.sum((ys - segment.targets) ** 2, axis=-1)
    return jnp.sum(jnp.where(segment.mask, squares, 0)), jnp.sum(segment.mask), carry


def make_segments(count, seed=0):
    rng = np.random.default_rng(seed)
    xs = rng.normal(size=(count, T, B, D))
    targets = rng.normal(size=(count, T, B, H))
    mask = rng.random((count, T, B)) < 0.7
    resets = rng.random((count, T, B)) < 0.1
    return Segment(jnp.array(xs), jnp.array(targets), jnp.array(mask), jnp.array(resets))


def start(optimizer, seed=1):
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(CELL.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: jnp.array(rng.normal(size=leaf.shape)), shapes)
    carry = jax.tree.map(
        lambda leaf: jnp.array(rng.normal(size=leaf.shape)), CELL.initial_carry((B,))
    )
    return params, carry, init_state(params, optimizer, carry, jax.random.key(2))


def difference(before, after):
    return jax.tree.map(lambda a, b: np.asarray(a - b), before, after)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def test_one_segment_is_full_bptt():
    params, carry, state = start(optax.sgd(1.0))
    segment = jax.tree.map(lambda leaf: leaf[0], make_segments(1))

    def mean_loss(params):
        total, tokens, _ = loss_fn(params, carry, segment, None)
        return total / tokens

    loss, gradient = jax.value_and_grad(mean_loss)(params)
    state, metrics = tbptt_step(loss_fn, optax.sgd(1.0))(state, segment)
    chex.assert_trees_all_close(difference(params, state.params), gradient, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(metrics.loss, loss, rtol=1e-14)
    np.testing.assert_allclose(metrics.grad_norm, optax.tree.norm(gradient), rtol=1e-12)


def test_the_carry_is_handed_over_exactly():
    params, carry, state = start(optax.sgd(0.0))
    segments = make_segments(2)
    state, _ = tbptt_scan(loss_fn, optax.sgd(0.0))(state, segments)
    whole = jax.tree.map(lambda leaf: leaf.reshape(2 * T, *leaf.shape[2:]), segments)
    expected, _ = unroll(CELL, params, carry, whole.xs, resets=whole.resets)
    chex.assert_trees_all_equal(state.carry, expected)


def test_no_gradient_crosses_a_border():
    params, carry, _ = start(optax.sgd(0.1))
    segment = jax.tree.map(lambda leaf: leaf[0], make_segments(1))._replace(
        resets=jnp.zeros((T, B), bool)
    )
    update = tbptt_step(loss_fn, optax.sgd(0.1))

    def after(carry, params):
        state = init_state(params, optax.sgd(0.1), carry, jax.random.key(0))
        state, metrics = update(state, segment)
        return sum(map(jnp.sum, jax.tree.leaves(state.carry))) + metrics.loss

    def loss(carry):
        return loss_fn(params, carry, segment, None)[0]

    through_border = jax.grad(after)(carry, params)
    assert all(not leaf.any() for leaf in jax.tree.leaves(through_border))
    # The same carry matters when nothing stops the gradient, so the zeros above mean something.
    assert all(leaf.all() for leaf in jax.tree.leaves(jax.grad(loss)(carry)))


def test_many_segments_in_one_call_are_many_calls():
    optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(1e-2))
    segments = make_segments(4)
    _, _, scanned = start(optimizer)
    scanned, scanned_metrics = tbptt_scan(loss_fn, optimizer)(scanned, segments)
    _, _, stepped = start(optimizer)
    update = tbptt_step(loss_fn, optimizer)
    losses = []
    for i in range(4):
        stepped, metrics = update(stepped, jax.tree.map(lambda leaf, i=i: leaf[i], segments))
        losses.append(metrics.loss)
    for a, b in ((scanned.params, stepped.params), (scanned.carry, stepped.carry)):
        chex.assert_trees_all_close(a, b, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(scanned_metrics.loss, losses, rtol=1e-12)
    assert int(scanned.step) == int(stepped.step) == 4


def test_textbook_scalar_network():
    """h_t = φ(u x_t + w h_{t-1}), r_t = v h_t, L = Σ ½(r_t - y_t)²/T, in two segments."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=8), rng.normal(size=8)
    u, v, w = 0.7, -1.3, 0.9

    def adjoint(x, y, h_before):
        """The chain rule by hand: δ_t = dL/dh_t = v e_t + w φ'(a_{t+1}) δ_{t+1}."""
        steps = len(x)
        h = [h_before]
        for t in range(steps):
            h.append(np.tanh(u * x[t] + w * h[-1]))
        e = [(v * h[t + 1] - y[t]) / steps for t in range(steps)]
        du = dv = dw = later = 0.0
        for t in reversed(range(steps)):
            delta = (v * e[t] + later) * (1 - h[t + 1] ** 2)
            du, dv, dw = du + delta * x[t], dv + e[t] * h[t + 1], dw + delta * h[t]
            later = w * delta
        return {"u": du, "v": dv, "w": dw}, h[-1]

    def scalar_loss(params, h, segment, key):
        del key
        xs, ys = segment

        def step(params, h, x):
            h = jnp.tanh(params["u"] * x + params["w"] * h)
            return h, params["v"] * h

        h, rs = unroll(step, params, h, xs)
        return jnp.sum((rs - ys) ** 2) / 2, xs.size, h

    params = {"u": jnp.array(u), "v": jnp.array(v), "w": jnp.array(w)}
    state = init_state(params, optax.sgd(1.0), jnp.zeros(()), jax.random.key(0))
    update = tbptt_step(scalar_loss, optax.sgd(1.0))
    for half in (slice(0, 4), slice(4, 8)):
        before, h_before = jax.tree.map(float, (state.params, state.carry))
        u, v, w = before["u"], before["v"], before["w"]
        expected, h_after = adjoint(x[half], y[half], h_before)
        state, _ = update(state, (jnp.array(x[half]), jnp.array(y[half])))
        chex.assert_trees_all_close(difference(before, state.params), expected, rtol=1e-12)
        np.testing.assert_allclose(state.carry, h_after, rtol=1e-14)
    assert h_before != 0  # the second segment did start from the carry of the first


def test_clipping_bounds_the_update_and_not_the_report():
    optimizer = optax.chain(optax.clip_by_global_norm(1e-3), optax.sgd(1.0))
    params, _, state = start(optimizer)
    segment = jax.tree.map(lambda leaf: leaf[0], make_segments(1))
    state, metrics = tbptt_step(loss_fn, optimizer)(state, segment)
    np.testing.assert_allclose(optax.tree.norm(difference(params, state.params)), 1e-3, rtol=1e-10)
    assert metrics.grad_norm > 0.1


def test_a_segment_without_real_tokens_changes_nothing():
    params, _, state = start(optax.sgd(1.0))
    segment = jax.tree.map(lambda leaf: leaf[0], make_segments(1))
    segment = segment._replace(mask=jnp.zeros_like(segment.mask))
    state, metrics = tbptt_step(loss_fn, optax.sgd(1.0))(state, segment)
    chex.assert_trees_all_equal(state.params, params)
    assert metrics.loss == 0 and metrics.tokens == 0


def test_one_trace_for_one_shape():
    traced: Any = chex.assert_max_traces(loss_fn, n=1)
    segments = make_segments(3)
    _, _, state = start(optax.adam(1e-3))
    update = tbptt_step(traced, optax.adam(1e-3))
    for i in range(3):
        state, _ = update(state, jax.tree.map(lambda leaf, i=i: leaf[i], segments))
    assert int(state.step) == 3


def test_each_update_has_a_key_of_its_own_that_depends_on_the_step_alone():
    def noisy(params, carry, segment, key):
        total, tokens, carry = loss_fn(params, carry, segment, key)
        return total + 0 * tokens, tokens, carry._replace(h=jax.random.uniform(key, carry.h.shape))

    segments = make_segments(2)
    _, _, state = start(optax.sgd(0.1))
    key = jax.random.clone(state.key)  # the update donates the state
    first, _ = tbptt_step(noisy, optax.sgd(0.1))(
        state, jax.tree.map(lambda leaf: leaf[0], segments)
    )
    h_first = np.asarray(first.carry.h)
    second, _ = tbptt_step(noisy, optax.sgd(0.1))(
        first, jax.tree.map(lambda leaf: leaf[1], segments)
    )
    for step, h in ((0, h_first), (1, second.carry.h)):
        expected = jax.random.uniform(jax.random.fold_in(key, step), h.shape)
        np.testing.assert_array_equal(h, expected)


def scheduled(params, carry, segment, key, value):
    total, tokens, carry = loss_fn(params, carry, segment, key)
    return value * total, tokens, carry


def test_a_schedule_gives_the_loss_its_value_at_each_update():
    segments, schedule = make_segments(3), lambda step: 1.0 / (step + 1)
    params, carry, scanned = start(optax.sgd(0.1))
    # Taken up in the middle, because the value depends on the updates so far and nothing else.
    scanned = scanned._replace(step=jnp.int32(4))
    update = tbptt_scan(scheduled, optax.sgd(0.1), schedule=schedule)
    scanned, metrics = update(scanned, segments)
    for i in range(3):
        segment = jax.tree.map(lambda leaf, i=i: leaf[i], segments)

        def loss(params, carry=carry, segment=segment, i=i):
            total, tokens, after = loss_fn(params, carry, segment, None)
            return total / tokens / (i + 5), after

        (value, carry), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        params = jax.tree.map(lambda a, g: a - 0.1 * g, params, gradient)
        np.testing.assert_allclose(metrics.loss[i], value, rtol=1e-12)
    chex.assert_trees_all_close(scanned.params, params, rtol=1e-11, atol=1e-14)
    _, _, state = start(optax.sgd(0.1))
    step = tbptt_step(scheduled, optax.sgd(0.1), schedule=schedule)
    state, first = step(state._replace(step=jnp.int32(4)), jax.tree.map(lambda x: x[0], segments))
    np.testing.assert_allclose(first.loss, metrics.loss[0], rtol=1e-12)


def test_one_trace_for_all_values_of_a_schedule():
    traced: Any = chex.assert_max_traces(scheduled, n=1)
    _, _, state = start(optax.sgd(0.1))
    update = tbptt_scan(traced, optax.sgd(0.1), schedule=optax.linear_schedule(1.0, 0.0, 10))
    for _ in range(3):
        state, _ = update(state, make_segments(2))


def test_evaluation_weighs_every_token_alike():
    params, carry, _ = start(optax.sgd(1.0))
    segments = make_segments(3)
    loss = evaluator(loss_fn)(params, carry, segments)
    total = tokens = 0.0
    for i in range(3):
        a, b, carry = loss_fn(params, carry, jax.tree.map(lambda x, i=i: x[i], segments), None)
        total, tokens = total + a, tokens + b
    np.testing.assert_allclose(loss, total / tokens, rtol=1e-12)
