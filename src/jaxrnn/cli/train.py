"""`jaxrnn train`: from a text to a run folder with a trained model."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console

from jaxrnn import data
from jaxrnn.cells.checks import require_size
from jaxrnn.cli import folder
from jaxrnn.cli.config import TrainConfig
from jaxrnn.cli.corpus import Corpus, read_corpus
from jaxrnn.cli.curve import plot_curve, read_metrics
from jaxrnn.cli.devices import choose_devices, mesh_of
from jaxrnn.cli.figures import figures
from jaxrnn.cli.network import first_state, network, optimizer
from jaxrnn.cli.sample import continuation
from jaxrnn.generate import sample
from jaxrnn.models.language_model import LanguageModelFunctions
from jaxrnn.train import Run, evaluator, fit, tbptt_scan

CONTEXT = 256  # symbols of the training text that a sample goes on from, at most


def train(config: TrainConfig, program: str) -> dict[str, Any]:
    """Trains, or goes on training, and reports.

    Args:
      config: the options.
      program: how the user calls the command line, for the hints at the end.

    Returns:
      The result: `bits_per_char`, and of the symbols `perplexity` and `bits_per_token`; `seconds`,
      `tokens_per_second`, `run` and `steps`.

    Raises:
      ValueError: if an option or the corpus is wrong; nothing is written then.
      KeyboardInterrupt: if Ctrl-C stopped the run, after saving it.
    """
    require_size("check_every", config.check_every)
    require_size("batch_size", config.batch_size)
    config = dataclasses.replace(config, devices=choose_devices(config))
    corpus = read_corpus(config)
    model = network(config, corpus.text.tokenizer.vocabulary_size)
    state = first_state(config, model)
    path = _open(config, corpus)
    run = Run(path)
    console = Console(stderr=True)
    console.print(_describe(config, corpus, model, path), markup=False, soft_wrap=True)
    validate = evaluator(model.loss)
    carry = model.initial_carry(corpus.validation.inputs.shape[-1])
    state = fit(
        tbptt_scan(model.loss, optimizer(config), mesh=mesh_of(config.devices or 1)),
        state,
        corpus.training,
        steps=config.steps,
        run=run,
        validate=lambda params: validate(params, carry, corpus.validation),
        write_sample=_sampler(config, corpus, model),
        check_every=config.check_every,
        symbol=config.symbol,
        console=console,
    )
    if int(state.step) < config.steps:
        print(f"\nstopped and saved after {int(state.step)} of {config.steps} updates")
        print(f"go on with:  {program} train --run {path}")
        raise KeyboardInterrupt
    return _report(config, corpus, run, path, program)


def _open(config: TrainConfig, corpus: Corpus) -> Path:
    """Returns the run folder, made or found fit for this corpus."""
    path = config.run or folder.new_folder()
    if folder.is_run(path):
        folder.require_corpus(path, corpus.text.digest)
    else:
        folder.create(path, config, corpus.text.digest, corpus.text.tokenizer)
    return path


def _describe(
    config: TrainConfig, corpus: Corpus, model: LanguageModelFunctions, path: Path
) -> str:
    """Returns what is about to be trained, on what."""
    weights = sum(leaf.size for leaf in jax.tree.leaves(model.params))
    text = config.corpus or "the language reference of Python"
    symbols, held_out = len(corpus.text.training), len(corpus.text.validation)
    return (
        f"text: {text}, {symbols:,} {config.symbol}s to learn from, {held_out:,} for validation, "
        f"vocabulary {corpus.text.tokenizer.vocabulary_size}\n"
        f"model: {config.layers} x {config.cell}, H = {config.hidden_size}, "
        f"{weights:,} parameters, {_on(config.devices or 1)}\n"
        f"run folder: {path}\n"
    )


def _on(devices: int) -> str:
    """Returns what the training runs on."""
    return jax.devices()[0].platform + (f" as {devices} devices" if devices > 1 else "")


def _sampler(
    config: TrainConfig, corpus: Corpus, model: LanguageModelFunctions
) -> Callable[[Any], str]:
    """Returns the function that writes a few lines with the model of the moment."""
    tokenizer, prompt = corpus.text.tokenizer, _last_lines(corpus.text)
    # A key of its own: that of the run draws the parameters and the masks.
    key, carry = jax.random.fold_in(jax.random.key(config.seed), 1), model.initial_carry(1)

    def write_sample(params: Any) -> str:
        given = model.step, params, carry, prompt[:, None]
        _, symbols = sample(*given, length=250, key=key, temperature=0.8)
        return continuation(tokenizer, prompt, np.asarray(symbols[:, 0]))

    return write_sample


def _last_lines(text: data.EncodedText) -> np.ndarray:
    """What a sample goes on from: the end of the training text, up to a line break if it has one.

    After a single symbol the network would be in a state that it is never in as it learns.
    """
    symbols = np.asarray(text.training[-CONTEXT:], np.int32)
    if text.tokenizer.unknown("\n"):
        return symbols
    breaks = np.flatnonzero(symbols == text.tokenizer.encode("\n")[-1])
    return symbols[: breaks[-1] + 1] if breaks.size else symbols


def _report(
    config: TrainConfig, corpus: Corpus, run: Run, path: Path, program: str
) -> dict[str, Any]:
    """Draws the curve, prints the last lines, and returns the result."""
    metrics = read_metrics(run.metrics.path)
    plot_curve(metrics, path / "curve.png", config.symbol)
    per_symbol = [m["validation_bits"] for m in metrics if "validation_bits" in m][-1]
    speed = statistics.median(m["tokens_per_second"] for m in metrics if "loss" in m)
    result = {
        "bits_per_char": round(per_symbol * corpus.symbols_per_char, 4),
        **figures(per_symbol * math.log(2)),
        "seconds": round(run.seconds, 1),
        "tokens_per_second": round(speed),
        "run": str(path),
        "steps": config.steps,
    }
    quality = f"{result['bits_per_char']:.3f} bits per character"
    if config.level in ("word", "bpe"):
        quality = f"perplexity {result['perplexity']:.1f} per {config.symbol}, {quality}"
    print(
        f"validation: {quality} after {config.steps} "
        f"updates in {run.seconds:.0f} s ({speed:,.0f} {config.symbol}s/s)\n"
        f"run folder: {path}  (curve.png, samples.txt, metrics.jsonl, checkpoints)\n"
        f'write more: {program} sample {path} --prompt "The "'
    )
    return result
