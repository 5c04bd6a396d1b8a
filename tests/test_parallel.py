"""Parallel text, line by line."""

import pytest

from jaxrnn.data.formats import read_parallel


@pytest.fixture
def files(tmp_path):
    """Writes two files and gives their paths."""

    def write(source, target):
        paths = tmp_path / "text.de", tmp_path / "text.en"
        for path, data in zip(paths, (source, target), strict=True):
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return paths

    return write


def test_lines_of_one_number_are_a_pair(files):
    pairs = read_parallel(*files("Ein Hund.\nZwei Männer\n", "A dog.\nTwo men\n"))
    assert pairs == [("Ein Hund.", "A dog."), ("Zwei Männer", "Two men")]
    assert pairs[1].source == "Zwei Männer" and pairs[1].target == "Two men"


def test_the_last_line_may_have_no_end_and_a_line_may_be_empty(files):
    assert read_parallel(*files("a\n\nc", "x\ny\n\n")) == [("a", "x"), ("", "y"), ("c", "")]


def test_only_a_line_feed_ends_a_line(files):
    pairs = read_parallel(*files("a\u2028b\x0bc\r\nd\x85\n", "\ufeffx\r\ny\r\n"))
    assert pairs == [("a\u2028b\x0bc", "x"), ("d\x85", "y")]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (
            "a\nb\n",
            "x\n",
            r"`target` must have as many lines as .*text\.de, 2; got 1 in .*text\.en",
        ),
        ("", "x\n", r"`source` must not be empty; got .*text\.de"),
        ("a\n", "\n \n", r"`target` must be a file with text; got .*text\.en"),
        (b"a\xff\n", "x\n", r"`source` must .*"),
    ],
)
def test_bad_files_are_named(files, source, target, message):
    with pytest.raises(ValueError, match=message) as error:
        read_parallel(*files(source, target))
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(files, tmp_path):
    source, _ = files("a\n", "x\n")
    with pytest.raises(ValueError, match=r"`target` must be a file that exists; got .*none"):
        read_parallel(source, tmp_path / "none")
