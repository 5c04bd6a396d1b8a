"""The adding problem: two numbers far apart."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.data import synthetic
from memory_tasks.experiment import Experiment, Training
from memory_tasks.network import Network, lasting

HIDDEN = 100
RATES = {"tanh": 1e-3, "irnn": 1e-3, "gru": 5e-3, "lstm": 5e-3}
UPDATES = {"tanh": 4000, "irnn": 20000, "gru": 4000, "lstm": 4000}
PUBLISHED = "at T = 600 GRU 5.3e-5, LSTM 0.164, tanh 0.177 (Bai, Kolter, Koltun 2018)"


def adding(length: int, unit: str) -> Experiment:
    """A unit on the adding problem."""
    network = Network(lasting(unit, 2, HIDDEN, length), 1)
    training = Training(updates=UPDATES[unit], learning_rate=RATES[unit], enough=0.001)

    def error(params: Any, key: jax.Array, batch_size: int) -> jax.Array:
        batch = synthetic.adding(key, batch_size=batch_size, length=length)
        sums = network.at_the_end(params, batch.inputs, batch.seq_lengths)[:, 0]
        return jnp.mean((sums - batch.targets) ** 2)

    return Experiment(
        task=f"adding-{length}",
        unit=unit,
        network=network,
        training=training,
        loss=lambda params, key: error(params, key, training.batch_size),
        score=lambda params, key: error(params, key, 2000),
        measure="mean squared error",
        solved=lambda score: score < 0.01,
        chance=f"{synthetic.ADDING_BASELINE:.4f}",
        published=PUBLISHED,
    )
