import itertools
import os
import signal
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

from jaxrnn import train
from jaxrnn.data import Batches, Padded, pad


class Pair(NamedTuple):
    source: Any
    target: Any


def pairs(count: int) -> list[Pair]:
    """Example i is i + 1 steps long, and three more in the target."""
    return [Pair(np.full(i + 1, i + 1), np.full(i + 4, -i)) for i in range(count)]


def rows(batch: Padded) -> list[int]:
    """The first symbols of the sources, which name the examples."""
    return np.ravel(batch.values.source[..., 0]).tolist()


def test_every_field_is_padded_by_itself():
    batch = pad(pairs(3))
    assert batch.values.source.tolist() == [[1, 0, 0], [2, 2, 0], [3, 3, 3]]
    assert batch.values.target.shape == (3, 6) and batch.lengths.target.tolist() == [4, 5, 6]
    assert batch.lengths.source.dtype == np.int32


def test_vectors_at_each_step_and_numbers_keep_their_shape():
    examples = [(np.ones((2, 4), np.float32), 3), (np.zeros((0, 4), np.float32), 5)]
    batch = pad(examples)
    assert batch.values[0].shape == (2, 2, 4) and batch.values[0].dtype == np.float32
    assert batch.values[1].tolist() == [3, 5] and batch.lengths[1].tolist() == [1, 1]
    assert batch.lengths[0].tolist() == [2, 0]


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "`examples` must hold at least one; got 0"),
        ([{"a": [1]}, {"b": [1]}], "`examples` must be of one structure"),
        ([(np.ones((2, 3)),), (np.ones((2, 4)),)], r"`examples\[0\]` must have the trailing shape"),
    ],
)
def test_examples_that_do_not_fit_together_are_refused(examples, message):
    with pytest.raises(ValueError, match=message):
        pad(examples)


def test_a_field_longer_than_asked_for_is_refused():
    with pytest.raises(ValueError, match=r"`examples.target` must have at most 5 steps; got 6"):
        pad(pairs(3), lengths=Pair(3, 5))


@given(
    count=st.integers(1, 9),
    batch_size=st.integers(1, 5),
    buckets=st.integers(1, 3),
    seed=st.integers(0, 5),
)
def test_every_example_comes_once_in_a_round_of_its_bucket(count, batch_size, buckets, seed):
    examples = pairs(count * buckets)
    source = Batches(examples, batch_size=batch_size, seed=seed, buckets=buckets)
    for bucket in range(buckets):
        seen = [
            r for i in range(count) for r in rows(source.take(np.array([i * buckets + bucket])))
        ]
        own = sorted(example.source[0] for example in examples[bucket * count :][:count])
        assert all(sorted(seen[k * count : (k + 1) * count]) == own for k in range(batch_size))


def test_a_batch_depends_on_the_seed_and_its_number_alone():
    make = lambda seed: Batches(pairs(20), batch_size=4, seed=seed, buckets=2)
    source = make(1)
    together = source.take(np.arange(6))
    one = make(1).take(np.array([4]))
    assert rows(one) == np.ravel(together.values.source[4, :, 0]).tolist()
    np.testing.assert_array_equal(one.lengths.target[0], together.lengths.target[4])
    assert rows(together) != rows(make(2).take(np.arange(6)))
    rounds = np.reshape(rows(Batches(pairs(8), batch_size=8, seed=0).take(np.arange(3))), (3, 8))
    assert (np.sort(rounds) == np.arange(1, 9)).all()
    assert rounds[0].tolist() != rounds[1].tolist() != rounds[2].tolist()


def test_a_bucket_has_one_shape_and_batches_taken_together_share_the_widest():
    source = Batches(pairs(20), batch_size=4, seed=0, buckets=2)
    assert source.take(np.array([0])).values.source.shape == (1, 4, 10)
    assert source.take(np.array([2])).values.source.shape == (1, 4, 10)
    assert source.take(np.array([1])).values.target.shape == (1, 4, 23)
    assert source.take(np.array([0, 1])).values.target.shape == (2, 4, 23)


def test_more_buckets_than_examples_are_refused():
    with pytest.raises(ValueError, match="`examples` must hold at least buckets = 3; got 2"):
        Batches(pairs(2), batch_size=1, seed=0, buckets=3)


def test_a_module_is_trained_on_batches_and_put_together_again(tmp_path):
    """The mean of what is not padding, learned by one weight; a resumed run ends the same."""

    class Mean(nnx.Module):
        def __init__(self):
            self.weight = nnx.Param(jnp.zeros(()))
            self.scale = nnx.Variable(jnp.ones(()))

    def loss(module, batch, key):
        real = jnp.arange(batch.values.source.shape[1]) < batch.lengths.source[:, None]
        error = module.scale[...] * module.weight[...] - batch.values.source
        return jnp.sum(jnp.where(real, error**2, 0)), jnp.sum(real)

    examples, optimizer = pairs(6), optax.sgd(0.1)
    params, loss_fn, rebuild = train.functional(Mean(), loss)
    update = train.tbptt_scan(loss_fn, optimizer)
    source = Batches(examples, batch_size=6, seed=0)

    def fit(steps, run=None):
        state = train.init_state(params, optimizer, (), jax.random.key(0))
        run = None if run is None else train.Run(run)
        return train.fit(
            update, state, source, steps=steps, run=run, check_every=20, updates_per_call=7
        )

    whole = fit(100)
    symbols = np.concatenate([example.source for example in examples])
    assert float(rebuild(whole.params).weight[...]) == pytest.approx(symbols.mean(), rel=1e-5)
    fit(40, tmp_path / "run")
    resumed = fit(100, tmp_path / "run")
    assert jax.tree.leaves(resumed.params)[0] == jax.tree.leaves(whole.params)[0]


def test_a_module_that_ctrl_c_stopped_does_not_pass_for_a_trained_one(tmp_path):
    """It is taken up again where it was, if it has a run folder."""
    module, source = nnx.Linear(1, 1, rngs=nnx.Rngs(0)), Batches(pairs(6), batch_size=6, seed=0)

    def loss(module, batch, key):
        xs = batch.values.source[..., None] / 6
        return jnp.sum((module(xs) - 1) ** 2), xs.size

    checks = itertools.count()

    def stop(params):
        if next(checks) == 1:  # not at the check before the first update
            os.kill(os.getpid(), signal.SIGINT)
        return 0.0

    given: Any = {"steps": 60, "key": jax.random.key(0), "check_every": 20, "updates_per_call": 5}
    fit = lambda **more: train.fit_module(module, loss, source, optax.sgd(0.1), **given, **more)
    with pytest.raises(KeyboardInterrupt, match="stopped after 20 of 60 updates"):
        fit(run=train.Run(tmp_path), validate=stop)
    resumed = fit(run=train.Run(tmp_path))
    np.testing.assert_array_equal(resumed.kernel[...], fit().kernel[...])
    assert not np.array_equal(module.kernel[...], resumed.kernel[...])
