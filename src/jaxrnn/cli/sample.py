"""`jaxrnn sample`: text from a trained model."""

from __future__ import annotations

import sys
from typing import Any

import jax
import numpy as np

from jaxrnn import data
from jaxrnn.cells.checks import require
from jaxrnn.cli import folder
from jaxrnn.cli.config import SampleConfig, load_config
from jaxrnn.cli.network import first_state, network
from jaxrnn.generate import beam_search, sample
from jaxrnn.models.language_model import LanguageModelFunctions


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
    state = folder.restore(config.run, first_state(trained, model))
    prompt = np.asarray(tokenizer.encode(given))
    written = _write(config, model, state.params, prompt)
    text = continuation(tokenizer, prompt, written)
    print(given + text)
    result = {"prompt": given, "text": text, "run": str(config.run)}
    return {**result, "step": int(state.step)}


def continuation(tokenizer: data.Tokenizer, prompt: np.ndarray, written: np.ndarray) -> str:
    """The text that symbols `[N]` stand for after others `[P]`."""
    # Decoded together, because words have a space between them and bytes may be part of a letter.
    return tokenizer.decode([*prompt, *written])[len(tokenizer.decode(prompt)) :]


def _write(
    config: SampleConfig, model: LanguageModelFunctions, params: Any, prompt: np.ndarray
) -> np.ndarray:
    """The symbols after a prompt `[P]`, drawn or searched for, `[N]`."""
    start = model.step, params, model.initial_carry(1), prompt[:, None]
    if config.beam is not None:
        for name in ("top_k", "top_p"):
            value = getattr(config, name)
            require(value is None, name, "be left out with `beam`, which draws nothing", value)
        beams = beam_search(*start, width=config.beam, length=config.length)
        return np.asarray(beams.symbols[:, 0, 0])
    _, symbols = sample(
        *start,
        length=config.length,
        key=jax.random.key(config.seed),
        temperature=config.temperature,
        top_k=config.top_k,
        top_p=config.top_p,
    )
    return np.asarray(symbols[:, 0])


def _default_prompt(tokenizer: data.Tokenizer) -> str:
    """Returns a line break, or where the text had none the first symbol of the vocabulary."""
    return tokenizer.decode([1]) if tokenizer.unknown("\n") else "\n"
