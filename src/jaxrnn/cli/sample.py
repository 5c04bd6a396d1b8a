"""`jaxrnn sample`: text from a trained model."""

from __future__ import annotations

import sys
from typing import Any

import jax
import numpy as np

from jaxrnn import data
from jaxrnn.cells.checks import require
from jaxrnn.cli.config import SampleConfig, load_config
from jaxrnn.cli.network import first_state, network
from jaxrnn.generate import sample
from jaxrnn.train import Checkpoints


def write(config: SampleConfig) -> dict[str, Any]:
    """Goes on from a prompt and prints both.

    Returns:
      The result: `prompt`, `text` (what was written after it), `run` and `step`.

    Raises:
      ValueError: if an option is wrong, or the run folder is none, has no checkpoint, or has a
        damaged one.
    """
    trained = load_config(config.run)
    tokenizer = data.load_tokenizer(config.run / "vocabulary.json")
    given = _default_prompt(tokenizer) if config.prompt is None else config.prompt
    require(len(given) > 0, "prompt", "hold at least one character", repr(given))
    unknown = tokenizer.unknown(given)
    if unknown:
        listed = " ".join(map(repr, unknown))
        print(f"note: read as the unknown symbol: {listed} (not in the text)", file=sys.stderr)
    model = network(trained, tokenizer.vocabulary_size)
    folder = config.run / "checkpoints"
    require(folder.is_dir(), "run", "hold a checkpoint (train it for longer)", config.run)
    state, _ = Checkpoints(folder).restore(first_state(trained, model))
    prompt = np.asarray(tokenizer.encode(given))[:, None]
    _, symbols = sample(
        model.step,
        state.params,
        model.initial_carry(1),
        prompt,
        length=config.length,
        key=jax.random.key(config.seed),
        temperature=config.temperature,
        top_k=config.top_k,
    )
    text = tokenizer.decode(symbols[:, 0])
    print(given + text)
    result = {"prompt": given, "text": text, "run": str(config.run)}
    return {**result, "step": int(state.step)}


def _default_prompt(tokenizer: data.Tokenizer) -> str:
    """Returns a line break, or where the text had none the first symbol of the vocabulary."""
    return tokenizer.decode([1]) if tokenizer.unknown("\n") else "\n"
