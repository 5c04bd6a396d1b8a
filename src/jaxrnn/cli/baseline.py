"""`jaxrnn baseline`: an n-gram model, the yardstick of a recurrent one."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from rich.table import Table

from jaxrnn import baselines, data
from jaxrnn.cells.checks import require
from jaxrnn.cli import folder, screen
from jaxrnn.cli.config import load_config
from jaxrnn.cli.corpus import read_text
from jaxrnn.cli.figures import figures, unknown_symbols


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
    order: str = "5"
    """n, the symbol that is predicted included; of several, 1,3,5 or 1-12, the best on the first
    text is taken."""
    smoothing: Literal["modified_kneser_ney", "kneser_ney", "witten_bell", "katz"] = (
        "modified_kneser_ney"
    )
    """How much goes to what was not seen."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def measure(config: BaselineConfig) -> dict[str, Any]:
    """Counts n-grams in the training text, measures the others and prints a table.

    Returns:
      `perplexity` and `bits_per_token` of the last of the texts, `order`, `smoothing`,
      `vocabulary_size`, `seconds`, and under `texts` for each its `tokens`, how many of these are
      `unknown`, `perplexity` and `bits_per_token`; under `orders` the texts for every order.

    Raises:
      ValueError: if an option is wrong or missing, or a text cannot be read.
    """
    orders = parse_orders(config.order)
    tokenizer, training, texts = _read(config)
    started = time.perf_counter()
    found = {}
    with screen.progress(len(orders)) as announce:
        for order in orders:
            announce(f"{order}-gram")
            model = count_ngrams(tokenizer, training, order, config.smoothing)
            found[order] = {name: _score(model, tokenizer, each) for name, each in texts.items()}
    seconds = round(time.perf_counter() - started, 2)
    first, last = next(iter(texts)), next(reversed(texts))
    best = min(orders, key=lambda order: found[order][first]["bits_per_token"])
    _print(found)
    which = f"{best}-gram" + (f" (best on {first})" if len(orders) > 1 else "")
    size = f"vocabulary {tokenizer.vocabulary_size:,}, {len(training):,} symbols counted"
    print(f"{which}, {config.smoothing.replace('_', '-')}, {size}")
    return {
        "perplexity": found[best][last]["perplexity"],
        "bits_per_token": found[best][last]["bits_per_token"],
        "order": best,
        "smoothing": config.smoothing,
        "vocabulary_size": tokenizer.vocabulary_size,
        "seconds": seconds,
        "texts": found[best],
        "orders": [{"order": order, "texts": found[order]} for order in orders],
    }


def parse_orders(text: str) -> list[int]:
    """Reads `5`, `1,3,5` or `1-12`.

    Raises:
      ValueError: if it is none of these, or an order is not positive.

    >>> parse_orders("1,3-5")
    [1, 3, 4, 5]
    """
    orders = []
    for part in text.split(","):
        ends = [end.strip() for end in part.split("-")]
        whole = len(ends) in (1, 2) and all(end.isdecimal() and int(end) > 0 for end in ends)
        rule = "be a positive integer, several with commas between, or a range such as 1-12"
        require(whole and int(ends[0]) <= int(ends[-1]), "order", rule, repr(text))
        orders += range(int(ends[0]), int(ends[-1]) + 1)
    return orders


def _print(found: dict[int, dict[str, dict[str, Any]]]) -> None:
    table = Table("order", "text", "symbols", "unknown", "perplexity", "bits per symbol")
    for order, texts in found.items():
        for name, each in texts.items():
            counts = str(order), name, f"{each['tokens']:,}", f"{each['unknown']:,}"
            table.add_row(*counts, f"{each['perplexity']:.2f}", f"{each['bits_per_token']:.4f}")
    screen.table_console().print(table)


def count_ngrams(
    tokenizer: data.Tokenizer,
    tokens: np.ndarray,
    order: int,
    smoothing: str = "modified_kneser_ney",
) -> baselines.NGram:
    """Counts a text; lines of words are sentences, a text of other symbols is one."""
    boundary = tokenizer.boundary if isinstance(tokenizer, data.WordTokenizer) else None
    return baselines.NGram(
        tokens,
        order=order,
        vocabulary_size=tokenizer.vocabulary_size,
        boundary=boundary,
        smoothing=getattr(baselines, smoothing),
    )


def _score(
    model: baselines.NGram, tokenizer: data.Tokenizer, tokens: np.ndarray
) -> dict[str, float]:
    count = {"tokens": len(tokens), "unknown": unknown_symbols(tokenizer, tokens)}
    return {**count, **figures(-float(model.log_probabilities(tokens).mean()))}


def _read(config: BaselineConfig) -> tuple[data.Tokenizer, np.ndarray, dict[str, np.ndarray]]:
    """The tokenizer, the symbols to count, and those to measure on by their names."""
    files = {"valid": config.valid, "test": config.test}
    if config.run is not None:
        fixed = {"level": config.level, "vocabulary": config.vocabulary}
        options = {"train": config.train, **files, **fixed}
        given = [name for name, value in options.items() if value is not None]
        require(not given, "run", "stand alone, because it has a text and symbols", given)
        text = read_text(load_config(config.run))
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
