"""A program of one command: what comes of each way in which it can end."""

import dataclasses
import json
import sys
from typing import Any

import pytest
from matplotlib.figure import Figure

from jaxrnn.cli import script


@dataclasses.dataclass(frozen=True)
class Options(script.Options):
    """Some options."""

    steps: int = 3
    """A number."""


def run(monkeypatch, measure: Any, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    show = lambda options, result: print("shown", options.steps, result["a"])
    return script.run(Options, measure, show, program="program")


def test_a_result_is_shown_and_as_json_on_the_last_line(monkeypatch, capsys):
    measure = lambda options: {"a": options.seed}
    assert run(monkeypatch, measure, "--seed", "4", "--steps", "7") == 0
    assert capsys.readouterr().out == "shown 7 4\n"
    assert run(monkeypatch, measure, "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"a": 0}


@pytest.mark.parametrize(
    "error",
    [
        ValueError("`steps` must be a positive integer; got 0"),
        FloatingPointError("the loss is nan at update 3"),
        OSError("no such file"),
        ModuleNotFoundError("this needs a package: pip install 'jaxrnn[examples]'"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_2(error, monkeypatch, capsys):
    def measure(options):
        raise error

    assert run(monkeypatch, measure, "--json") == 2
    out, err = capsys.readouterr()
    assert not out and err == f"error: {error}\n"


def test_ctrl_c_is_status_130_and_nothing_is_shown(monkeypatch, capsys):
    def stopped(options):
        raise KeyboardInterrupt

    assert run(monkeypatch, stopped) == 130
    assert run(monkeypatch, lambda options: None, "--json") == 130
    assert not capsys.readouterr().out


def test_a_picture_makes_its_folder(tmp_path):
    script.save(Figure(), tmp_path / "a" / "b" / "picture.png")
    assert (tmp_path / "a" / "b" / "picture.png").read_bytes().startswith(b"\x89PNG")
