"""Corpora, tokenizers and streams."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxrnn import data

LIMITS = settings(deadline=None, derandomize=True, max_examples=100)


def test_the_default_corpus_is_real_english_with_each_paragraph_once():
    text = data.default_corpus()
    paragraphs = [paragraph.strip("\n") for paragraph in text.split("\n\n")]
    assert 340_000 < len(text) < 500_000
    assert len(set(paragraphs)) == len(paragraphs)
    assert "function" in text and not any(ord(c) < 32 and c != "\n" for c in text)


def test_split_takes_the_end():
    training, validation = data.split("x" * 950 + "y" * 50)
    assert training == "x" * 950 and validation == "y" * 50
    with pytest.raises(ValueError, match="`validation` must lie between 0 and 1; got 1"):
        data.split("abc", 1.0)


@LIMITS
@given(st.text())
def test_characters_of_the_vocabulary_come_back(text):
    tokenizer = data.CharTokenizer.from_text(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.unknown(text) == []


@LIMITS
@given(st.text())
def test_bytes_come_back(text):
    tokenizer = data.ByteTokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode(text).tolist() == list(text.encode("utf-8"))


WORD = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1).filter(
    lambda word: word.split() == [word] and word not in ("<unk>", "</s>")
)


@LIMITS
@given(st.lists(st.lists(WORD, min_size=1), min_size=1))
def test_words_come_back(lines):
    text = "\n".join(" ".join(line) for line in lines)
    tokenizer = data.WordTokenizer.from_text(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.unknown(text) == []


def test_words_by_frequency_and_the_rest_unknown(tmp_path):
    text = "b a b <unk>\na b c\n"
    whole = data.WordTokenizer.from_text(text)
    assert whole.vocabulary_size == 5 and whole.encode("<unk> b d").tolist() == [0, 1, 0]
    cut = data.WordTokenizer.from_text(text, size=3)
    assert cut.encode("</s> b a\n").tolist() == [2, 1, 0, 2]  # "</s>" and "a" are twice there
    assert cut.decode([0]) == "<unk>" and cut.unknown("b z") == ["z"]
    whole.save(tmp_path / "v.json")
    loaded = data.load_tokenizer(tmp_path / "v.json")
    assert loaded.encode(text).tolist() == whole.encode(text).tolist()
    assert isinstance(loaded, data.WordTokenizer) and loaded.boundary == whole.boundary
    assert data.WordTokenizer(["x"]).boundary is None


@pytest.mark.parametrize("words", [["a", "a"], ["a b"], ["<unk>"], [""]])
def test_wrong_words(words):
    with pytest.raises(ValueError, match="`words` must be distinct words without white space"):
        data.WordTokenizer(words)
    with pytest.raises(ValueError, match="`size` must be at least 2; got 1"):
        data.WordTokenizer.from_text("a", size=1)


def test_unknown_characters_are_symbol_zero_and_are_named():
    tokenizer = data.CharTokenizer.from_text("abba")
    assert tokenizer.encode("abc!").tolist() == [1, 2, 0, 0]
    assert tokenizer.unknown("abc!") == ["!", "c"]
    assert tokenizer.decode([0, 1]) == "\N{REPLACEMENT CHARACTER}a"
    # The symbol for the unknown is itself unknown, unless the text has it.
    assert tokenizer.encode("\N{REPLACEMENT CHARACTER}").tolist() == [0]


@pytest.mark.parametrize("tokenizer", [data.CharTokenizer.from_text("né\n"), data.ByteTokenizer()])
def test_a_vocabulary_is_saved_and_loaded(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "v.json")
    loaded = data.load_tokenizer(tmp_path / "v.json")
    assert type(loaded) is type(tokenizer)
    assert loaded.vocabulary_size == tokenizer.vocabulary_size
    assert loaded.encode("né").tolist() == tokenizer.encode("né").tolist()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"level": "char", "characters": ["ab"]}'])
def test_a_file_that_is_no_vocabulary_is_refused(content, tmp_path):
    (tmp_path / "v.json").write_text(content)
    with pytest.raises(ValueError, match=r"`path` must be a saved vocabulary; got .*v\.json"):
        data.load_tokenizer(tmp_path / "v.json")


@LIMITS
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 60))
def test_every_symbol_but_the_first_is_a_target_once_after_the_one_before_it(batch, steps, more):
    tokens = np.arange(batch * steps + 1 + more)  # each symbol tells its own position
    segments = data.streams(tokens, batch_size=batch, segment_length=steps)
    real = segments.mask
    assert segments.inputs.shape[1:] == (steps, batch)
    assert sorted(segments.targets[real]) == list(range(1, len(tokens)))
    assert (segments.targets[real] == segments.inputs[real] + 1).all()
    for b in range(batch):  # a stream is contiguous across its segments, and real to its end
        stream, mask = segments.inputs[:, :, b].ravel(), real[:, :, b].ravel()
        assert (np.diff(stream[mask]) == 1).all()
        assert not mask[mask.sum() :].any()
    assert segments.resets[0, 0].all() and segments.resets.sum() == batch


def test_a_text_too_short_for_one_segment_is_refused():
    with pytest.raises(ValueError, match=r"`tokens` must hold more than .* = 6 symbols; got 6"):
        data.streams(np.arange(6), batch_size=2, segment_length=3)


def test_files(tmp_path):
    path = tmp_path / "text"
    with pytest.raises(ValueError, match="`corpus` must be a file that exists"):
        data.read_text(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="`corpus` must not be empty"):
        data.read_text(path)
    path.write_bytes("né\r\n".encode())
    assert data.read_text(path) == "né\r\n"  # bytes are kept, line ends too
    path.write_bytes(b"good \xff bad")
    with pytest.raises(ValueError, match=r"UTF-8 .* byte 0xff at offset 5"):
        data.read_text(path)
    assert data.read_bytes(path) == b"good \xff bad"
