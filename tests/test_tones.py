"""Tone sequences: the labels are what is in the sound."""

import itertools

import numpy as np
import pytest

from jaxrnn.data.synthetic import tones


def heard(frames):
    """The tones in a recording without noise: bands that are the loudest for two frames or more."""
    loudest = np.where(frames.max(-1) > 3.0, frames.argmax(-1) // 2 - 1, 0)
    runs = [(tone, len([*run])) for tone, run in itertools.groupby(loudest.tolist())]
    # A frame with two tones in it may be loudest between them.
    return [tone for tone, size in runs if tone != 0 and size > 1]


def test_the_labels_are_the_tones_that_are_heard():
    for utterance in tones(100, pitches=14, lengths=(0, 6), noise=0.0, seed=1):
        assert heard(utterance.frames) == utterance.labels.tolist()


def test_utterances_are_as_described():
    utterances = tones(400, pitches=5, lengths=(2, 4), seed=2)
    sizes = np.bincount([len(u.labels) for u in utterances])
    assert len(sizes) == 5 and sizes[:2].sum() == 0 and sizes[2:].min() > 100
    labels = np.bincount(np.concatenate([u.labels for u in utterances]))
    assert len(labels) == 6 and labels[0] == 0 and labels[1:].min() > 180
    assert any(np.any(u.labels[1:] == u.labels[:-1]) for u in utterances)
    for u in utterances:
        assert u.frames.dtype == np.float32 and u.labels.dtype == np.int32
        assert u.frames.shape[1] == 33 and np.all(np.isfinite(u.frames))
        # 3 to 8 hops each, pauses of up to 4, and two hops make a frame.
        assert 3 * len(u.labels) + 3 <= len(u.frames) <= 12 * len(u.labels) + 7


def test_noise_covers_the_tones():
    clean, noisy = (tones(50, noise=noise, seed=3) for noise in (0.0, 2.0))
    wrong = sum(heard(u.frames) != u.labels.tolist() for u in noisy)
    assert wrong > 45 and all(heard(u.frames) == u.labels.tolist() for u in clean)


def test_a_seed_gives_the_same_utterances_every_time():
    once, again, other = (tones(3, seed=seed) for seed in (4, 4, 5))
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a.frames, b.frames)
        np.testing.assert_array_equal(a.labels, b.labels)
    assert any(a.frames.shape != b.frames.shape for a, b in zip(once, other, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "`count` must be a positive integer; got 0"),
        ({"pitches": 15}, "`pitches` must be at most 14; got 15"),
        ({"lengths": (4, 3)}, r"`lengths` must be a least and a most .*; got \(4, 3\)"),
        ({"noise": -1.0}, r"`noise` must not be negative; got -1\.0"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        tones(**{"count": 1, "seed": 0, **options})
