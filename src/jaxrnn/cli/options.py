"""Options in, or one line about what is wrong with them: for every command and every script."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from typing import Any

import tyro


def read_options(
    kind: Any, arguments: list[str], *, program: str, description: str | None = None
) -> Any:
    """Reads a command line.

    Args:
      kind: a dataclass of options, or a union of such for a program with several commands.
      arguments: what stands after the program's name.
      program: that name, for the help.
      description: what the help says first; None takes the docstring of `kind`.

    Returns:
      An instance of `kind`.

    Raises:
      ValueError: if an argument is wrong or missing; the message is one line.
      SystemExit: with status 0 after `--help`.
    """
    messages = io.StringIO()
    try:
        with contextlib.redirect_stderr(messages):
            return tyro.cli(kind, prog=program, args=arguments, description=description)
    except SystemExit as exit:
        if not exit.code:
            raise
        raise ValueError(_one_line(messages.getvalue())) from None


def fail(error: Exception, status: int = 2) -> int:
    """Prints an error as one line on standard error and returns the exit status."""
    print("error: " + " ".join(str(error).split()), file=sys.stderr)
    return status


def _one_line(box: str) -> str:
    """Returns the message of a box that tyro draws, without its frame and its hints.

    Where the output has no Unicode, the frame is spaces and its rules are of ASCII.
    """
    lines = re.sub(r"\x1b\[[0-9;]*m", "", box).splitlines()[1:]
    words = [line.strip("│╭╮╰╯ ") for line in lines]
    if words and not words[0].strip("─-"):  # below the title
        words = words[1:]
    rules = (i for i, line in enumerate(words) if line and not line.strip("─-"))
    return " ".join(" ".join(words[: next(rules, None)]).split()) or box
