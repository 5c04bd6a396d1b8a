"""MIDI files as piano rolls, and back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from jaxrnn.cells.checks import require, require_size

KEYS = 88
LOWEST = 21  # MIDI's number of the lowest key of a piano, A0
DRUMS = 9  # the channel on which numbers are instruments and not pitches
_TICKS = 480  # per beat, in files that are written
_VELOCITY = 80


def read_midi(path: str | Path, *, frames_per_beat: int = 4) -> np.ndarray:
    """Reads the notes of a MIDI file.

    A note begins and ends at the nearest frame and lasts for one at least. Drums, and notes that a
    piano does not have, are left out; a note struck again while it sounds is one long note.

    Args:
      path: of the file.
      frames_per_beat: frames in a quarter note.

    Returns:
      uint8 `[T, 88]`, 1 where a key is down, the lowest key first; until the end of the last track.

    Raises:
      ValueError: if the file is missing or no MIDI file, or a size is not positive.
      ModuleNotFoundError: if mido is not installed.
    """
    require_size("frames_per_beat", frames_per_beat)
    mido = _mido()
    require(Path(path).is_file(), "path", "be a file", path)
    try:
        file = mido.MidiFile(path)
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        IndexError,
        mido.KeySignatureError,
    ) as error:
        raise ValueError(f"`path` must be a MIDI file; got {path} ({error})") from None
    rule = "count its time in ticks per beat"
    require(file.ticks_per_beat > 0, "path", rule, file.ticks_per_beat)
    frame = lambda ticks: int(ticks * frames_per_beat / file.ticks_per_beat + 0.5)
    notes, end = _notes(mido.merge_tracks(file.tracks))
    spans = [(key, frame(start), max(frame(stop), frame(start) + 1)) for key, start, stop in notes]
    roll = np.zeros((max([frame(end), *(stop for _, _, stop in spans)]), KEYS), np.uint8)
    for key, start, stop in spans:
        roll[start:stop, key] = 1
    return roll


def write_midi(
    path: str | Path, roll: np.ndarray, *, frames_per_beat: int = 4, beats_per_minute: float = 90
) -> None:
    """Writes a piano roll; `read_midi` gives it back exactly.

    A key that is down in frames one after another is one note.

    Args:
      path: of the file; its folder is made.
      roll: 1 where a key is down, `[T, 88]`.
      frames_per_beat: frames in a quarter note, a divisor of 480.
      beats_per_minute: tempo.

    Raises:
      ValueError: if the roll is something else, or a number does not fit.
      ModuleNotFoundError: if mido is not installed.
    """
    roll = np.asarray(roll)
    require(roll.ndim == 2 and roll.shape[1] == KEYS, "roll", f"be [T, {KEYS}]", roll.shape)
    require(bool(np.isin(roll, (0, 1)).all()), "roll", "hold zeros and ones", roll.dtype)
    require_size("frames_per_beat", frames_per_beat)
    rule = f"be a divisor of {_TICKS}"
    require(_TICKS % frames_per_beat == 0, "frames_per_beat", rule, frames_per_beat)
    # MIDI has 24 bits for the microseconds of a beat.
    require(4 <= beats_per_minute <= 1000, "beats_per_minute", "be 4 to 1000", beats_per_minute)
    mido = _mido()
    tempo = mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(beats_per_minute))
    track = mido.MidiTrack([tempo])
    ticks, last = _TICKS // frames_per_beat, 0
    silence = np.zeros((1, KEYS), np.int8)
    changes = np.diff(np.concatenate([silence, roll.astype(np.int8), silence]), axis=0)
    for frame, key in np.argwhere(changes):
        kind = "note_on" if changes[frame, key] > 0 else "note_off"
        since = int(frame - last) * ticks
        note = {"note": int(key) + LOWEST, "velocity": _VELOCITY, "time": since}
        track.append(mido.Message(kind, **note))
        last = frame
    track.append(mido.MetaMessage("end_of_track", time=int(len(roll) - last) * ticks))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    mido.MidiFile(tracks=[track], ticks_per_beat=_TICKS).save(path)


def _notes(messages: Any) -> tuple[list[tuple[int, int, int]], int]:
    """Key, start and end in ticks of each note, and the end of all."""
    now, notes = 0, []
    started: dict[tuple[int, int], int] = {}
    struck: Counter[tuple[int, int]] = Counter()
    for message in messages:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
            continue
        name = message.channel, message.note - LOWEST
        if message.type == "note_on" and message.velocity > 0:
            started.setdefault(name, now)
            struck[name] += 1
        elif name in started:
            struck[name] -= 1
            if struck[name] == 0:
                notes.append((name[1], started.pop(name), now))
    notes += [(name[1], start, now) for name, start in started.items()]  # never let go
    return [note for note in notes if 0 <= note[0] < KEYS], now


def _mido() -> Any:
    try:
        import mido
    except ModuleNotFoundError as missing:
        if missing.name != "mido":
            raise
        message = "MIDI files need mido: pip install 'jaxrnn[examples]'"
        raise ModuleNotFoundError(message, name="mido") from None
    return mido
