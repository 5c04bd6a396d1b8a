"""A module trained for whole epochs, in a folder in which a run that was stopped goes on."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxrnn import train
from jaxrnn.cli import script
from jaxrnn.data import Batches, Padded, pad
from jaxrnn.data.padding import longest
from jaxrnn.train.module import ModuleLoss

GROUP = 100  # examples that are computed together after training
WIDTH = 20  # they are padded to multiples of so many steps, so that few programs are compiled


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """What every such script can be told; `epochs` and `out` have defaults of their own."""

    data: Path
    """Folder with the files of the data set."""
    epochs: int
    """Times that the training examples are read."""
    out: Path
    """Folder of the checkpoints."""


class Recipe(NamedTuple):
    """How a module is trained."""

    batch_size: int
    schedule: Callable[[int], optax.Schedule]  # number of updates to learning rates
    clip: float  # largest norm of the gradient of the mean loss
    buckets: int = 1  # groups of examples of similar length
    symbol: str = "token"  # what the loss is a mean over, for the progress bar


def fit(
    module: Any,
    loss: ModuleLoss,
    examples: Sequence[Any],
    recipe: Recipe,
    options: Options,
    validate: Callable[[train.LossFn], Callable[[Any], Any]],
) -> tuple[Any, float]:
    """Trains, or goes on where `options.out` has been left.

    Args:
      module: has fresh parameters.
      loss: as for `jaxrnn.train.functional`.
      examples: what is read in each epoch.
      recipe: how to train.
      options: for how many epochs, by which seed, and where.
      validate: makes of the loss what measures parameters after each epoch.

    Returns:
      A module with the parameters after the last update, and the seconds of all sittings.

    Raises:
      KeyboardInterrupt: if Ctrl-C stopped it; everything is saved.
    """
    buckets = min(recipe.buckets, len(examples))
    source = Batches(examples, batch_size=recipe.batch_size, seed=options.seed, buckets=buckets)
    params, loss_fn, rebuild = train.functional(module, loss)
    epoch = -(-len(examples) // recipe.batch_size)
    steps = options.epochs * epoch
    adam = optax.adam(recipe.schedule(steps))
    optimizer = optax.chain(optax.clip_by_global_norm(recipe.clip), adam)
    state = train.init_state(params, optimizer, (), jax.random.key(options.seed))
    run = train.Run(options.out / "run")
    # Batches of one call are padded alike, and buckets would be in vain.
    together: dict[str, Any] = {"updates_per_call": 1} if buckets > 1 else {}
    state = train.fit(
        train.tbptt_scan(loss_fn, optimizer),
        state,
        source,
        steps=steps,
        run=run,
        validate=validate(loss_fn),
        check_every=epoch,
        symbol=recipe.symbol,
        **together,
    )
    if int(state.step) < steps:
        raise KeyboardInterrupt
    return rebuild(state.params), run.seconds


def mean_over(examples: Sequence[Any]) -> Callable[[train.LossFn], Callable[[Any], float]]:
    """Makes of a loss, for `fit`, what measures its mean over examples, padded in groups."""
    batches = [batch for _, batch in groups(examples)]

    def of(loss_fn: train.LossFn) -> Callable[[Any], float]:
        total_of = jax.jit(lambda params, batch: loss_fn(params, (), batch, None)[:2])

        def validate(params: Any) -> float:
            totals = [total_of(params, batch) for batch in batches]
            total, count = np.sum(np.array(totals, float), axis=0)
            return total / count

        return validate

    return of


def groups(examples: Sequence[Any]) -> Iterator[tuple[np.ndarray, Padded]]:
    """Padded batches of similar length, each with the places of its examples."""
    lengths = [max(jax.tree.leaves(longest([example]))) for example in examples]
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), GROUP):
        places = order[start : start + GROUP]
        chosen = [examples[place] for place in places]
        widths = jax.tree.map(lambda length: -(-length // WIDTH) * WIDTH, longest(chosen))
        yield places, pad(chosen, lengths=widths)


def in_order(parts: Iterator[tuple[np.ndarray, Sequence[Any]]]) -> list[Any]:
    """What was found of each example of `groups`, in the order of the examples."""
    found: dict[int, Any] = {}
    for places, part in parts:
        found.update(zip(places.tolist(), part, strict=True))
    return [found[n] for n in range(len(found))]


def scorer(module: str) -> Any:
    """Imports what computes a score; called before anything is trained.

    Raises:
      ModuleNotFoundError: if its package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        package = module.partition(".")[0]
        if (missing.name or "").partition(".")[0] != package:
            raise
        message = f"the score is computed by {package}: pip install 'jaxrnn[scores]'"
        raise ModuleNotFoundError(message, name=package) from None
