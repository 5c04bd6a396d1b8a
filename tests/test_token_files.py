"""Text files read in chunks, symbols in files, and segments cut from them."""

import hashlib
import itertools
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxrnn import data
from jaxrnn.data import token_file
from jaxrnn.data.encode import LEVELS
from jaxrnn.data.tokenizers import subword
from jaxrnn.data.tokenizers.pieces import ANYWHERE, pieces
from jaxrnn.train import SegmentSource

TEXT = "One line, née 1900.\r\nTwo  lines 字字, and \N{GRINNING FACE}.\n\n" * 40
SIZES = {"word": 12, "bpe": 270}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 10**6])
def test_chunks_of_a_file_are_the_file(tmp_path, size):
    path = tmp_path / "text"
    path.write_bytes(TEXT.encode())
    assert "".join(data.read_text_chunks(path, size=size)) == TEXT == data.read_text(path)
    assert b"".join(data.read_byte_chunks(path, size=size)) == TEXT.encode()
    assert max(map(len, data.read_byte_chunks(path, size=size))) <= size


@given(st.binary(min_size=1, max_size=12), st.integers(1, 5))
def test_what_is_not_utf8_is_named_by_its_offset_in_the_file(tmp_path_factory, content, size):
    path = tmp_path_factory.mktemp("bytes") / "text"
    path.write_bytes("né".encode() + content)
    try:
        assert "".join(data.read_text_chunks(path, size=size)) == path.read_bytes().decode()
    except UnicodeDecodeError as wrong:  # of the right-hand side, if the left was wrongly read
        raise AssertionError from wrong
    except ValueError as error:
        with pytest.raises(UnicodeDecodeError) as expected:
            path.read_bytes().decode()
        offset = expected.value.start
        byte = path.read_bytes()[offset]
        assert str(error).endswith(f"{path} with byte 0x{byte:02x} at offset {offset}")


def test_missing_and_empty_are_errors_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match="`test` must be a file that exists"):
        data.read_text_chunks(tmp_path / "none", "test")
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match="`corpus` must not be empty"):
        data.read_byte_chunks(tmp_path / "empty")


def tokenizer_of(level):
    return {
        "char": lambda: data.CharTokenizer.from_text(TEXT),
        "byte": data.ByteTokenizer,
        "word": lambda: data.WordTokenizer.from_text(TEXT, 12),
        "bpe": lambda: data.BPETokenizer.from_text(TEXT, 270),
    }[level]()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("chunk_size", [7, 10**6])
def test_a_file_of_symbols_holds_those_of_the_whole_text(tmp_path, level, chunk_size):
    (tmp_path / "text").write_bytes(TEXT.encode())
    tokenizer, out = tokenizer_of(level), tmp_path / "tokens.npy"
    written = data.write_tokens(tmp_path / "text", tokenizer, out, chunk_size=chunk_size)
    for tokens in (written, data.read_tokens(out), np.load(out)):
        assert tokens.dtype == (np.uint16 if level == "bpe" else np.uint8)
        assert tokens.tolist() == tokenizer.encode(TEXT).tolist()
    assert isinstance(written, np.memmap)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text", "tokens.npy"]


@pytest.mark.parametrize(
    ("size", "dtype"), [(2, "u1"), (256, "u1"), (257, "u2"), (65536, "u2"), (65537, "u4")]
)
def test_symbols_are_kept_in_as_few_bytes_as_hold_them(tmp_path, size, dtype):
    assert token_file.smallest_dtype(size) == dtype
    pieces = [np.array([size - 1, 0], np.int32)] * 3 + [np.zeros(0, np.int32)]
    tokens = token_file.write_array(pieces, np.dtype(dtype), tmp_path / "t.npy")
    assert tokens.tolist() == [size - 1, 0] * 3


def test_a_row_of_nothing_is_written_and_read(tmp_path):
    assert token_file.write_array([], np.dtype("u1"), tmp_path / "t.npy").shape == (0,)


def test_nothing_half_written_is_left_and_what_was_there_stays(tmp_path):
    text, out = tmp_path / "text", tmp_path / "t.npy"
    text.write_bytes(b"good " * 100 + b"\xff bad")
    np.save(out, np.arange(3))
    with pytest.raises(ValueError, match=r"`path` must be UTF-8 .* byte 0xff at offset 500"):
        data.write_tokens(text, data.CharTokenizer("god "), out, chunk_size=16)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.npy", "text"]
    assert data.read_tokens(out).tolist() == [0, 1, 2]


def test_what_is_no_file_of_symbols_is_refused(tmp_path):
    np.save(tmp_path / "table.npy", np.zeros((2, 2), int))
    np.save(tmp_path / "floats.npy", np.zeros(2))
    np.savez(tmp_path / "several.npz", a=np.zeros(2, int))
    (tmp_path / "text.npy").write_text("text")
    (tmp_path / "empty.npy").touch()
    for name in ["table.npy", "floats.npy", "several.npz", "text.npy", "empty.npy", "none.npy"]:
        with pytest.raises(ValueError, match=f"`path` must be a file of symbols .*{name}"):
            data.read_tokens(tmp_path / name)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("chunk_size", [5, 10**6])
def test_a_file_is_encoded_as_its_text_is(tmp_path, level, chunk_size):
    (tmp_path / "text").write_bytes(TEXT.encode())
    options = {"level": level, "vocabulary_size": SIZES.get(level), "validation": 0.3}
    from_text = data.encode_text(TEXT, **options)
    in_memory = data.encode_file(tmp_path / "text", **options, chunk_size=chunk_size)
    folder = tmp_path / "new" / "run"
    on_disk = data.encode_file(tmp_path / "text", **options, folder=folder, chunk_size=chunk_size)

    whole: Any = TEXT.encode() if level == "byte" else TEXT
    training, validation = data.split(whole, 0.3)
    expected = tokenizer_of("byte") if level == "byte" else vocabulary(level, training)
    for encoded in (from_text, in_memory, on_disk):
        assert encoded.tokenizer.vocabulary_size == expected.vocabulary_size
        assert encoded.training.tolist() == expected.encode(training).tolist()
        assert encoded.validation.tolist() == expected.encode(validation).tolist()
        assert encoded.training.dtype == encoded.validation.dtype == on_disk.training.dtype
        assert encoded.digest == hashlib.sha256(TEXT.encode()).hexdigest()
        text = validation.decode(errors="replace") if level == "byte" else validation
        assert encoded.validation_characters == len(text)
    assert isinstance(on_disk.training, np.memmap)
    assert sorted(path.name for path in folder.iterdir()) == ["training.npy", "validation.npy"]


def vocabulary(level, training):
    if level == "char":
        return data.CharTokenizer.from_text(training)
    make = data.WordTokenizer if level == "word" else data.BPETokenizer
    return make.from_text(training, SIZES[level])


@given(st.binary(min_size=20, max_size=80), st.integers(1, 7))
def test_characters_of_bytes_are_counted_as_they_are_decoded(tmp_path_factory, content, size):
    path = tmp_path_factory.mktemp("bytes") / "text"
    path.write_bytes(b"ab" * 20 + content)
    encoded = data.encode_file(path, level="byte", validation=0.4, chunk_size=size)
    held_out = data.split(path.read_bytes(), 0.4)[1]
    assert encoded.validation_characters == len(held_out.decode("utf-8", errors="replace"))


def test_a_tokenizer_that_is_there_is_used_as_it_is():
    tokenizer = data.CharTokenizer("ab")
    encoded = data.encode_text("abc" * 20, tokenizer=tokenizer)
    assert encoded.tokenizer is tokenizer and encoded.training[:3].tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "`text` must not be empty; got "),
        ("x" * 100, {}, "`text` must hold two different symbols; got 'x'"),
        ("a", {}, "`text` must hold two different symbols; got 'a'"),
        ("a a a a\t", {"level": "word"}, "`text` must hold two different symbols; got 'a'"),
        ("   " * 9, {"level": "word"}, "`text` must hold two different symbols; got ''"),
        ("abc" * 5, {}, "`text` must leave two symbols for validation; got 1"),
        ("abc", {"validation": 1}, "`validation` must lie between 0 and 1; got 1"),
        ("abc", {"level": "line"}, "`level` must be one of char, byte, word, bpe; got 'line'"),
        ("abc", {"level": "bpe"}, "`vocabulary_size` must be at least 257 at level bpe, .* None"),
        ("abc", {"level": "word", "vocabulary_size": 1}, "`vocabulary_size` must be at least 2"),
        ("abc", {"vocabulary_size": 9}, "`vocabulary_size` must be left out at levels char and"),
        ("abc", {"tokenizer": data.ByteTokenizer()}, "`tokenizer` must be of level char; got byte"),
        (
            "abc",
            {"tokenizer": data.CharTokenizer("a"), "vocabulary_size": 9},
            "`vocabulary_size` must be left out where `tokenizer` is given; got 9",
        ),
    ],
)
def test_what_cannot_be_encoded_is_refused_and_leaves_no_folder(
    tmp_path, content, options, message
):
    with pytest.raises(ValueError, match=message) as error:
        data.encode_text(content, **options)
    assert "\n" not in str(error.value)
    (tmp_path / "text").write_text(content)
    with pytest.raises(ValueError, match=message.replace("`text`", "`corpus`")):
        data.encode_file(tmp_path / "text", **options, argument="corpus", folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_not_utf8_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "text").write_bytes(b"ab" * 50 + b"\xe9")
    with pytest.raises(ValueError, match=r"`path` must be UTF-8 .* byte 0xe9 at offset 100"):
        data.encode_file(tmp_path / "text", folder=tmp_path / "run", chunk_size=8)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("level", LEVELS)
def test_a_file_is_encoded_in_less_memory_than_it_is_long(tmp_path, monkeypatch, level):
    (tmp_path / "text").write_text("The quick brown fox.\n" * 100_000)  # 2.1 MB
    size = 2**14
    monkeypatch.setattr(pieces, "__defaults__", (ANYWHERE, size))
    monkeypatch.setattr(subword._pieces, "__defaults__", (size,))
    options = {"level": level, "vocabulary_size": SIZES.get(level), "chunk_size": size}
    data.encode_text(TEXT, level=level, vocabulary_size=SIZES.get(level))  # what is imported late
    tracemalloc.start()
    try:
        data.encode_file(tmp_path / "text", **options, folder=tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 1.5e6
    finally:
        tracemalloc.stop()


def segments_by_hand(tokens, batch, steps):
    """Every entry from its definition, one by one: inputs, targets, mask, resets, `[S, T, B]`."""
    pairs = [(int(a), int(b)) for a, b in itertools.pairwise(tokens)]
    length = math.ceil(len(pairs) / batch)
    rows = [pairs[b * length : (b + 1) * length] for b in range(batch)]
    found = np.zeros((4, math.ceil(length / steps), steps, batch), int)
    for b, row in enumerate(rows):
        for i, (symbol, target) in enumerate(row):
            found[:3, i // steps, i % steps, b] = symbol, target, 1
    found[3, 0, 0] = 1
    return found


@given(
    batch=st.integers(1, 5),
    steps=st.integers(1, 6),
    more=st.integers(0, 60),
    dtype=st.sampled_from(["u1", "u2", "i4", "i8"]),
    draw=st.data(),
)
def test_segments_that_are_taken_are_those_of_all(batch, steps, more, dtype, draw):
    tokens = np.arange(1, batch * steps + 2 + more).astype(dtype)
    expected = segments_by_hand(tokens, batch, steps)
    source = data.Streams(tokens, batch_size=batch, segment_length=steps)
    assert len(source) == len(expected[0])
    indices = np.array(draw.draw(st.lists(st.integers(0, len(source) - 1), max_size=8)), int)
    taken = source.take(indices)
    everything = data.streams(tokens, batch_size=batch, segment_length=steps)
    for part, whole, array in zip(taken, everything, expected, strict=True):
        assert part.shape == (len(indices), steps, batch)
        assert (part == array[indices]).all() and (whole == array).all()
    assert [part.dtype for part in taken] == [np.int32, np.int32, bool, bool]


def test_segments_of_a_mapped_file_are_a_source_for_training(tmp_path):
    np.save(tmp_path / "t.npy", np.arange(100, dtype=np.uint8))
    tokens = data.read_tokens(tmp_path / "t.npy")
    source = data.Streams(tokens, batch_size=3, segment_length=5)
    assert isinstance(source, SegmentSource)
    assert source.take(np.array([6])).inputs[0, :, 1].tolist() == [63, 64, 65, 0, 0]
    assert all(type(array) is np.ndarray for array in source.take(np.array([0])))


def test_wrong_streams():
    sizes = {"batch_size": 1, "segment_length": 2}
    with pytest.raises(ValueError, match=r"`indices` must lie in \[0, 4\); got \[4\]"):
        data.Streams(np.arange(9), **sizes).take(np.array([0, 4]))
    with pytest.raises(ValueError, match=r"`indices` must lie in \[0, 4\); got \[-1\]"):
        data.Streams(np.arange(9), **sizes).take(np.array([-1]))
    with pytest.raises(ValueError, match="`tokens` must be one row of integers; got float64"):
        data.Streams(np.zeros(9), **sizes)
    with pytest.raises(ValueError, match="`tokens` must be one row of integers; got int64 of sha"):
        data.Streams(np.zeros((9, 9), np.int64), **sizes)
    for tokens in ([], [1], [1, 2]):
        with pytest.raises(ValueError, match=f"`tokens` must hold more .*; got {len(tokens)}"):
            data.Streams(np.array(tokens), **sizes)
    with pytest.raises(ValueError, match="`batch_size` must be a positive integer; got 0"):
        data.Streams(np.arange(9), batch_size=0, segment_length=2)
