"""From the options of a run to its model and optimiser."""

from __future__ import annotations

import jax
import optax
from flax import nnx

from jaxrnn import cells
from jaxrnn.cells import Cell, input_dropout, output_dropout, stack
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cells.noise import require_rate
from jaxrnn.cli.config import TrainConfig
from jaxrnn.models.language_model import LanguageModel, LanguageModelFunctions, functions
from jaxrnn.train import TrainState, init_state


def network(config: TrainConfig, vocabulary_size: int) -> LanguageModelFunctions:
    """Builds the language model that the options describe.

    Raises:
      ValueError: if a size is not positive.
    """
    for name in ("layers", "embed_size", "hidden_size"):
        require_size(name, getattr(config, name))
    require_rate("dropout", config.dropout)
    cell = _layers(config)
    rngs = nnx.Rngs(config.seed)
    return functions(LanguageModel(cell, vocabulary_size=vocabulary_size, rngs=rngs))


def _layers(config: TrainConfig) -> Cell:
    """The recurrent layers, with dropout on what goes into each and out of the last."""
    make, rate = getattr(cells, config.cell), config.dropout
    sizes = [config.embed_size] + [config.hidden_size] * (config.layers - 1)
    layers = [make(size, config.hidden_size) for size in sizes]
    if rate:
        layers[0] = input_dropout(layers[0], rate)
        layers[-1] = output_dropout(layers[-1], rate)
    return layers[0] if config.layers == 1 else stack(*layers, dropout=rate)


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
