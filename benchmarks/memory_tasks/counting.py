"""a^n b^n: learned up to n = 100, tested beyond."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxrnn.data import synthetic
from memory_tasks.experiment import Experiment, Training
from memory_tasks.network import UNITS, Network

HIDDEN = 10
RATES = {"tanh": 1e-2, "irnn": 1e-3, "gru": 1e-2, "lstm": 1e-2}
MAX_COUNT, TEST_COUNT = 100, 1000


def counting(unit: str) -> Experiment:
    """A unit on a^n b^n; at each step it names the symbols that may follow.

    A word is accepted if these are the right ones at every step of it.
    """
    network = Network(UNITS[unit](3, HIDDEN), 3)
    # A network that has learned the words of the training counts further with every update after.
    training = Training(
        updates=30000, learning_rate=RATES[unit], enough=1e-5, least=30000, batch_size=32
    )

    def logits(params: Any, words: synthetic.Words) -> jax.Array:
        return network.at_each_step(params, jax.nn.one_hot(words.inputs, 3))

    def loss(params: Any, key: jax.Array) -> jax.Array:
        words = synthetic.equal_counts(key, batch_size=training.batch_size, max_count=MAX_COUNT)
        nats = optax.sigmoid_binary_cross_entropy(logits(params, words), words.legal)
        real = words.mask[..., None]
        return jnp.sum(jnp.where(real, nats, 0)) / jnp.sum(words.mask)

    def largest(params: Any, key: jax.Array) -> jax.Array:
        del key
        counts = jnp.arange(1, TEST_COUNT + 1)
        words = synthetic.words_of_counts(counts, max_count=TEST_COUNT)
        right = ((logits(params, words) > 0) == words.legal).all(-1) | ~words.mask
        return jnp.sum(jnp.cumprod(right.all(0)))

    return Experiment(
        task="counting",
        unit=unit,
        network=network,
        training=training,
        loss=loss,
        score=largest,
        measure=f"N such that all words up to n = N are accepted, of {TEST_COUNT}",
        solved=lambda score: score >= 256,
        chance="0",
        published="LSTM counts, GRU does not (Weiss, Goldberg, Yahav 2018)",
    )
