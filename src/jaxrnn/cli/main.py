"""The door of the command line: options in; results, or one line about what is wrong, out."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxrnn.cli import folder
from jaxrnn.cli.baseline import BaselineConfig, measure
from jaxrnn.cli.bench import BenchConfig, run_bench
from jaxrnn.cli.config import SampleConfig, TrainConfig, load_config, require_same
from jaxrnn.cli.evaluate import EvaluateConfig, evaluate
from jaxrnn.cli.options import fail, read_options
from jaxrnn.cli.sample import write
from jaxrnn.cli.train import train


def run(arguments: list[str]) -> int:
    """Runs a command and returns its exit status: 0, 1 failed, 2 wrong input, 130 stopped."""
    try:
        config = _parse(arguments)
        if isinstance(config, TrainConfig) and config.run is not None and folder.is_run(config.run):
            config = _parse_again(arguments, load_config(config.run))
        result = _perform(config)
    except (ValueError, OSError) as error:
        return fail(error, 2)
    except FloatingPointError as error:
        return fail(error, 1)
    except KeyboardInterrupt:
        return 130
    if config.json:
        print(json.dumps(result))
    return 0


Config = TrainConfig | SampleConfig | EvaluateConfig | BaselineConfig | BenchConfig


def _perform(config: Config) -> dict[str, Any]:
    """Runs a command and returns its result, as JSON."""
    if isinstance(config, TrainConfig):
        return train(config, _program())
    if isinstance(config, SampleConfig):
        return write(config)
    if isinstance(config, EvaluateConfig):
        return evaluate(config)
    return measure(config) if isinstance(config, BaselineConfig) else run_bench(config)


def _parse(arguments: list[str], kept: TrainConfig | None = None) -> Config:
    """Reads the options; those that are not given are as in `kept`."""
    command = tyro.conf.subcommand("train", default=kept or TrainConfig())
    commands: Any = (
        Annotated[TrainConfig, command]
        | Annotated[SampleConfig, tyro.conf.subcommand("sample")]
        | Annotated[EvaluateConfig, tyro.conf.subcommand("evaluate")]
        | Annotated[BaselineConfig, tyro.conf.subcommand("baseline")]
        | Annotated[BenchConfig, tyro.conf.subcommand("bench")]
    )
    return read_options(commands, arguments, program="jaxrnn", description=_DESCRIPTION)


def _parse_again(arguments: list[str], kept: TrainConfig) -> TrainConfig:
    """Reads the options over those of a run folder, with which they must agree."""
    config = _parse(arguments, kept)
    assert isinstance(config, TrainConfig)
    require_same(config, kept)
    return config


_DESCRIPTION = (
    "Recurrent networks in JAX: train a language model on a text, let it write, measure it beside "
    "an n-gram model, measure scans."
)


def _program() -> str:
    """Returns what to type for this program: its name where that finds it, else its path."""
    path = Path(sys.argv[0])
    if path.name == "__main__.py":
        return "python -m jaxrnn"
    found = shutil.which(path.name)
    if found and Path(found).resolve() == path.resolve():
        return path.name
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
