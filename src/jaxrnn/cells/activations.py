"""Gate activations in a form that compiles to one vectorised loop."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def gate_activations(pre: jax.Array, gates: str) -> jax.Array:
    """σ or tanh of each gate, by one tanh over all columns: σ(a) = tanh(a / 2) / 2 + 1 / 2.

    One `tanh` over the flat array vectorises and slices nothing, where an activation for each gate
    is a kernel of its own. 16-bit input is computed in float32, because the small values of σ would
    drown in the rounding of the sum.

    Args:
      pre: pre-activations `[*B, G]`, gates one after the other along the last axis.
      gates: a letter for each gate: "s" for σ, "t" for tanh.

    Returns:
      Activations `[*B, G]` in the dtype of `pre`.

    >>> gate_activations(jnp.zeros((1, 4)), "st").tolist()
    [[0.5, 0.5, 0.0, 0.0]]
    """
    wide = jnp.promote_types(pre.dtype, jnp.float32)
    size = pre.shape[-1] // len(gates)
    scale = jnp.concatenate([jnp.full(size, 0.5 if gate == "s" else 1.0, wide) for gate in gates])
    return (scale * jnp.tanh(scale * pre.astype(wide)) + (1 - scale)).astype(pre.dtype)


def squashed(pre: jax.Array, gates: str) -> jax.Array:
    """What to save of the gates for a derivative: the tanh, from which `gates_of` has them.

    It is what XLA:CPU stores in any case; the activations would be a second array. Of 16-bit input
    it is the activations themselves, for the reason given in `gate_activations`.
    """
    if pre.dtype.itemsize < 4:
        return gate_activations(pre, gates)
    size = pre.shape[-1] // len(gates)
    halves = [jnp.full(size, 0.5 if gate == "s" else 1.0, pre.dtype) for gate in gates]
    return jnp.tanh(jnp.concatenate(halves) * pre)


def gates_of(saved: jax.Array, gates: str) -> list[jax.Array]:
    """The activations `[*B, H]` of each gate, from what `squashed` gave.

    >>> [gate.tolist() for gate in gates_of(squashed(jnp.zeros((1, 4)), "st"), "st")]
    [[[0.5, 0.5]], [[0.0, 0.0]]]
    """
    pieces = jnp.split(saved, len(gates), axis=-1)
    if saved.dtype.itemsize < 4:
        return pieces
    return [0.5 * x + 0.5 if gate == "s" else x for x, gate in zip(pieces, gates, strict=True)]
