"""The CTC loss of a transcriber, against every alignment written out one by one."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrnn import gru, lstm
from jaxrnn.models import Transcriber
from jaxrnn.models.transcriber import _ctc_nats

LENGTHS: Any = np.array([5, 4, 3, 0, 5])
LABELS = np.array([[1, 1, 2], [2, 9, 9], [9, 9, 9], [9, 9, 9], [2, 1, 2]])
LABEL_LENGTHS: Any = np.array([3, 1, 0, 0, 3])


def drawn(steps=5, symbols=3):
    logits = np.random.default_rng(0).normal(size=(len(LENGTHS), steps, symbols))
    real = np.arange(steps) < LENGTHS[:, None]
    return logits, jnp.asarray(np.where(real[..., None], logits, np.nan))


def by_hand(logits, labels):
    """Nats of labels, over all alignments of `logits [n, V]`."""
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    total = 0.0
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        if [v for v, _ in itertools.groupby(path) if v != 0] == list(labels):
            total += np.prod([p[t, v] for t, v in enumerate(path)])
    return -np.log(total)


def test_the_loss_is_the_sum_over_all_alignments(x64):
    logits, padded = drawn()
    nats = _ctc_nats(padded, jnp.asarray(LABELS), LENGTHS, LABEL_LENGTHS)
    for b, (n, m) in enumerate(zip(LENGTHS, LABEL_LENGTHS, strict=True)):
        wanted = by_hand(logits[b, :n], LABELS[b, :m])
        assert float(nats[b]) == pytest.approx(wanted, rel=1e-10, abs=1e-12)


def test_its_gradient_is_that_of_the_sum_and_zero_in_the_padding(x64):
    logits, padded = drawn()
    given = jnp.asarray(LABELS), LENGTHS, LABEL_LENGTHS
    grads = jax.grad(lambda logits: jnp.sum(_ctc_nats(logits, *given)))(padded)
    real = np.arange(5) < LENGTHS[:, None]
    assert np.all(np.asarray(grads)[~real] == 0)
    for t, v in itertools.product(range(5), range(3)):
        moved = [logits[0].copy() for _ in range(2)]
        moved[0][t, v] += 1e-5
        moved[1][t, v] -= 1e-5
        slope = (by_hand(moved[0], LABELS[0]) - by_hand(moved[1], LABELS[0])) / 2e-5
        assert float(grads[0, t, v]) == pytest.approx(slope, abs=1e-8)


def made(**options) -> Any:
    cells = {"cell": lstm(4, 5), "backward": gru(4, 3)}
    return Transcriber(**{**cells, **options}, labels=2, rngs=nnx.Rngs(0))


def ragged():
    rng = np.random.default_rng(1)
    frames = rng.normal(size=(5, 5, 4)).astype(np.float32)
    labels = np.where(np.arange(3) < LABEL_LENGTHS[:, None], LABELS, 0)
    real = np.arange(5) < LENGTHS[:, None]
    return frames, np.where(real[..., None], frames, np.nan), labels


def test_padding_changes_neither_the_loss_nor_a_gradient():
    frames, padded, labels = ragged()

    @nnx.jit
    @nnx.value_and_grad
    def loss(model, frames, labels):
        return jnp.sum(model.nll(frames, labels, LENGTHS, LABEL_LENGTHS))

    clean, grads = loss(made(), frames, labels)
    same, grads_too = loss(made(), padded, LABELS)
    assert np.isfinite(float(clean)) and float(clean) == float(same)
    for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(grads_too), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.any(np.asarray(a) != 0)


def test_a_ragged_batch_equals_its_utterances():
    frames, padded, _ = ragged()
    model = made()
    nats = model.nll(padded, LABELS, LENGTHS, LABEL_LENGTHS)
    found = model.transcribe(padded, LENGTHS)
    beams = model.beam_search(padded, LENGTHS, width=4)
    for b, (n, m) in enumerate(zip(LENGTHS, LABEL_LENGTHS, strict=True)):
        assert float(nats[b]) == pytest.approx(
            float(model.nll(frames[b, :n], LABELS[b, :m])), rel=1e-5, abs=1e-6
        )
        labels = model.transcribe(frames[b, :n]).labels
        np.testing.assert_array_equal(found.labels[b, :n], labels)
        one = model.beam_search(frames[b, :n], width=4)
        np.testing.assert_allclose(beams.log_probabilities[b], one.log_probabilities, rtol=1e-5)


def test_no_frames_cannot_hold_labels_and_nothing_costs_nothing():
    model = made(backward=None)
    none = jnp.zeros((2, 0, 4))
    labels = jnp.array([[1], [1]])
    nats = model.nll(none, labels, label_lengths=jnp.array([0, 1]))
    assert float(nats[0]) == 0 and 1e4 < float(nats[1]) < 1e6
    assert model.nll(jnp.zeros((2, 3, 4)), jnp.zeros((2, 0), int)).shape == (2,)
    # Two equal labels need a blank between them.
    nats = model.nll(jnp.zeros((2, 2, 4)), jnp.array([[1, 1], [1, 2]]))
    assert float(nats[0]) > 1e4 and float(nats[1]) < 10


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: made(cell=3), "`cell` must take and give vectors"),
        (lambda: made().nll(jnp.zeros((2, 3, 4)), jnp.ones((2, 2))), "`labels` must be integers"),
        (
            lambda: made().nll(jnp.zeros((2, 3, 4)), jnp.ones((3, 2), int)),
            r"`labels` must have the shape \(2, 'N'\); got \(3, 2\)",
        ),
        (
            lambda: made().nll(jnp.zeros((2, 3, 4)), jnp.ones((2, 2), int), None, jnp.ones(3)),
            r"`label_lengths` must have the shape \(2,\); got \(3,\)",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_number_of_labels_is_checked():
    with pytest.raises(ValueError, match="`labels` must be a positive integer; got 0"):
        Transcriber(gru(4, 3), labels=0, rngs=nnx.Rngs(0))
