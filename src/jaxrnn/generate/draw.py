"""The choice among symbols: which of them are in question, and one of those by lot.

Symbols that are out of the question get the logit -inf. Of symbols that are equally likely the one
with the lower number goes first, as in `argmax`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def most_likely(logits: jax.Array, number: int) -> jax.Array:
    """Returns the k most likely symbols, best first, `[*B, k]`, of logits `[*B, V]`."""
    # `top_k` would put 0 before -0, which are equally likely.
    return jax.lax.top_k(jnp.where(logits == 0, 0, logits), number)[1]


def keep_top_k(logits: jax.Array, top_k: int) -> jax.Array:
    """Keeps the k most likely symbols: exactly k, also where several are equally likely.

    Source: Fan et al. 2018, "Hierarchical neural story generation", arXiv:1805.04833.

    Args:
      logits: `[*B, V]`.
      top_k: k; from V on all are kept.

    Returns:
      The logits `[*B, V]`, -inf in all other places.

    >>> keep_top_k(jnp.array([1.0, 2.0, 1.0]), 2).tolist()
    [1.0, 2.0, -inf]
    """
    if top_k >= logits.shape[-1]:
        return logits
    return _keep(logits, most_likely(logits, top_k), True)


def keep_top_p(logits: jax.Array, top_p: ArrayLike) -> jax.Array:
    """Keeps the nucleus: the fewest most likely symbols that together reach the probability p.

        V_p = {v_1 .. v_n} with the smallest n that has Σ_{i <= n} p(v_i) >= top_p,
        p(v_1) >= p(v_2) >= ...

    Source: Holtzman et al. 2020, "The curious case of neural text degeneration", arXiv:1904.09751.

    Args:
      logits: `[*B, V]`.
      top_p: p, in (0, 1], one number or `[*B]`; 1 keeps all, and the most likely symbol always
        stays.

    Returns:
      The logits `[*B, V]`, -inf outside the nucleus.

    >>> jnp.exp(keep_top_p(jnp.log(jnp.array([0.25, 0.5, 0.125, 0.125])), 0.7)).tolist()
    [0.25, 0.5, 0.0, 0.0]
    """
    top_p = jnp.asarray(top_p, logits.dtype)[..., None]
    order = jnp.argsort(logits, axis=-1, stable=True, descending=True)
    p = jnp.take_along_axis(jax.nn.softmax(logits, axis=-1), order, axis=-1)
    # A symbol stays while those before it fall short of p, and the first one in any case. At 1 all
    # do: rounded, the sum may reach 1 before the last symbol.
    short = jnp.cumsum(p, axis=-1)[..., :-1] < top_p
    short = jnp.concatenate([jnp.ones_like(p[..., :1], bool), short], axis=-1) | (top_p >= 1)
    return _keep(logits, order, short)


def draw(
    key: jax.Array,
    logits: jax.Array,
    temperature: ArrayLike = 1.0,
    top_k: int | None = None,
    top_p: ArrayLike | None = None,
) -> jax.Array:
    """Draws a symbol: first the temperature, then top_k, then top_p among those k.

        p = softmax(keep_top_p(keep_top_k(logits / temperature)))

    Args:
      key: random key; consumed.
      logits: `[*B, V]`.
      temperature: one number or `[*B]`; 0 takes the most likely symbol.
      top_k: see `keep_top_k`; None for all.
      top_p: see `keep_top_p`; of the probability that is left after top_k. None for all.

    Returns:
      Symbols `[*B]`.
    """
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    temperature = jnp.asarray(temperature, logits.dtype)
    greedy = temperature == 0
    # At temperature 0 the division is replaced, not only its result, so no NaN is ever made.
    kept = logits / jnp.where(greedy, 1, temperature)[..., None]
    if top_k is not None:
        kept = keep_top_k(kept, top_k)
    if top_p is not None:
        kept = keep_top_p(kept, top_p)
    return jnp.where(greedy, jnp.argmax(logits, axis=-1), jax.random.categorical(key, kept))


def _keep(logits: jax.Array, symbols: jax.Array, kept: ArrayLike) -> jax.Array:
    """Puts -inf in the place of all but those of the `symbols [*B, K]` where `kept` is true."""
    nowhere = jnp.zeros(logits.shape, bool)
    mask = jnp.put_along_axis(nowhere, symbols, kept, axis=-1, inplace=False)
    return jnp.where(mask, logits, -jnp.inf)
