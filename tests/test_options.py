"""What is wrong with a command line is one line, whatever the terminal can draw."""

import dataclasses
import io
from typing import Literal

import pytest

from jaxrnn.cli.options import read_options


@dataclasses.dataclass
class Options:
    """Some options."""

    unit: Literal["lstm", "gru"] = "lstm"
    """A unit."""
    steps: int = 1
    """A number."""


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--unit", "x"], "invalid choice 'x' for argument '--unit'. Expected one of "),
        (["--steps", "x"], "Error parsing --steps: "),
        (["--nothing"], "Unrecognized"),
    ],
)
def test_the_message_has_no_frame(arguments, message, encoding, monkeypatch):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    with pytest.raises(ValueError, match="^" + message) as caught:
        read_options(Options, arguments, program="program")
    text = str(caught.value)
    assert "\n" not in text and "---" not in text and not set(text) & set("│╭╮╰╯─")
    assert "--help" not in text
