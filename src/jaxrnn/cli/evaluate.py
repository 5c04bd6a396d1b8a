"""`jaxrnn evaluate`: how well a trained model predicts a text, beside an n-gram model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import optax
import tyro
from rich.console import Console
from rich.table import Table

from jaxrnn import baselines, data
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli import folder
from jaxrnn.cli.baseline import count_ngrams
from jaxrnn.cli.config import TrainConfig, load_config
from jaxrnn.cli.corpus import read_text, reading_streams
from jaxrnn.cli.figures import figures, unknown_symbols
from jaxrnn.cli.network import first_state, network
from jaxrnn.models.language_model import LanguageModelFunctions
from jaxrnn.train import TrainState, dynamic_evaluator


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
    """Measures a trained model on the validation part of its text, or on another text."""

    run: tyro.conf.Positional[Path]
    """Run folder that `jaxrnn train` made."""
    text: Path | None = None
    """Text file to measure on; the validation part of the run's own text unless given."""
    ngram: int | None = None
    """Also measure an n-gram model of this order on the same training text, and the mixture."""
    dynamic: float | None = None
    """Also measure the model while it goes on learning from the text that it has read, by gradient
    descent with this learning rate."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as a JSON object on the last line."""


def evaluate(config: EvaluateConfig) -> dict[str, Any]:
    """Measures and prints a table.

    Returns:
      `perplexity` and `bits_per_token` of the model, `tokens`, how many of these are `unknown`,
      `step`, and under `models` the two figures of each model; of the mixture also `weight`, that
      of the recurrent model.

    Raises:
      ValueError: if an option is wrong, or the run folder is none, has no checkpoint, or has a
        damaged one.
    """
    if config.ngram is not None:
        require_size("ngram", config.ngram)
    positive = config.dynamic is None or config.dynamic > 0
    require(positive, "dynamic", "be a positive learning rate", config.dynamic)
    trained = load_config(config.run)
    text, tokens = _read(config, trained)
    model = network(trained, text.tokenizer.vocabulary_size)
    state = folder.restore(config.run, first_state(trained, model))
    nats = symbol_nats(model, state.params, tokens)
    found = {"recurrent": figures(nats.mean())}
    if config.dynamic is not None:
        segment_length = min(trained.segment_length, len(tokens) - 1)
        loss = learning_loss(model, state, tokens, segment_length, config.dynamic)
        found["recurrent, learning on"] = figures(loss)
    if config.ngram is not None:
        counted = count_ngrams(text.tokenizer, text.training, config.ngram)
        ngram = counted.log_probabilities(tokens)[
            1:
        ]  # a recurrent model does not predict the first
        weights, mixed = cross_mixed(np.stack([-nats, ngram]))
        found[f"{config.ngram}-gram"] = figures(-ngram.mean())
        found["mixture"] = {**figures(-mixed.mean()), "weight": round(float(weights[0]), 3)}
    _print(found, len(tokens))
    count = {"tokens": len(tokens), "unknown": unknown_symbols(text.tokenizer, tokens)}
    return {**found["recurrent"], **count, "step": int(state.step), "models": found}


def symbol_nats(model: LanguageModelFunctions, params: Any, tokens: np.ndarray) -> np.ndarray:
    """Negative log-probability of every symbol but the first, `[N - 1]` nats, in their order."""
    segments = reading_streams(tokens)
    streams = segments.inputs.shape[-1]

    @jax.jit
    def read(params: Any, segments: data.Segment) -> jax.Array:
        def body(carry: Any, segment: data.Segment) -> tuple[Any, jax.Array]:
            nats, carry = model.nll(params, carry, segment, None)
            return carry, nats

        return jax.lax.scan(body, model.initial_carry(streams), segments)[1]

    nats = np.asarray(read(params, segments))
    in_order = (array.transpose(2, 0, 1).reshape(streams, -1) for array in (nats, segments.mask))
    nats, mask = in_order
    return nats[mask].astype(float)


def learning_loss(
    model: LanguageModelFunctions,
    state: TrainState,
    tokens: np.ndarray,
    segment_length: int,
    rate: float,
) -> float:
    """The same as a mean, of a model that learns from each segment after it has predicted it."""
    segments = data.streams(tokens, batch_size=1, segment_length=segment_length)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(rate))
    evaluate = dynamic_evaluator(model.loss, optimizer)
    return float(evaluate(state.params, model.initial_carry(1), segments)[1])


def cross_mixed(log_probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mixes models with weights that are fitted on one half of a text and used on the other.

    Args:
      log_probabilities: of each model for each symbol, `[K, N]`.

    Returns:
      The mean of the weights `[K]`, and the log-probabilities of the mixture `[N]`.
    """
    halves = np.array_split(log_probabilities, 2, axis=1)
    weights = [baselines.mixture_weights(half) for half in halves]
    mixed = [baselines.mix(half, weights[1 - i]) for i, half in enumerate(halves)]
    return np.mean(weights, axis=0), np.concatenate(mixed)


def _read(config: EvaluateConfig, trained: TrainConfig) -> tuple[data.EncodedText, np.ndarray]:
    """The text of the run, and the symbols to measure on."""
    text = read_text(trained)
    folder.require_corpus(config.run, text.digest)
    tokens = text.validation
    if config.text is not None:
        read = data.read_bytes if trained.level == "byte" else data.read_text
        tokens = text.tokenizer.encode(read(config.text, "text"))  # pyright: ignore
    require(len(tokens) > 1, "text", "hold two symbols", len(tokens))
    return text, tokens


def _print(found: dict[str, dict[str, float]], tokens: int) -> None:
    table = Table("model", "perplexity", "bits per symbol")
    for name, each in found.items():
        table.add_row(name, f"{each['perplexity']:.2f}", f"{each['bits_per_token']:.4f}")
    console = Console()
    console.print(table)
    line = f"{tokens - 1:,} symbols predicted"
    if "mixture" in found:
        share = found["mixture"]["weight"]
        line += f"; the mixture gives the recurrent model {share:.0%}, fitted on the other half"
    console.print(line)
