"""Pieces made by rules keep the rules, and are drawn."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest

from jaxrnn.data.synthetic import chorales
from jaxrnn.data.synthetic.music import LOWEST, NEXT, SCALE
from jaxrnn.diagnostics.plot import plot_piano_roll


def notes(frame):
    return np.flatnonzero(frame) + LOWEST


def test_pieces_have_the_form_that_is_asked_for():
    pieces = chorales(60, chords=(3, 5), seed=1)
    assert {len(piece) for piece in pieces} == {12, 16, 20}
    for piece in pieces:
        assert piece.dtype == np.uint8 and piece.shape[1] == 88
        # Alto and soprano may sing the same note.
        assert set(piece.sum(axis=1)) <= {3, 4}


def test_a_piece_begins_on_its_tonic_ends_on_it_and_keeps_to_its_scale():
    keys = set()
    for piece in chorales(60, seed=2):
        tonic = notes(piece[0])[0]
        keys.add(int(tonic))
        assert notes(piece[-1])[0] == tonic
        assert notes(piece[-8])[0] == tonic + SCALE[4]  # the chord before the last
        used = np.flatnonzero(piece.any(axis=0)) + LOWEST
        assert set((used - tonic) % 12) <= set(SCALE)
    assert keys == set(range(31, 43))


def test_every_chord_is_a_triad_that_may_follow_the_one_before():
    for piece in chorales(40, seed=3):
        tonic = notes(piece[0])[0]
        chords = piece[::4]
        roots = [SCALE.index(notes(chord)[0] - tonic) for chord in chords]
        assert all(b in NEXT[a] for a, b in pairwise(roots[:-2]))
        for root, chord in zip(roots, chords, strict=True):
            triad = {SCALE[(root + step) % 7] for step in (0, 2, 4)}
            assert {int(note) for note in (notes(chord) - tonic) % 12} == triad


def test_passing_notes_occur_and_only_in_the_second_half_of_a_chord():
    changes = [np.abs(np.diff(p.astype(int), axis=0)).sum(axis=1) for p in chorales(40, seed=4)]
    inside = np.concatenate([np.r_[c, 0].reshape(-1, 4) for c in changes])
    assert (inside[:, [0, 2]] == 0).all() and (inside[:, 1] > 0).any()


def test_a_seed_gives_the_same_pieces_and_another_one_others():
    first, again, other = (chorales(5, seed=seed) for seed in ((0, 1), (0, 1), 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "`count` must be a positive integer; got 0"),
        ({"count": 1, "chords": (2, 5)}, "`chords` must be a least and a most number, 3 or more"),
        ({"count": 1, "chords": (5, 4)}, "`chords` must be a least and a most number, 3 or more"),
    ],
)
def test_wrong_sizes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        chorales(**options, seed=0)


def test_a_roll_is_drawn_with_its_notes_named():
    roll = np.zeros((6, 88))
    roll[2:4, 39] = 1  # C4
    axes = plot_piano_roll(roll)
    image = axes.get_images()[0].get_array()
    assert image is not None and np.argwhere(image == 1).tolist() == [[39, 2], [39, 3]]
    ticks = {text.get_text(): text.get_position()[1] for text in axes.get_yticklabels()}
    assert ticks == {"C3": 27, "C4": 39, "C5": 51}
    assert axes.get_ylim() == (27, 51)
    assert plot_piano_roll(np.zeros((3, 88))).get_ylim() == (-0.5, 87.5)
    plt.close("all")
    with pytest.raises(ValueError, match=r"`roll` must have the shape \[T, 88\]; got \(88,\)"):
        plot_piano_roll(np.zeros(88))
