"""What an experiment is: a task, a unit, and how the one learns the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import optax

from memory_tasks.network import Network


@dataclasses.dataclass(frozen=True)
class Training:
    """How a network is trained; Adam with a learning rate that falls linearly to zero."""

    updates: int  # at most
    learning_rate: float
    enough: float  # a loss, averaged over 100 updates, at which a network has learned the task
    least: int = 0  # updates that are made also if all networks have learned it
    clip: float = 1.0  # largest norm of the gradient
    batch_size: int = 64

    def optimizer(self) -> optax.GradientTransformation:
        """Makes the optimiser."""
        rate = optax.linear_schedule(self.learning_rate, 0.0, self.updates)
        return optax.chain(optax.clip_by_global_norm(self.clip), optax.adam(rate))


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A unit on a task."""

    task: str
    unit: str
    network: Network
    training: Training
    loss: Callable[[Any, jax.Array], jax.Array]  # params, key of a batch -> scalar
    score: Callable[[Any, jax.Array], jax.Array]  # params, key of a test -> scalar
    measure: str  # what the score is
    solved: Callable[[float], bool]  # whether a score solves the task
    chance: str  # what a network that has learned nothing scores
    published: str  # what is published on it, and by whom

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.task}-{self.unit}"
