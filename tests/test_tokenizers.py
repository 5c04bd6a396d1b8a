"""Tokenizers on chunks of a text, and byte-pair encoding."""

import itertools
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxrnn import data
from jaxrnn.data.tokenizers import pieces as cutting
from jaxrnn.data.tokenizers import subword

ANY = st.characters(exclude_categories=["Cs"])  # all of Unicode but halves of surrogate pairs
# What a text is cut at, and what is next to it, more often than by chance.
TRICKY = st.sampled_from(
    [*" \n\t\r'!s", "'s", "  ", "\x1c", "\x85", "\xa0", "\u3000", "字", "๊", "é"]
)
TEXT = st.lists(ANY | TRICKY, max_size=60).map("".join)
SAMPLE = data.default_corpus()[:20_000] + "字字字。天地玄黄，宇宙洪荒。\n" * 5


def cut(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


@pytest.fixture(scope="module")
def bpe() -> data.BPETokenizer:
    return data.BPETokenizer.from_text(SAMPLE, size=500)


@contextmanager
def pieces_of(size: int) -> Iterator[None]:
    """Cuts texts after a few characters instead of a million."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting.pieces, "__defaults__", (cutting.ANYWHERE, size))
        patch.setattr(subword._pieces, "__defaults__", (size,))
        patch.setattr(subword, "TRAINING_PIECE", size)
        yield


@given(TEXT, st.integers(1, 9), st.integers(1, 9))
def test_pieces_are_the_text_and_begin_at_borders(text, chunk_size, size):
    border = re.compile(r"(?<=\S)(?=[ \n])")
    pieces = list(cutting.pieces(cut(text, chunk_size), border, size))
    assert "".join(pieces) == text and "" not in pieces
    assert all(len(piece) >= size for piece in pieces[:-1])
    for before, after in itertools.pairwise(pieces):
        assert border.search(before[-1] + after[0])
    whole = list(cutting.pieces(text, re.compile(""), size))
    assert whole == cut(text, size)


def test_a_stretch_without_a_border_is_held_whole():
    chunks = ["ab", "cd", "ef gh", "ij"]
    assert list(cutting.pieces(chunks, re.compile(" "), 1)) == ["abcdef", " ghij"]


@given(TEXT, st.integers(1, 20), st.integers(1, 9))
def test_chunks_change_nothing(bpe, text, chunk_size, size):
    chunks = cut(text, chunk_size)
    with pieces_of(size):
        characters = data.CharTokenizer.from_text(chunks)
        words = data.WordTokenizer.from_text(chunks, 5)
    made = [
        (data.CharTokenizer.from_text(text), characters),
        (data.WordTokenizer.from_text(text, 5), words),
        (data.ByteTokenizer(), data.ByteTokenizer()),
        (bpe, bpe),
    ]
    wholes = [whole.encode(text).tolist() for whole, _ in made]
    for (whole, parts), expected in zip(made, wholes, strict=True):
        assert parts.vocabulary_size == whole.vocabulary_size
        with pieces_of(size):
            found = list(parts.encode_chunks(chunks))
            again = parts.encode(text)
        assert all(piece.dtype == np.int32 for piece in found)
        assert [symbol for piece in found for symbol in piece.tolist()] == expected
        assert again.tolist() == expected


@given(st.text(st.characters()), st.text(st.characters()))
def test_characters_have_the_symbols_of_a_dictionary(vocabulary, text):
    codes = {c: i for i, c in enumerate(sorted(set(vocabulary)), 1)}
    tokenizer = data.CharTokenizer.from_text(vocabulary)
    assert tokenizer.encode(text).tolist() == [codes.get(c, 0) for c in text]
    assert tokenizer.unknown(text) == sorted({c for c in text if c not in codes})
    assert tokenizer.encode(text).dtype == np.int32


@given(TEXT, TEXT, st.integers(2, 9))
def test_words_have_the_symbols_of_a_dictionary(vocabulary, text, size):
    split = lambda text: text.replace("\n", " </s> ").split()
    counts = Counter(split(vocabulary))
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[: size - 1]
    codes = {word: i for i, word in enumerate(frequent, 1)}
    tokenizer = data.WordTokenizer.from_text(vocabulary, size)
    assert tokenizer.encode(text).tolist() == [codes.get(word, 0) for word in split(text)]


@given(TEXT)
@example("  two  spaces, \n\n lines\n")
@example("\x00\x01 control\x7f \ufeff\ufffd")
@example("👩‍👩‍👧 family, 🇫🇷 flag, 汉字漢字 नमस्ते สวัสดี")
@example("a" * 1000 + " " * 1000 + "字" * 1000)
def test_every_text_comes_back_from_subwords(bpe, text):
    symbols = bpe.encode(text)
    assert symbols.dtype == np.int32 and symbols.ndim == 1
    assert bpe.decode(symbols) == text
    assert bpe.unknown(text) == []
    assert not text or 0 <= symbols.min() <= symbols.max() < bpe.vocabulary_size


@settings(max_examples=200)
@given(TEXT)
def test_subwords_are_those_of_one_call_of_the_package(bpe, text):
    assert bpe.encode(text).tolist() == bpe._model.encode(text).ids


def test_subwords_learn_the_most_frequent_pairs_first():
    # Pairs by count: t h 6, th e 4, then nothing that stands twice within a stretch.
    tokenizer = data.BPETokenizer.from_text("the\nthe\nthe\nthe\ntha\nthi\n", size=1000)
    assert tokenizer.vocabulary_size == 258
    assert tokenizer.decode([256]) == "th" and tokenizer.decode([257]) == "the"
    assert tokenizer.encode("the").tolist() == [257]
    one = data.BPETokenizer.from_text("the\nthe\ntha\n", size=257)
    assert one.encode("the").tolist() == [256, *one.encode("e")]


def test_a_combining_mark_is_a_letter():
    word = "नमस्ते"  # with a virama and a vowel sign, which are marks
    assert data.BPETokenizer.from_text(f"{word} {word} {word}", size=300).encode(word).size == 1


def test_the_same_text_gives_the_same_subwords(bpe, tmp_path):
    bpe.save(tmp_path / "once.json")
    with pieces_of(100):
        again = data.BPETokenizer.from_text(cut(SAMPLE, 77), size=500)
    again.save(tmp_path / "chunks.json")
    assert (tmp_path / "chunks.json").read_bytes() == (tmp_path / "once.json").read_bytes()


def test_words_that_are_forgotten_change_nothing(bpe, monkeypatch):
    expected = bpe.encode(SAMPLE).tolist()
    monkeypatch.setattr(subword, "REMEMBERED", 3)
    with pieces_of(50):
        assert bpe.encode(SAMPLE).tolist() == expected


def test_subwords_are_saved_and_loaded(bpe, tmp_path):
    bpe.save(tmp_path / "v.json")
    saved = json.loads((tmp_path / "v.json").read_text("utf-8"))
    assert saved["level"] == "bpe" and saved["tokenizer"]["model"]["type"] == "BPE"
    loaded = data.load_tokenizer(tmp_path / "v.json")
    assert isinstance(loaded, data.BPETokenizer) and loaded.vocabulary_size == 500
    assert loaded.encode(SAMPLE).tolist() == bpe.encode(SAMPLE).tolist()
    assert loaded.decode(loaded.encode(SAMPLE)) == SAMPLE


def test_part_of_a_character_is_decoded_as_replacement(bpe):
    start, *_ = bpe.encode("🦔")
    assert bpe.decode([start]) == "\N{REPLACEMENT CHARACTER}" and bpe.decode([]) == ""


def test_wrong_subwords(bpe, tmp_path):
    sizes: list[Any] = [256, 0, None]
    for size in sizes:
        with pytest.raises(ValueError, match=f"`size` must be at least 257, .*; got {size}$"):
            data.BPETokenizer.from_text("a", size=size)
    for symbol in (500, -1):
        with pytest.raises(
            ValueError, match=rf"`symbols` must lie in \[0, 500\); got \[{symbol}\]"
        ):
            bpe.decode([0, symbol])
    with pytest.raises(ValueError, match=r"`text` must hold no lone surrogate; got '\\ud800'"):
        bpe.encode("a \ud800")
    with pytest.raises(ValueError, match="`text` must hold no lone surrogate"):
        data.BPETokenizer.from_text("\udfff", size=300)
    (tmp_path / "v.json").write_text('{"level": "bpe", "tokenizer": {}}')
    with pytest.raises(ValueError, match=r"`path` must be a saved vocabulary; got .*v\.json"):
        data.load_tokenizer(tmp_path / "v.json")


def test_without_the_extra_the_library_is_whole_and_subwords_say_what_they_need():
    program = """
import sys
sys.modules["tokenizers"] = None
from jaxrnn import data
assert data.CharTokenizer.from_text("ab").encode("b").tolist() == [2]
try:
    data.BPETokenizer.from_text("ab", size=300)
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip().endswith("pip install 'jaxrnn[app]'"), done.stderr
