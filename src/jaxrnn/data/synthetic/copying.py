"""Copy memory: symbols to be repeated after a long pause."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require_size
from jaxrnn.data.synthetic.batch import StepTargets


def copy_memory(
    key: jax.Array, *, batch_size: int, delay: int, symbols: int = 8, recall: int = 10
) -> StepTargets:
    """Copy memory: some symbols, a pause, a sign, and then the same symbols again.

        inputs   s_1 .. s_R, 0 (delay - 1 times), K + 1, 0 (R times)
        targets  0 (delay + R times), s_1 .. s_R

    Symbol 0 is the blank, 1 to K carry information, K + 1 is the sign to begin.

    Source: Arjovsky, Shah, Bengio 2015, arXiv:1511.06464, whose sizes are the defaults, after
    Hochreiter, Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735.

    Args:
      key: random key; consumed.
      batch_size: B.
      delay: steps between the last symbol and the first that is wanted.
      symbols: K, how many there are to choose from.
      recall: R, how many are to be repeated.

    Returns:
      `StepTargets` with T = delay + 2 R: inputs `[T, B]` in [0, K + 1], targets `[T, B]` in [0, K].
      Every step counts.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> batch = copy_memory(jax.random.key(0), batch_size=1, delay=2, symbols=1, recall=3)
    >>> batch.inputs[:, 0].tolist(), batch.targets[:, 0].tolist()
    ([1, 1, 1, 0, 2, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1])
    """
    _check(delay, symbols, recall)
    require_size("batch_size", batch_size)
    letters = jax.random.randint(key, (recall, batch_size), 1, symbols + 1, jnp.int32)
    blanks = lambda count: jnp.zeros((count, batch_size), jnp.int32)
    sign = jnp.full((1, batch_size), symbols + 1, jnp.int32)
    inputs = jnp.concatenate([letters, blanks(delay - 1), sign, blanks(recall)])
    targets = jnp.concatenate([blanks(delay + recall), letters])
    return StepTargets(inputs, targets, jnp.ones(inputs.shape, bool))


def copy_memory_baseline(delay: int, symbols: int = 8, recall: int = 10) -> float:
    """Nats per step of blanks while the task is to wait, and then a guess among all symbols.

        R ln K / (delay + 2 R)

    Source: Arjovsky, Shah, Bengio 2015, arXiv:1511.06464.

    >>> round(copy_memory_baseline(100), 4), round(copy_memory_baseline(1000), 4)
    (0.1733, 0.0204)
    """
    _check(delay, symbols, recall)
    return recall * math.log(symbols) / (delay + 2 * recall)


def _check(delay: int, symbols: int, recall: int) -> None:
    for name, size in (("delay", delay), ("symbols", symbols), ("recall", recall)):
        require_size(name, size)
