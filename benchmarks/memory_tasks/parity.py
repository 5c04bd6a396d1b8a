"""Parity, learned on short strings with an answer at every step, tested on long ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import losses
from jaxrnn.data import synthetic
from memory_tasks.experiment import Experiment, Training
from memory_tasks.network import UNITS, Network

HIDDEN = 16
LENGTH, TEST_LENGTH = 20, 1000


def parity(unit: str) -> Experiment:
    """A unit on parity."""
    network = Network(UNITS[unit](2, HIDDEN), 2)
    training = Training(updates=6000, learning_rate=1e-2, enough=0.001)

    def run(params: Any, key: jax.Array, batch_size: int, length: int, shortest: int) -> Any:
        batch = synthetic.parity(key, batch_size=batch_size, length=length, min_length=shortest)
        logits = network.at_each_step(params, jax.nn.one_hot(batch.inputs, 2))
        return logits, batch.targets, batch.mask

    def loss(params: Any, key: jax.Array) -> jax.Array:
        return losses.cross_entropy(*run(params, key, training.batch_size, LENGTH, 1))

    def wrong(params: Any, key: jax.Array) -> jax.Array:
        logits, targets, _ = run(params, key, 256, TEST_LENGTH, TEST_LENGTH)
        return jnp.mean(logits[-1].argmax(-1) != targets[-1])

    return Experiment(
        task="parity",
        unit=unit,
        network=network,
        training=training,
        loss=loss,
        score=wrong,
        measure=f"share of 256 strings of {TEST_LENGTH} bits whose parity is wrong",
        solved=lambda score: score < 0.01,
        chance="0.5",
        published="",
    )
