"""Temporal order: two symbols far apart among distractors."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import losses
from jaxrnn.data import synthetic
from memory_tasks.experiment import Experiment, Training
from memory_tasks.network import Network, lasting

HIDDEN = 32
LENGTH = 100
RATES = {"tanh": 1e-3, "irnn": 1e-3, "gru": 1e-2, "lstm": 1e-2}


def order(unit: str) -> Experiment:
    """A unit on temporal order with two relevant symbols, of the length in the paper."""
    symbols = len(synthetic.TEMPORAL_ORDER_SYMBOLS)
    network = Network(lasting(unit, symbols, HIDDEN, LENGTH), 4)
    training = Training(updates=4000, learning_rate=RATES[unit], enough=0.001)

    def run(params: Any, key: jax.Array, batch_size: int) -> tuple[jax.Array, jax.Array]:
        batch = synthetic.temporal_order(key, batch_size=batch_size, length=LENGTH)
        xs = jax.nn.one_hot(batch.inputs, symbols)
        return network.at_the_end(params, xs, batch.seq_lengths), batch.targets

    def wrong(params: Any, key: jax.Array) -> jax.Array:
        logits, targets = run(params, key, 2560)
        return jnp.mean(logits.argmax(-1) != targets)

    return Experiment(
        task="temporal-order",
        unit=unit,
        network=network,
        training=training,
        loss=lambda params, key: losses.cross_entropy(*run(params, key, training.batch_size)),
        score=wrong,
        measure="share of 2560 sequences classified wrong",
        solved=lambda score: score < 0.01,
        chance="0.75",
        published="solved by LSTM, not by other networks then (Hochreiter, Schmidhuber 1997)",
    )
