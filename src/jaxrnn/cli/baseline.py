"""`jaxrnn baseline`: an n-gram model, the yardstick of a recurrent one."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from jaxrnn import baselines, data
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli import folder
from jaxrnn.cli.config import load_config
from jaxrnn.cli.corpus import read_symbols


@dataclasses.dataclass(frozen=True)
class BaselineConfig:
    """Measures an n-gram model on the text of a run, or on text files."""

    run: tyro.conf.Positional[Path | None] = None
    """Run folder that `jaxrnn train` made: its text, its symbols, its validation part."""
    train: Path | None = None
    """Text file to count in, where no run folder is given."""
    valid: Path | None = None
    """Text file to measure on."""
    test: Path | None = None
    """Another one, on which the result is reported."""
    level: Literal["char", "byte", "word"] | None = None
    """What a symbol of a file is, a character unless given; a word is what white space separates,
    or the end of a line."""
    vocabulary: int | None = None
    """At level word, V: the most frequent words and the unknown one; all words unless given."""
    order: int = 5
    """n, the symbol that is predicted included."""
    smoothing: Literal["modified_kneser_ney", "kneser_ney", "witten_bell"] = "modified_kneser_ney"
    """How much goes to what was not seen."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def measure(config: BaselineConfig) -> dict[str, Any]:
    """Counts n-grams in the training text, measures the others and prints a table.

    Returns:
      `perplexity` and `bits_per_token` of the last of the texts, `order`, `smoothing`,
      `vocabulary_size`, `seconds`, and under `texts` for each its `tokens`, how many of these are
      `unknown`, `perplexity` and `bits_per_token`.

    Raises:
      ValueError: if an option is wrong or missing, or a text cannot be read.
    """
    require_size("order", config.order)
    tokenizer, training, texts = _read(config)
    started = time.perf_counter()
    boundary = tokenizer.boundary if isinstance(tokenizer, data.WordTokenizer) else None
    model = baselines.NGram(
        training,
        order=config.order,
        vocabulary_size=tokenizer.vocabulary_size,
        boundary=boundary,
        smoothing=getattr(baselines, config.smoothing),
    )
    found = {name: _score(model, tokenizer, tokens) for name, tokens in texts.items()}
    seconds = round(time.perf_counter() - started, 2)
    table = Table("text", "symbols", "unknown", "perplexity", "bits per symbol")
    for name, each in found.items():
        counts = f"{each['tokens']:,}", f"{each['unknown']:,}"
        table.add_row(name, *counts, f"{each['perplexity']:.2f}", f"{each['bits_per_token']:.4f}")
    console = Console()
    console.print(table)
    kind = config.smoothing.replace("_", "-")
    size = f"vocabulary {tokenizer.vocabulary_size:,}"
    console.print(f"{config.order}-gram, {kind}, {size}, {len(training):,} symbols counted")
    last = next(reversed(found.values()))
    return {
        "perplexity": last["perplexity"],
        "bits_per_token": last["bits_per_token"],
        "order": config.order,
        "smoothing": config.smoothing,
        "vocabulary_size": tokenizer.vocabulary_size,
        "seconds": seconds,
        "texts": found,
    }


def _score(
    model: baselines.NGram, tokenizer: data.Tokenizer, tokens: np.ndarray
) -> dict[str, float]:
    nats = -float(model.log_probabilities(tokens).mean())
    unknown = 0 if isinstance(tokenizer, data.ByteTokenizer) else int((tokens == 0).sum())
    bits, perplexity = nats / math.log(2), math.exp(nats)
    figures = {"perplexity": round(perplexity, 3), "bits_per_token": round(bits, 4)}
    return {"tokens": len(tokens), "unknown": unknown, **figures}


def _read(config: BaselineConfig) -> tuple[data.Tokenizer, np.ndarray, dict[str, np.ndarray]]:
    """The tokenizer, the symbols to count, and those to measure on by their names."""
    files = {"valid": config.valid, "test": config.test}
    if config.run is not None:
        fixed = {"level": config.level, "vocabulary": config.vocabulary}
        options = {"train": config.train, **files, **fixed}
        given = [name for name, value in options.items() if value is not None]
        require(not given, "run", "stand alone, because it has a text and symbols", given)
        text = read_symbols(load_config(config.run))
        folder.require_corpus(config.run, text.digest)
        return text.tokenizer, text.training, {"validation": text.validation}
    rule = "be a text file, or a run folder be given"
    require(config.train is not None, "train", rule, config.train)
    require(any(files.values()), "valid", "be a text file, or `test` be one", config.valid)
    level, rule = config.level or "char", "be given at level word alone"
    require(config.vocabulary is None or level == "word", "vocabulary", rule, config.vocabulary)
    read = data.read_bytes if level == "byte" else data.read_text
    paths = {"train": config.train, **files}
    texts: Any = {name: read(path, name) for name, path in paths.items() if path}
    tokenizer: Any = data.ByteTokenizer()
    if level == "char":
        tokenizer = data.CharTokenizer.from_text(texts["train"])
    elif level == "word":
        tokenizer = data.WordTokenizer.from_text(texts["train"], config.vocabulary)
    symbols = {name: tokenizer.encode(text) for name, text in texts.items()}
    for name, tokens in symbols.items():
        require(len(tokens) > 0, name, "hold a symbol", paths[name])
    return tokenizer, symbols.pop("train"), symbols
