"""From the options of a run to its model and optimiser."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import optax
from flax import nnx

from jaxrnn import cells, nn
from jaxrnn.cells import Cell, input_dropout, output_dropout, stack, weight_drop
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cells.noise import require_rate
from jaxrnn.cli.config import TrainConfig
from jaxrnn.models.language_model import LanguageModel, LanguageModelFunctions, functions
from jaxrnn.train import TrainState, init_state


def network(config: TrainConfig, vocabulary_size: int) -> LanguageModelFunctions:
    """Builds the language model that the options describe.

    Raises:
      ValueError: if a size is not positive, or the output layer cannot be what it is to be.
    """
    for name in ("layers", "hidden_size"):
        require_size(name, getattr(config, name))
    for name in ("dropout", "input_dropout", "weight_drop", "embed_dropout"):
        require_rate(name, getattr(config, name) or 0.0)
    model = LanguageModel(
        _layers(config),
        vocabulary_size=vocabulary_size,
        readout=_readout(config, vocabulary_size),
        tied=config.tied,
        embed_dropout=config.embed_dropout,
        rngs=nnx.Rngs(config.seed),
    )
    return functions(model)


def _layers(config: TrainConfig) -> Cell:
    """The recurrent layers, with dropout on what goes into each and out of the last."""
    embed_size = config.embed_size
    if embed_size is None:
        embed_size = config.hidden_size if config.tied else 64
    require_size("embed_size", embed_size)
    make, rate = getattr(cells, config.cell), config.dropout
    sizes = [embed_size] + [config.hidden_size] * (config.layers - 1)
    layers = [make(size, config.hidden_size) for size in sizes]
    if config.weight_drop:
        layers = [weight_drop(layer, config.weight_drop) for layer in layers]
    first = rate if config.input_dropout is None else config.input_dropout
    if first:
        layers[0] = input_dropout(layers[0], first)
    if rate:
        layers[-1] = output_dropout(layers[-1], rate)
    return layers[0] if config.layers == 1 else stack(*layers, dropout=rate)


def _readout(config: TrainConfig, vocabulary_size: int) -> Callable[..., Any]:
    """What makes the output layer."""
    if config.readout == "sampled":
        require_size("samples", config.samples)
        return partial(nn.SampledSoftmax, samples=config.samples)
    if config.readout == "adaptive":
        require(not config.tied, "tied", "be false with an adaptive softmax", config.tied)
        return partial(nn.AdaptiveSoftmax, cutoffs=nn.zipf_cutoffs(vocabulary_size))
    return nn.Softmax


def optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """Adam behind clipping by the global norm, with warm-up and a cosine.

    Raises:
      ValueError: if the learning rate or the norm is not positive.
    """
    require(config.learning_rate > 0, "learning_rate", "be positive", config.learning_rate)
    require(config.clip_norm > 0, "clip_norm", "be positive", config.clip_norm)
    require_size("steps", config.steps)
    schedule = optax.warmup_cosine_decay_schedule(
        init_value=0.0,
        peak_value=config.learning_rate,
        warmup_steps=config.steps // 20,
        decay_steps=config.steps,
        end_value=config.learning_rate / 50,
    )
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), optax.adam(schedule))


def first_state(config: TrainConfig, model: LanguageModelFunctions) -> TrainState:
    """The state before the first update."""
    carry = model.initial_carry(config.batch_size)
    return init_state(model.params, optimizer(config), carry, jax.random.key(config.seed))
