"""Several language models as one, whose prediction is the mean of theirs."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require
from jaxrnn.models.language_model import LanguageModelFunctions


def ensemble(model: LanguageModelFunctions, params: Any) -> LanguageModelFunctions:
    """The mixture of K language models that differ in their parameters alone.

        p(w) = (1/K) Σ_k p_k(w)

    The probabilities are averaged, and not the logits: the loss of the mixture is then at most the
    mean loss of the members, and most often less than that of the best.

    The axis K is the first one of the parameters, and comes after the batch in the carry, whose
    leaves are `[B, K, ...]`: whatever keeps or reorders rows of a carry, as the beam search and a
    mesh do, works as for one model. It is not the carry of the training of an ensemble, which is
    `[K, B, ...]`.

    Source: Zaremba, Sutskever, Vinyals 2014, arXiv:1409.2329, section 4.1 (model averaging).

    Args:
      model: what the members have in common; its own `params` are not used.
      params: of all members, with a leading axis K, for example those of the state that
        `ensemble_update` returns.

    Returns:
      A language model like `model`, for `evaluator`, `fit` and generation. Its functions take the
      parameters of any moment, of as many members.

    Raises:
      ValueError: if the leaves do not have one K in common, and behind it the shapes of the model.
    """
    members = _members(model, params)

    def nll(params: Any, carry: Any, segment: Any, key: jax.Array | None) -> tuple[jax.Array, Any]:
        keys = None if key is None else jax.random.split(key, members)
        axes = (0, 1, None, None if key is None else 0)
        every = jax.vmap(model.nll, in_axes=axes, out_axes=(0, 1))
        nats, carry = every(params, carry, segment, keys)
        mixed = jnp.log(members) - jax.nn.logsumexp(-nats, axis=0)
        return jnp.where(segment.mask, mixed, 0), carry

    def loss(
        params: Any, carry: Any, segment: Any, key: jax.Array | None
    ) -> tuple[jax.Array, jax.Array, Any]:
        nats, carry = nll(params, carry, segment, key)
        return jnp.sum(nats), jnp.sum(segment.mask), carry

    def step(params: Any, carry: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        axis = tokens.ndim  # behind the batch shape, whatever that is
        every = jax.vmap(model.step, in_axes=(0, axis, None), out_axes=(axis, 0))
        carry, logits = every(params, carry, tokens)
        logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
        return carry, jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=0) - jnp.log(members)

    def initial_carry(size: int) -> Any:
        return jax.tree.map(
            lambda leaf: jnp.stack([leaf] * members, axis=1), model.initial_carry(size)
        )

    return LanguageModelFunctions(params, loss, step, initial_carry, nll)


def _members(model: LanguageModelFunctions, params: Any) -> int:
    """Returns K."""
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(params)]
    members = shapes[0][0] if shapes and shapes[0] else 0
    expected = [(members, *jnp.shape(leaf)) for leaf in jax.tree.leaves(model.params)]
    rule = "be the model's with one leading axis K in every leaf"
    require(members > 0 and shapes == expected, "params", rule, shapes)
    return members
