"""A program of one command: options in, a measurement, a result for people or as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import tyro
from matplotlib.figure import Figure

from jaxrnn.cli.options import fail, read_options


@dataclasses.dataclass(frozen=True)
class Options:
    """What every example can be told."""

    seed: int = 0
    """Of the data and the parameters."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def save(figure: Figure, path: Path) -> None:
    """Writes a picture as PNG, into a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=120)


def run(
    options: type,
    measure: Callable[[Any], dict[str, Any] | None],
    show: Callable[[Any, dict[str, Any]], None],
    *,
    program: str,
) -> int:
    """Runs a script.

    Args:
      options: a dataclass; a field `json` that is true prints the result on the last line.
      measure: does the work, `measure(options) -> result`, numbers and texts by name; None if
        Ctrl-C stopped it.
      show: prints the result for people, `show(options, result)`.
      program: the script's name, for `--help`.

    Returns:
      The exit status: 2 after bad input or where a package is missing, which is one line on
      standard error, 130 after Ctrl-C.
    """
    try:
        given = read_options(options, sys.argv[1:], program=program)
        result = measure(given)
    except (ValueError, FloatingPointError, OSError, ModuleNotFoundError) as error:
        return fail(error)
    except KeyboardInterrupt:
        return 130
    if result is None:
        return 130
    show(given, result)
    if given.json:
        print(json.dumps(result))
    return 0
