"""Learning rates that fall after some epochs, or when validation stalls."""

import io
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from rich.console import Console

from jaxrnn.train import (
    Run,
    divide_after,
    fit,
    init_state,
    report_validation,
    scale_on_stall,
    tbptt_scan,
)
from jaxrnn.train.learning_rates import ScaleOnStallState


def rates_of_the_program(rate, max_epoch, decay, epochs):
    """The rate in each epoch of a program that divides after an epoch numbered above max_epoch."""
    rates = []
    for epoch in range(1, epochs + 1):
        rates.append(rate)
        if epoch > max_epoch:
            rate = rate / decay
    return rates


@pytest.mark.parametrize("size", [1, 3, 7, 93, 2323])
def test_the_rate_of_every_epoch(size):
    schedule = divide_after(1.0, epochs=5, updates_per_epoch=size, factor=2.0)
    rates = np.asarray(jax.jit(jax.vmap(schedule))(jnp.arange(13 * size))).reshape(13, size)
    expected = rates_of_the_program(1.0, 4, 2.0, 13)
    np.testing.assert_allclose(rates, np.repeat(np.array(expected)[:, None], size, 1), rtol=1e-6)
    assert rates[-1, 0] == 2.0**-8


def test_the_rates_of_the_larger_networks():
    for max_epoch, decay, epochs in ((6, 1.2, 39), (14, 1.15, 55)):
        schedule = divide_after(1.0, epochs=max_epoch + 1, updates_per_epoch=10, factor=decay)
        rates = jax.vmap(schedule)(10 * jnp.arange(epochs) + 9)
        expected = rates_of_the_program(1.0, max_epoch, decay, epochs)
        np.testing.assert_allclose(rates, expected, rtol=1e-5)


def scales(losses, **options):
    """The scale after each check."""
    optimizer: Any = optax.chain(
        optax.clip_by_global_norm(1.0), optax.sgd(0.5), scale_on_stall(**options)
    )
    state, found = optimizer.init(jnp.zeros(2)), []
    for loss in losses:
        state = report_validation(state, loss)
        step, state = optimizer.update(jnp.array([1.0, 0.0]), state)
        found.append(float(step[0] / -0.5))
    return found


def by_hand(losses, factor, gain, lasting):
    scale, best, stalled, found = 1.0, None, False, []
    for loss in losses:
        stall = best is not None and not (best - loss) / best >= gain
        stalled = stalled or stall
        scale = scale * factor if stall or (lasting and stalled) else scale
        best = loss if best is None or loss < best else best
        found.append(scale)
    return found


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize(("factor", "gain"), [(0.5, 0.003), (0.25, 0.1), (0.5, 0.0)])
def test_a_stall_lowers_the_scale(factor, gain, lasting):
    losses = np.array([5.0, 4.0, 3.99, 3.98, 3.0, 3.1, 3.2, 2.9, 2.0, 2.5, 1.0], np.float32)
    expected = by_hand(losses, factor, gain, lasting)
    assert scales(losses, factor=factor, gain=gain, lasting=lasting) == expected
    assert expected[-1] < 1


def test_the_two_ways_differ_after_a_stall():
    losses = [4.0, 4.0, 3.0, 2.0]
    assert scales(losses) == [1.0, 0.5, 0.5, 0.5]
    assert scales(losses, lasting=True) == [1.0, 0.5, 0.25, 0.125]


def test_a_loss_that_is_no_number_is_a_stall_and_not_the_best():
    assert scales([4.0, np.nan, 3.0, 3.5]) == [1.0, 0.5, 0.5, 0.25]
    assert scales([np.nan, 3.0]) == [0.5, 0.5]


def test_losses_below_zero():
    assert scales([-1.0, -1.001, -2.0]) == [1.0, 0.5, 0.5]


def test_found_wherever_it_is_in_a_chain():
    labels = {"a": "slow", "b": "fast"}
    parts: Any = {"slow": optax.chain(optax.sgd(1.0), scale_on_stall(0.5)), "fast": optax.adam(1.0)}
    optimizer: Any = optax.chain(optax.partition(parts, labels), optax.chain(scale_on_stall(0.25)))
    params = {"a": jnp.ones(()), "b": jnp.ones(())}
    before = optimizer.init(params)
    after = report_validation(report_validation(before, 1.0), 1.0)
    ours = lambda node: isinstance(node, ScaleOnStallState)
    found = [node for node in jax.tree.leaves(after, is_leaf=ours) if ours(node)]
    assert sorted(float(node.scale) for node in found) == [0.25, 0.5]
    assert jax.tree.structure(after) == jax.tree.structure(before)
    step, _ = optimizer.update(params, after, params)
    assert float(step["a"]) == -0.125
    adam = optax.adam(1.0).init(params)
    jax.tree.map(np.testing.assert_array_equal, report_validation(adam, 1.0), adam)


def test_one_scale_for_each_member_of_an_ensemble():
    state = jax.vmap(scale_on_stall().init)(jnp.zeros((3, 2)))
    for losses in (jnp.array([1.0, 1.0, 1.0]), jnp.array([0.5, 1.0, 0.999])):
        state = report_validation(state, losses)
    assert state.scale.tolist() == [1.0, 0.5, 0.5]


def test_dtypes_stay(x64):
    optimizer: Any = scale_on_stall()
    state = optimizer.init(None)
    told = report_validation(state, np.float64(2.0))
    step, after = optimizer.update(jnp.ones(2, jnp.bfloat16), told)
    assert step.dtype == jnp.bfloat16
    kinds = lambda tree: [(leaf.shape, leaf.dtype, leaf.weak_type) for leaf in tree]
    assert kinds(state) == kinds(told) == kinds(after)


SEGMENTS = np.random.default_rng(0).normal(size=(10, 4, 2))


def start_of_a_fit():
    loss = lambda params, carry, xs, key: (jnp.sum((xs - params) ** 2), xs.size, carry)
    optimizer = optax.chain(optax.sgd(0.3), scale_on_stall(gain=0.02))
    state = init_state(jnp.full(2, 3.0), optimizer, jnp.zeros(2), jax.random.key(0))
    return tbptt_scan(loss, optimizer), state


def run_a_fit(folder, update, state, steps):
    return fit(
        update,
        state,
        SEGMENTS,
        steps=steps,
        run=Run(folder),
        validate=lambda params: float(np.sum(np.square(params))) + 1,
        check_every=4,
        updates_per_call=3,
        console=Console(file=io.StringIO()),
    )


def test_fit_reports_and_a_resumed_run_has_the_same_bits(tmp_path):
    whole = run_a_fit(tmp_path / "whole", *start_of_a_fit(), 24)
    assert 0 < float(whole.opt_state[1].scale) < 1
    update, state = start_of_a_fit()
    calls = []

    def failing(state, segments):
        calls.append(1)
        if len(calls) == 8:
            raise RuntimeError("as if it had been killed")
        return update(state, segments)

    with pytest.raises(RuntimeError, match="killed"):
        run_a_fit(tmp_path / "part", failing, state, 24)
    part = run_a_fit(tmp_path / "part", update, start_of_a_fit()[1], 24)
    for a, b in zip(jax.tree.leaves(whole[:4]), jax.tree.leaves(part[:4]), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: scale_on_stall(1.0), "`factor` must lie between 0 and 1; got 1.0"),
        (lambda: scale_on_stall(gain=-0.1), "`gain` must be at least 0 and below 1; got -0.1"),
        (
            lambda: divide_after(1.0, epochs=0, updates_per_epoch=1, factor=2.0),
            "`epochs` must be a positive integer; got 0",
        ),
        (
            lambda: divide_after(1.0, epochs=1, updates_per_epoch=1.5, factor=2.0),  # type: ignore
            "`updates_per_epoch` must be a positive integer; got 1.5",
        ),
        (
            lambda: divide_after(0.0, epochs=1, updates_per_epoch=1, factor=2.0),
            "`learning_rate` must be positive; got 0.0",
        ),
        (
            lambda: divide_after(1.0, epochs=1, updates_per_epoch=1, factor=1.0),
            "`factor` must be greater than 1; got 1.0",
        ),
    ],
)
def test_wrong_arguments(wrong, message):
    with pytest.raises(ValueError) as error:
        wrong()
    assert str(error.value) == message
