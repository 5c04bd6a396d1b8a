"""The loss of a whole text, without learning from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.train.tbptt import LossFn


def evaluator(loss_fn: LossFn) -> Callable[[Any, Any, Any], jax.Array]:
    """Compiles the evaluation of a text that is given in segments.

    Args:
      loss_fn: as for `tbptt_step`; its key is None here, so that nothing is dropped.

    Returns:
      `evaluate(params, carry, segments) -> loss`, the mean in nats per real token over segments
      with a leading axis S, the carry handed from each to the next.
    """

    @jax.jit
    def evaluate(params: Any, carry: Any, segments: Any) -> jax.Array:
        def body(carry: Any, segment: Any) -> tuple[Any, tuple[jax.Array, jax.Array]]:
            total, tokens, carry = loss_fn(params, carry, segment, None)
            return carry, (total, tokens)

        _, (totals, tokens) = jax.lax.scan(body, carry, segments)
        return jnp.sum(totals) / jnp.maximum(jnp.sum(tokens), 1)

    return evaluate
