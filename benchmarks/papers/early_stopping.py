"""Networks trained side by side, each of which keeps the parameters that validate best."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from chorales import Pieces, frame_nats

from jaxrnn import Cell, input_dropout, output_dropout, unroll
from jaxrnn.train import Checkpoints, TrainState
from jaxrnn.train.interrupt import Interrupt

SAVE_SECONDS = 30.0

Record = dict[str, Any]


class Recipe(NamedTuple):
    """A recurrent layer with a readout, and how it is trained."""

    cell: Cell
    learning_rate: float  # of Adam, at first; falls linearly to zero over all epochs
    dropout: float  # of what goes into the layer and of what comes out
    batch_size: int  # pieces
    epochs: int
    clip: float = 1.0  # largest norm of the gradient of the mean nats per frame
    patience: int = 15  # ends earlier after so many without a better validation of any network

    def network(self) -> Cell:
        """The layer with its dropout."""
        return output_dropout(input_dropout(self.cell, self.dropout), self.dropout)

    def optimizer(self, pieces: Pieces) -> optax.GradientTransformation:
        """Makes the optimiser for these training pieces."""
        rate = optax.linear_schedule(self.learning_rate, 0.0, self.epochs * self.batches(pieces))
        return optax.chain(optax.clip_by_global_norm(self.clip), optax.adam(rate))

    def settings(self) -> Record:
        """What a result depends on."""
        named = ("learning_rate", "dropout", "clip", "batch_size", "epochs", "patience")
        hidden = list(self.cell.out_shape or ())
        return {"hidden": hidden, **{name: getattr(self, name) for name in named}}

    def batches(self, pieces: Pieces) -> int:
        """Updates in an epoch."""
        return -(-len(pieces.seq_lengths) // self.batch_size)

    def init(self, key: jax.Array) -> dict[str, Any]:
        """Parameters; the readout starts at zero."""
        (keys,), (hidden,) = self.cell.in_shape or (0,), self.cell.out_shape or (0,)
        return {
            "cell": self.cell.init(key),
            "readout": (jnp.zeros((hidden, keys)), jnp.zeros(keys)),
        }


class Networks(NamedTuple):
    """What training keeps of every network; leaves have a leading axis S."""

    params: Any
    best_params: Any
    best_nats: jax.Array  # [S] on the validation pieces, nats per frame


def total_nats(recipe: Recipe, params: Any, pieces: Pieces, key: jax.Array | None) -> jax.Array:
    """Nats of all predicted frames of some pieces; nothing is dropped without a key."""
    xs = pieces.inputs.astype(jnp.float32)
    cell = recipe.network()
    carry = cell.initial_carry(xs.shape[1:2])
    lengths = pieces.seq_lengths
    _, ys = unroll(cell, params["cell"], carry, xs, seq_lengths=lengths, key=key)
    weights, bias = params["readout"]
    return jnp.sum(frame_nats(ys @ weights + bias, pieces.targets, lengths))


def train(
    recipe: Recipe,
    parts: dict[str, Pieces],
    folder: Path,
    seeds: int,
    progress: Callable[[Record], None],
) -> Record | None:
    """Trains until validation no longer gets better, or goes on where an earlier run stopped.

    Args:
      recipe: what is trained and how.
      parts: the pieces `train`, `valid` and `test`.
      folder: where the checkpoints are.
      seeds: S, how many networks.
      progress: called after each epoch with the record so far.

    Returns:
      The record: `curve`, the validation of each network after each epoch, in nats per frame;
      `seconds`; `valid` and `test`, those of the parameters that validate best. None if Ctrl-C
      stopped it before its end.
    """
    checkpoints = Checkpoints(folder / "checkpoints", keep=1)
    state, record = _begin(recipe, parts["train"], checkpoints, seeds)
    epoch = _epoch(recipe, parts["train"], parts["valid"])
    before, started = record["seconds"], time.monotonic()
    saved = started
    with Interrupt() as interrupt:
        while not _done(recipe, record["curve"]) and not interrupt.requested:
            state, nats = epoch(state)
            record["curve"].append([float(each) for each in nats])
            now = time.monotonic()
            record["seconds"] = before + now - started
            progress(record)
            if now - saved > SAVE_SECONDS:
                checkpoints.save(state, record)
                saved = now
        checkpoints.save(state, record)
    if not _done(recipe, record["curve"]):
        return None
    test = jax.jit(partial(jax.lax.map, lambda params: _mean_nats(recipe, params, parts["test"])))
    scores = {"valid": state.params.best_nats, "test": test(state.params.best_params)}
    return {**record, **{part: [float(each) for each in nats] for part, nats in scores.items()}}


def best_epochs(curve: list[list[float]]) -> list[int]:
    """The epoch after which each network validates best, counted from 1."""
    return [1 + min(range(len(nats)), key=nats.__getitem__) for nats in zip(*curve, strict=True)]


def _done(recipe: Recipe, curve: list[list[float]]) -> bool:
    """Whether no network has become better for so long, or all epochs are over."""
    waited = len(curve) - max(best_epochs(curve), default=0)
    return len(curve) >= recipe.epochs or waited >= recipe.patience


def _begin(
    recipe: Recipe, pieces: Pieces, checkpoints: Checkpoints, seeds: int
) -> tuple[TrainState, Record]:
    """The state of the last checkpoint and what was recorded with it, or a fresh one."""
    init_key, key = jax.random.split(jax.random.key(0))
    params = jax.vmap(recipe.init)(jax.random.split(init_key, seeds))
    networks = Networks(params, params, jnp.full(seeds, jnp.inf))
    opt_state = jax.vmap(recipe.optimizer(pieces).init)(params)
    state = TrainState(networks, opt_state, (), jnp.zeros((), jnp.int32), key)
    state = jax.tree.map(jnp.copy, state)  # an epoch donates it, and no buffer may be there twice
    if checkpoints.latest() is None:
        return state, {"curve": [], "seconds": 0.0}
    return checkpoints.restore(state)


def _epoch(
    recipe: Recipe, pieces: Pieces, valid: Pieces
) -> Callable[[TrainState], tuple[TrainState, jax.Array]]:
    """All training pieces once, in an order of each network's own; then its validation."""
    size, batches = recipe.batch_size, recipe.batches(pieces)
    optimizer = recipe.optimizer(pieces)
    # Pieces without a frame fill the last batch.
    spare = batches * size - len(pieces.seq_lengths)
    frames = jnp.pad(jnp.asarray(pieces.frames), ((0, 0), (0, spare), (0, 0)))
    seq_lengths = jnp.pad(jnp.asarray(pieces.seq_lengths), (0, spare))

    def update(learned: Any, given: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        (params, opt_state), (chosen, key) = learned, given
        batch = Pieces(frames[:, chosen], seq_lengths[chosen])
        real = jnp.maximum(jnp.sum(batch.seq_lengths), 1)
        grads = jax.grad(lambda params: total_nats(recipe, params, batch, key) / real)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), None

    def one_network(given: tuple[Networks, Any, jax.Array]) -> tuple[Networks, Any, jax.Array]:
        before, opt_state, key = given
        order_key, key = jax.random.split(key)
        chosen = jax.random.permutation(order_key, batches * size).reshape(batches, size)
        keys = jax.random.split(key, batches)
        learned, _ = jax.lax.scan(update, (before.params, opt_state), (chosen, keys))
        params, opt_state = learned
        nats = _mean_nats(recipe, params, valid)
        keep = partial(jnp.where, nats < before.best_nats)
        best, best_nats = jax.tree.map(keep, (params, nats), (before.best_params, before.best_nats))
        return Networks(params, best, best_nats), opt_state, nats

    @partial(jax.jit, donate_argnums=0)
    def epoch(state: TrainState) -> tuple[TrainState, jax.Array]:
        key = jax.random.fold_in(state.key, state.step)
        keys = jax.random.split(key, len(state.params.best_nats))
        # One after the other: on a CPU that takes two thirds of the time of `vmap`, whose products
        # are small matrices side by side.
        networks, opt_state, nats = jax.lax.map(one_network, (state.params, state.opt_state, keys))
        return TrainState(networks, opt_state, (), state.step + 1, state.key), nats

    return epoch


def _mean_nats(recipe: Recipe, params: Any, pieces: Pieces) -> jax.Array:
    """Nats per predicted frame, nothing dropped."""
    return total_nats(recipe, params, pieces, None) / jnp.sum(pieces.seq_lengths)
