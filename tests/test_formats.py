"""Files in standard formats: CoNLL columns, IDX arrays, MNIST; and the digits."""

import gzip
import struct

import numpy as np
import pytest
import scipy.io

from jaxrnn.data.formats import read_conll, read_idx, read_mnist, read_piano_rolls

COLUMNS = ("word", "pos", "chunk")


def text(tmp_path, content):
    path = tmp_path / "text.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_sentences_end_at_blank_lines(end, newline, tmp_path):
    content = "\nHe PRP B-NP\nsleeps VBZ B-VP\n \n\nNaïve\tJJ B-NP" + end
    path = text(tmp_path, content.replace("\n", newline))
    first, second = read_conll(path, COLUMNS)
    assert first == {"word": ["He", "sleeps"], "pos": ["PRP", "VBZ"], "chunk": ["B-NP", "B-VP"]}
    assert second == {"word": ["Naïve"], "pos": ["JJ"], "chunk": ["B-NP"]}


def test_a_separator_keeps_the_spaces_and_document_borders_are_left_out(tmp_path):
    path = text(tmp_path, "-DOCSTART- -X- O\n\nNew York\tB-LOC\n,\tO\n")
    assert read_conll(path, ("word", "tag"), separator="\t") == [
        {"word": ["New York", ","], "tag": ["B-LOC", "O"]}
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("He PRP O\n\nshe PRP\n", r"`path` must have 3 columns in line 3 of .*; got 2: 'she PRP'"),
        ("a b c d\n", "`path` must have 3 columns in line 1 of"),
        ("", "`path` must hold at least one sentence"),
        ("\n \n", "`path` must hold at least one sentence"),
        (b"He PRP O\nb\xff PRP O\n", r"`path` must be UTF-8 in line 2 of .*; got b'\\xff'"),
    ],
)
def test_a_bad_line_is_named_by_its_number(content, message, tmp_path):
    with pytest.raises(ValueError, match=message) as raised:
        read_conll(text(tmp_path, content), COLUMNS)
    assert "\n" not in str(raised.value)


def test_columns_need_names(tmp_path):
    with pytest.raises(ValueError, match="`columns` must name at least one column"):
        read_conll(text(tmp_path, "a\n"), ())


def idx(array, code):
    """An IDX file, written from the description of the format."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return (
        bytes([0, 0, code, array.ndim])
        + sizes
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("code", "dtype"),
    [(8, "u1"), (9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")],
)
def test_arrays_of_every_type_come_back_gzipped_or_not(code, dtype, pack, tmp_path):
    array = np.arange(-6, 18).reshape(2, 3, 4).astype(dtype)
    found = read_idx(text(tmp_path, pack(idx(array, code))))
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype and found.dtype.isnative


IMAGE = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "`path` must begin with the header of an IDX file, .*; got none"),
        (b"\x89PNG\r\n", "`path` must begin with the header of an IDX file, .*; got 89 50 4e 47"),
        (b"\0\0\x0a\1\0\0\0\0", "`path` must begin with the header"),
        (b"\0\0\x08\0", "`path` must begin with the header"),
        (b"\0\0\x08\2\0\0\0\1", "`path` must have 2 sizes behind its header"),
        (idx(IMAGE, 8)[:-1], r"`path` must have 24 bytes for \[3, 4\] numbers of 1, .*; got 23"),
        (idx(IMAGE, 8) + b"\0", "`path` must have 24 bytes .*; got 25"),
        # Without the time, which would name the test otherwise in every process that collects it.
        (gzip.compress(idx(IMAGE, 8), mtime=0)[:-9], "`path` must be a whole gzip file"),
    ],
)
def test_a_damaged_array_is_one_line(content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_idx(text(tmp_path, content))


def write_mnist(folder, train=5, test=3, label=9):
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (count, 4, 6)).astype(np.uint8)
        labels = np.append(rng.integers(0, 10, count - 1), label).astype(np.uint8)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images, 8)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels, 8))


def test_mnist_is_read_from_its_four_files(tmp_path):
    write_mnist(tmp_path)
    train, test = read_mnist(tmp_path)
    assert train.images.shape == (5, 4, 6) and test.pixels.shape == (3, 24, 1)
    raw = read_idx(tmp_path / "t10k-images-idx3-ubyte.gz")
    np.testing.assert_allclose(test.images, raw / 255, rtol=1e-6)
    assert test.images.dtype == np.float32 and test.labels.tolist()[-1] == 9
    np.testing.assert_array_equal(test.pixels[1, :6, 0], test.rows[1, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda folder: (folder / "t10k-labels-idx1-ubyte").unlink(),
            "`folder` must hold the file",
        ),
        (lambda folder: write_mnist(folder, label=10), "`folder` must hold labels from 0 to 9"),
        (
            lambda folder: (folder / "train-labels-idx1-ubyte").write_bytes(idx(IMAGE[0], 8)),
            "`folder` must hold a label for each of 5 images of train",
        ),
    ],
)
def test_a_folder_that_is_not_mnist_is_one_line(change, message, tmp_path):
    write_mnist(tmp_path)
    change(tmp_path)
    with pytest.raises(ValueError, match=message):
        read_mnist(tmp_path)


def write_rolls(path, parts):
    """The file as MATLAB has it: for each part one row of matrices."""
    cells = {name: np.empty((1, len(rolls)), object) for name, rolls in parts.items()}
    for name, rolls in parts.items():
        for n, roll in enumerate(rolls):
            cells[name][0, n] = roll
    scipy.io.savemat(path, cells)


def rolls(count, *, keys=88):
    return [(np.random.default_rng(n).random((n + 2, keys)) < 0.1) * 1.0 for n in range(count)]


def test_piano_rolls_are_read_as_they_are(tmp_path):
    parts = {"traindata": rolls(3), "validdata": rolls(1), "testdata": rolls(2)}
    write_rolls(tmp_path / "some.mat", parts)
    found = read_piano_rolls(tmp_path / "some.mat")
    assert list(found) == ["train", "valid", "test"]
    for one, other in zip(found.values(), parts.values(), strict=True):
        assert [roll.dtype for roll in one] == [np.uint8] * len(other)
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"testdata": None},
            "`path` must be a MATLAB file with traindata, validdata, testdata; got ",
        ),
        ({"testdata": rolls(2, keys=87)}, r"`path` must hold pieces \[T, 88\]; got \(2, 87\)"),
        ({"validdata": [np.full((3, 88), 2.0)]}, "`path` must hold zeros and ones; got "),
    ],
)
def test_a_file_without_piano_rolls_is_one_line(change, message, tmp_path):
    parts = {"traindata": rolls(3), "validdata": rolls(1), "testdata": rolls(2)} | change
    given = {name: part for name, part in parts.items() if part is not None}
    write_rolls(tmp_path / "some.mat", given)
    with pytest.raises(ValueError, match=message):
        read_piano_rolls(tmp_path / "some.mat")


def test_a_missing_or_damaged_file_of_piano_rolls_is_one_line(tmp_path):
    with pytest.raises(ValueError, match="`data` must be a file; got none"):
        read_piano_rolls("none", "data")
    with pytest.raises(ValueError, match="`path` must be a MATLAB file with traindata"):
        read_piano_rolls(text(tmp_path, b"no such format"))
    with pytest.raises(ValueError, match="`path` must be a MATLAB file with traindata"):
        read_piano_rolls(text(tmp_path, b""))
    write_rolls(tmp_path / "whole", {name: rolls(2) for name in ("traindata", "validdata")})
    whole = (tmp_path / "whole").read_bytes()
    for length in range(100, len(whole), 97):
        with pytest.raises(ValueError, match="`path` must be a MATLAB file with traindata"):
            read_piano_rolls(text(tmp_path, whole[:length]))
