"""The training loop: what it writes, that it goes on with the same bits, that it stops cleanly."""

import io
import os
import signal
from typing import Any

import chex
import jax
import numpy as np
import optax
import pytest
from flax import nnx
from rich.console import Console

from jaxrnn import gru
from jaxrnn.data import streams
from jaxrnn.models.language_model import LanguageModel, functions
from jaxrnn.train import (
    Checkpoints,
    Run,
    SegmentSource,
    fit,
    init_state,
    inverse_sigmoid_decay,
    scheduled_loss,
    tbptt_scan,
)
from metrics import comparable

STEPS, EVERY = 23, 8  # calls of 5: no number divides another, so the ragged calls are met


@pytest.fixture
def quiet():
    return Console(file=io.StringIO())


MODEL = functions(LanguageModel(gru(4, 8), vocabulary_size=7, rngs=nnx.Rngs(0)))
OPTIMIZER = optax.adam(1e-2)
UPDATE = tbptt_scan(MODEL.loss, OPTIMIZER)  # shared, so that each shape is compiled once


class Job:
    """A small language model on 400 random symbols."""

    def __init__(self):
        self.model = MODEL
        self.update = UPDATE
        self.segments: Any = streams(
            np.random.default_rng(0).integers(0, 7, 400), batch_size=4, segment_length=9
        )

    def start(self):
        carry = self.model.initial_carry(4)
        return init_state(self.model.params, OPTIMIZER, carry, jax.random.key(1))

    def fit(self, console, run=None, steps=STEPS, **options):
        options = {"check_every": EVERY, "updates_per_call": 5, **options}
        return fit(
            self.update,
            self.start(),
            self.segments,
            steps=steps,
            run=run,
            console=console,
            **options,
        )

    def checks(self):
        """Callbacks whose results depend on the parameters."""
        first = lambda params: jax.tree.leaves(params)[0].ravel()[0]
        return {
            "validate": lambda params: abs(first(params)),
            "write_sample": lambda params: f"weight {float(first(params)):.9g}",
        }


def test_the_run_folder(tmp_path, quiet):
    job = Job()
    state = job.fit(quiet, Run(tmp_path), **job.checks())
    assert int(state.step) == STEPS
    metrics = comparable(tmp_path)
    assert [m["step"] for m in metrics if "loss" in m] == [5, 8, 10, 15, 16, 20, 23]
    assert [m["step"] for m in metrics if "validation_bits" in m] == [0, 8, 16, 23]
    samples = (tmp_path / "samples.txt").read_text()
    assert samples.count("weight") == 4 and samples.startswith("=== update 0 ===\n")
    assert Checkpoints(tmp_path / "checkpoints").latest() == STEPS
    losses = [m["loss"] for m in metrics if "loss" in m]
    assert losses[-1] < losses[0]


def test_stopped_and_resumed_is_never_stopped(tmp_path, quiet):
    """Ctrl-C in the middle, at a place that is no check; then on to the end."""
    job = Job()
    whole = job.fit(quiet, Run(tmp_path / "whole"), **job.checks())
    calls = []
    inner = job.update

    def interrupted(state, segments):
        calls.append(1)
        if len(calls) == 3:  # updates 8 to 10
            os.kill(os.getpid(), signal.SIGINT)
        return inner(state, segments)

    job.update = interrupted
    part = job.fit(quiet, Run(tmp_path / "part"), **job.checks())
    assert int(part.step) == 10
    job.update = inner
    resumed = job.fit(quiet, Run(tmp_path / "part"), **job.checks())
    chex.assert_trees_all_equal(
        jax.tree.map(np.asarray, whole._replace(key=jax.random.key_data(whole.key))),
        jax.tree.map(np.asarray, resumed._replace(key=jax.random.key_data(resumed.key))),
    )
    assert comparable(tmp_path / "part") == comparable(tmp_path / "whole")
    samples = [(tmp_path / name / "samples.txt").read_text() for name in ("part", "whole")]
    assert samples[0] == samples[1]


def test_what_was_written_after_the_checkpoint_is_forgotten(tmp_path, quiet):
    job = Job()
    job.fit(quiet, Run(tmp_path), steps=16, **job.checks())
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 17, "loss": 0.1}\n{"step": 18, "lo')  # killed in the middle of a line
    job.fit(quiet, Run(tmp_path), steps=STEPS, **job.checks())
    steps = [m["step"] for m in comparable(tmp_path) if "loss" in m]
    assert steps == [5, 8, 10, 15, 16, 20, 23]


def test_a_finished_run_is_left_alone(tmp_path, quiet):
    job = Job()
    first = job.fit(quiet, Run(tmp_path))
    before = (tmp_path / "metrics.jsonl").read_text()
    again = job.fit(quiet, Run(tmp_path))
    chex.assert_trees_all_equal(first.params, again.params)
    assert (tmp_path / "metrics.jsonl").read_text() == before


def test_a_run_that_went_further_is_refused(tmp_path, quiet):
    job = Job()
    job.fit(quiet, Run(tmp_path))
    with pytest.raises(ValueError, match=r"`steps` must be at least the 23 updates .* got 20"):
        job.fit(quiet, Run(tmp_path), steps=20)


def test_without_a_run_nothing_is_written(tmp_path, quiet, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert int(Job().fit(quiet).step) == STEPS
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(tmp_path, quiet):
    job = Job()
    good = job.fit(quiet, Run(tmp_path), steps=16)
    inner = job.update

    def poisoned(state, segments):
        state, metrics = inner(state, segments)
        return state, metrics._replace(loss=metrics.loss * np.nan)

    job.update = poisoned
    with pytest.raises(FloatingPointError, match="the loss is nan at update 20"):
        job.fit(quiet, Run(tmp_path))
    kept, _ = Checkpoints(tmp_path / "checkpoints").restore(job.start())
    chex.assert_trees_all_equal(kept.params, good.params)


class Source:
    """Segments as if on disk: asked for by number, and only for those of the next call."""

    def __init__(self, segments):
        self.segments = segments
        self.asked = []

    def __len__(self):
        return len(self.segments.inputs)

    def take(self, indices):
        assert isinstance(indices, np.ndarray) and indices.dtype.kind == "i"
        self.asked.append(indices.tolist())
        return jax.tree.map(lambda leaf: leaf[indices], self.segments)


def test_segments_that_are_read_when_they_are_wanted(quiet):
    job = Job()
    arrays = job.fit(quiet)
    source = job.segments = Source(job.segments)
    read = job.fit(quiet)
    chex.assert_trees_all_equal(arrays.params, read.params)
    assert isinstance(source, SegmentSource) and len(source) == 12
    assert source.asked[:3] == [[0, 1, 2, 3, 4], [5, 6, 7], [8, 9]]
    assert [i for call in source.asked for i in call] == [i % 12 for i in range(STEPS)]


@pytest.mark.parametrize("array", [np.asarray, jax.numpy.asarray])
def test_an_array_is_no_source_though_it_has_a_method_of_that_name(array, quiet):
    loss = lambda params, carry, xs, key: (jax.numpy.sum((xs - params) ** 2), xs.size, carry)
    xs = array(np.arange(6, dtype=np.float32).reshape(3, 2, 1))
    update, carry = tbptt_scan(loss, optax.sgd(0.25)), np.zeros(1, np.float32)
    state = init_state(np.float32(0), optax.sgd(0.25), carry, jax.random.key(0))
    state = fit(update, state, xs, steps=4, check_every=3, console=quiet)
    expected = 0.0  # halfway to the mean of each segment: 0.5, 2.5, 4.5, 0.5
    for mean in (0.5, 2.5, 4.5, 0.5):
        expected += (mean - expected) / 2
    np.testing.assert_allclose(state.params, expected, rtol=1e-6)


@pytest.mark.parametrize("wrap", [lambda segments: segments, Source])
def test_no_segments(wrap, quiet):
    job = Job()
    job.segments = wrap(jax.tree.map(lambda leaf: leaf[:0], job.segments))
    with pytest.raises(ValueError, match="`segments` must hold at least one segment; got 0"):
        job.fit(quiet)


def test_stopped_before_the_first_update_is_not_begun(tmp_path, quiet):
    """Else its first check would be made twice, and told twice to the optimiser."""
    job = Job()
    checks = job.checks()
    inner = checks["validate"]

    def interrupted(params):
        os.kill(os.getpid(), signal.SIGINT)
        return inner(params)

    part = job.fit(quiet, Run(tmp_path / "part"), **{**checks, "validate": interrupted})
    assert int(part.step) == 0
    job.fit(quiet, Run(tmp_path / "part"), **checks)
    job.fit(quiet, Run(tmp_path / "whole"), **checks)
    assert comparable(tmp_path / "part") == comparable(tmp_path / "whole")
    samples = [(tmp_path / name / "samples.txt").read_text() for name in ("part", "whole")]
    assert samples[0] == samples[1]


def test_a_scheduled_run_is_resumed_with_the_same_bits(tmp_path, quiet):
    job = Job()
    loss_fn = scheduled_loss(MODEL.step, MODEL.initial_carry)
    schedule = inverse_sigmoid_decay(4.0)
    job.update = tbptt_scan(loss_fn, OPTIMIZER, schedule=schedule)
    few_shapes = {"steps": 16, "updates_per_call": 8}
    whole = job.fit(quiet, Run(tmp_path / "whole"), **few_shapes)
    job.fit(quiet, Run(tmp_path / "part"), **{**few_shapes, "steps": 8})
    # As in another process, which compiles anew.
    job.update = tbptt_scan(loss_fn, OPTIMIZER, schedule=schedule)
    resumed = job.fit(quiet, Run(tmp_path / "part"), **few_shapes)
    chex.assert_trees_all_equal((whole.params, whole.carry), (resumed.params, resumed.carry))
    job.update = tbptt_scan(loss_fn, OPTIMIZER, schedule=lambda step: 1.0)
    forced = job.fit(quiet, **few_shapes)
    assert (jax.tree.leaves(forced.params)[0] != jax.tree.leaves(whole.params)[0]).any()


@pytest.mark.parametrize("name", ["steps", "check_every", "updates_per_call"])
def test_numbers_must_be_positive(name, quiet):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer; got 0"):
        Job().fit(quiet, **{name: 0})
