"""MIDI files: what is written is read, files of others, and bad ones."""

import sys

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxrnn.data.formats import read_midi, write_midi


@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(0, 12),
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    frames_per_beat=st.sampled_from([1, 4, 6]),
)
def test_what_is_written_is_read(tmp_path_factory, seed, length, share, frames_per_beat):
    roll = (np.random.default_rng(seed).random((length, 88)) < share).astype(np.uint8)
    path = tmp_path_factory.mktemp("midi") / "folder" / "piece.mid"
    write_midi(path, roll, frames_per_beat=frames_per_beat)
    found = read_midi(path, frames_per_beat=frames_per_beat)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, roll)


def written(path, *tracks):
    file = mido.MidiFile(ticks_per_beat=100)
    file.tracks += [mido.MidiTrack(track) for track in tracks]
    file.save(path)
    return read_midi(path, frames_per_beat=2)  # a frame is 50 ticks


def note(kind, number, time, **options):
    return mido.Message(f"note_{kind}", note=number, time=time, **options)


def test_the_tracks_of_others_are_read(tmp_path):
    one = [note("on", 21, 0), note("on", 21, 95, velocity=0)]  # velocity 0 lets go; 95 is near 100
    two = [note("on", 108, 100), note("off", 108, 5)]  # short, but a frame
    drums = [note("on", 60, 0, channel=9), note("off", 60, 400, channel=9)]
    beyond = [note("on", 20, 0), note("off", 20, 50), note("off", 64, 0)]
    roll = written(tmp_path / "x.mid", one, two, drums, beyond)
    expected = np.zeros((8, 88))
    expected[:2, 0] = expected[2, 87] = 1
    np.testing.assert_array_equal(roll, expected)


def test_a_note_struck_again_lasts_until_it_is_let_go_as_often(tmp_path):
    twice = [note("on", 21, 0), note("on", 21, 50), note("off", 21, 50), note("off", 21, 50)]
    np.testing.assert_array_equal(written(tmp_path / "x.mid", twice)[:, 0], [1, 1, 1])


def test_bad_arguments_are_named(tmp_path):
    silence = np.zeros((2, 88))
    with pytest.raises(ValueError, match=r"`roll` must be \[T, 88\]; got \(2, 87\)"):
        write_midi(tmp_path / "x", silence[:, 1:])
    with pytest.raises(ValueError, match="`roll` must hold zeros and ones"):
        write_midi(tmp_path / "x", silence + 0.5)
    with pytest.raises(ValueError, match="`frames_per_beat` must be a divisor of 480; got 7"):
        write_midi(tmp_path / "x", silence, frames_per_beat=7)
    with pytest.raises(ValueError, match="`beats_per_minute` must be 4 to 1000; got 0"):
        write_midi(tmp_path / "x", silence, beats_per_minute=0)
    assert not (tmp_path / "x").exists()
    with pytest.raises(ValueError, match="`path` must be a file; got "):
        read_midi(tmp_path / "x")
    for content in (b"", b"no MIDI at all", b"MThd\0\0\0\6\0\1\0\1"):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(ValueError, match="`path` must be a MIDI file; got ") as error:
            read_midi(tmp_path / "x")
        assert "\n" not in str(error.value)


def test_a_damaged_file_is_one_line(tmp_path):
    path = tmp_path / "odd.mid"
    key = b"\0\xff\x59\2\x0a\0"  # of ten sharps
    track = key + b"\0\xff\x2f\0"
    path.write_bytes(b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0" + bytes([len(track)]) + track)
    for content in (path.read_bytes(), b"MThd", b"", b"RIFF" * 9):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"`path` must be a MIDI file; got .*odd\.mid"):
            read_midi(path)


def test_without_mido_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'jaxrnn\[examples\]'"):
        read_midi(tmp_path / "x")
