"""The example that adds, at a reduced size."""

import json
import sys

import pytest


def main(example, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["add.py", *map(str, arguments)])
    return example.main()


def test_it_learns_sums_in_both_orders(example, tmp_path, monkeypatch, capsys):
    sums = example.addition
    monkeypatch.setattr(example, "addition", lambda count, **how: sums(1100, **how))
    given = ["--steps", 2, "--out", tmp_path / "out", "--json"]
    assert main(example, monkeypatch, *given) == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    assert (
        list(result["right"])
        == list(result["said"])
        == [
            "source as it stands",
            "source reversed",
        ]
    )
    assert all(0 <= share < 1 for share in result["right"].values())
    assert "source reversed: " in out
    # The same sums are asked for, and shown as people write them.
    plain, reverse = ([row[::2] for row in rows] for rows in result["said"].values())
    assert plain == reverse
    assert all(sum(map(int, source.split("+"))) == int(wanted) for source, wanted in plain)
    assert (tmp_path / "out" / "add.png").read_bytes().startswith(b"\x89PNG")


def test_it_learns_a_few_sums_by_heart(example, tmp_path):
    """Enough of both networks works to write what they have seen."""
    options = example.Options(steps=150, digits=2)
    pairs = example.addition(40, digits=2, seed=1)
    found = example.written(example.trained(pairs, options), pairs)
    wanted = [example.read(pair.target, example.DIGITS) for pair in pairs]
    assert sum(a == b for a, b in zip(found, wanted, strict=True)) > 30


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--steps", "0", "`steps` must be a positive integer; got 0"),
        ("--digits", "1", "`digits` must be 2 to 6; got 1"),
    ],
)
def test_bad_input_is_one_line(option, value, message, example, tmp_path, monkeypatch, capsys):
    assert main(example, monkeypatch, option, value, "--out", tmp_path / "none") == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not (tmp_path / "none").exists()
