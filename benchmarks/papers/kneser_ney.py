"""Does the n-gram model reach the published perplexities on the Penn Treebank?

    python benchmarks/papers/kneser_ney.py --data DIR [--orders 3,5] [--json]

DIR holds `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt` in the form of Mikolov 2010: 10,000
words with `<unk>` among them, a sentence on each line. The model is interpolated Kneser-Ney with
three discounts, no count cut-offs, sentences apart, words and ends of sentences scored.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from jaxrnn import bench
from jaxrnn.baselines import NGram
from jaxrnn.cells.checks import require
from jaxrnn.cli import screen
from jaxrnn.cli.options import fail, read_options

END = "</s>"
# Test perplexity of KN3 and KN5 in table 4.1 of Mikolov 2012, "Statistical language models based on
# neural networks" (thesis).
PUBLISHED = {3: 148.3, 5: 141.2}


@dataclasses.dataclass(frozen=True)
class Options:
    """Perplexity of n-gram models with Kneser-Ney smoothing on the Penn Treebank."""

    data: Path
    """Folder with ptb.train.txt, ptb.valid.txt and ptb.test.txt."""
    orders: str = "3,5"
    """Lengths of the longest n-grams, separated by commas."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def read_words(folder: Path, part: str) -> list[str]:
    """Reads a part of the corpus as words and ends of sentences."""
    path = folder / f"ptb.{part}.txt"
    require(path.is_file(), "data", f"hold the file ptb.{part}.txt", folder)
    return path.read_text("utf-8").replace("\n", f" {END} ").split()


def main() -> int:
    """Prints the table and returns the exit status."""
    try:
        options = read_options(Options, sys.argv[1:], program="kneser_ney.py")
        orders = options.orders.split(",")
        whole = all(order.strip().isdigit() and int(order) > 0 for order in orders)
        require(whole, "orders", "be positive integers, separated by commas", repr(options.orders))
        words = {part: read_words(options.data, part) for part in ("train", "valid", "test")}
    except (ValueError, OSError) as error:
        return fail(error)
    codes = {word: code for code, word in enumerate(sorted(set(words["train"])))}
    texts = {part: np.array([codes[word] for word in text]) for part, text in words.items()}
    machine, rows = bench.machine(), []
    with screen.progress(len(orders), machine) as announce:
        for order in map(int, orders):
            announce(f"order {order}")
            rows.append(measure(texts, order, len(codes), codes[END]))
    table = Table("order", "published", "test perplexity", "validation perplexity", "seconds")
    for row in rows:
        published = row["published"] or ""
        figures = f"{row['test']:.1f}", f"{row['valid']:.1f}", f"{row['seconds']:.1f}"
        table.add_row(str(row["order"]), str(published), *figures)
    Console().print(table)
    if options.json:
        print(json.dumps({"machine": machine, "rows": rows}))
    return 0


def measure(texts: dict[str, np.ndarray], order: int, size: int, end: int) -> dict[str, Any]:
    """Counts the training text and measures the other two."""
    started = time.perf_counter()
    model = NGram(texts["train"], order=order, vocabulary_size=size, boundary=end)
    found = {
        part: round(float(np.exp(-model.log_probabilities(texts[part]).mean())), 2)
        for part in ("test", "valid")
    }
    seconds = round(time.perf_counter() - started, 1)
    return {"order": order, "published": PUBLISHED.get(order), **found, "seconds": seconds}


if __name__ == "__main__":
    sys.exit(main())
