"""Dyck languages: balanced brackets of one or more kinds."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require, require_size
from jaxrnn.data.synthetic.batch import Words


def dyck(
    key: jax.Array, *, batch_size: int, max_pairs: int, min_pairs: int = 1, kinds: int = 1
) -> Words:
    """Random words of a Dyck language: brackets that balance.

        # ( [ ] ) ( ) #     kinds = 2, n = 3 pairs;  n uniform from min_pairs to max_pairs

    All shapes with n pairs are equally likely, and at an opening bracket so are all kinds. With d
    brackets open and r symbols to come, the next one opens with the probability

        (r - d) (d + 2) / (2 r (d + 1))

    which is the share of the ways to go on that begin so. With one kind a counter is enough; with
    two or more it takes a stack.

    Source: for the probability Arnold, Sleep 1980, doi:10.1145/357084.357091; as a task for
    recurrent networks Suzgun, Gehrmann, Belinkov, Shieber 2019, arXiv:1906.03648.

    Args:
      key: random key; consumed.
      batch_size: B.
      max_pairs: largest n.
      min_pairs: smallest n.
      kinds: K, how many kinds of brackets.

    Returns:
      `Words` with T = 2 max_pairs + 1 and V = 2 K + 1 symbols: 0 the border, 1 to K opening, K + 1
      to 2 K closing brackets. Another opening bracket is always legal.

    Raises:
      ValueError: if a size is not a positive integer, or `min_pairs` is above `max_pairs`.

    >>> words = dyck(jax.random.key(1), batch_size=1, max_pairs=4, min_pairs=4, kinds=2)
    >>> "".join("#([)]"[symbol] for symbol in words.inputs[:, 0])
    '#[([()])]'
    """
    require_size("batch_size", batch_size)
    require_size("kinds", kinds)
    _check(max_pairs, min_pairs)
    pair_key, coin_key, kind_key = jax.random.split(key, 3)
    pairs = jax.random.randint(pair_key, (batch_size,), min_pairs, max_pairs + 1)
    coins = jax.random.uniform(coin_key, (2 * max_pairs, batch_size))
    offers = jax.random.randint(kind_key, (2 * max_pairs, batch_size), 0, kinds, jnp.int32)
    symbols, depths, tops = _grow(2 * pairs, coins, offers, kinds)
    border = jnp.zeros((1, batch_size), jnp.int32)
    at_inputs = lambda later: jnp.concatenate([border, later])
    mask = jnp.arange(2 * max_pairs + 1)[:, None] <= 2 * pairs
    legal = _legal(at_inputs(depths), at_inputs(tops), kinds)
    return Words(at_inputs(symbols), jnp.concatenate([symbols, border]), mask, legal)


def dyck_kind_baseline(kinds: int) -> float:
    """How often a guess of the kind of a closing bracket is right without a stack: 1 / K.

    It holds for closing brackets behind a closing one. Behind an opening one the kind is that of
    the symbol just read.
    """
    require_size("kinds", kinds)
    return 1 / kinds


def dyck_end_baseline(max_pairs: int, min_pairs: int = 1) -> float:
    """How often no bracket is open behind a closing one, which says the word may end here.

        Σ_n 3 n / (n + 2) / Σ_n n     over n = min_pairs .. max_pairs

    A predictor without a counter does best with always the same answer, and is right that often or
    one minus that often. A word of n pairs is back at depth 0 on average 3 n / (n + 2) times.

    >>> dyck_end_baseline(2, 2)
    0.75
    """
    _check(max_pairs, min_pairs)
    counts = range(min_pairs, max_pairs + 1)
    return sum(3 * n / (n + 2) for n in counts) / sum(counts)


def _grow(
    lengths: jax.Array, coins: jax.Array, offers: jax.Array, kinds: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Symbols of random words, with depth and innermost kind after each, all `[2 N, B]`."""
    steps, batch_size = coins.shape
    rows = jnp.arange(batch_size)

    def step(
        carry: tuple[jax.Array, jax.Array], given: tuple[jax.Array, jax.Array, jax.Array]
    ) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array, jax.Array]]:
        stack, depth = carry
        t, coin, offer = given
        to_come = lengths - t  # past the end it is 0 or less, nothing opens and nothing closes
        opening = (to_come - depth) * (depth + 2) / jnp.maximum(2 * to_come * (depth + 1), 1)
        opens = coin < opening
        closes = ~opens & (to_come > 0)
        closing = 1 + kinds + stack[rows, depth - 1]
        symbol = jnp.where(opens, 1 + offer, jnp.where(closes, closing, 0))
        stack = jnp.where(opens[:, None], stack.at[rows, depth].set(offer), stack)
        depth = depth + opens.astype(jnp.int32) - closes.astype(jnp.int32)
        return (stack, depth), (symbol, depth, stack[rows, depth - 1])

    stack = jnp.zeros((batch_size, steps // 2 + 1), jnp.int32)  # kinds, the innermost at depth - 1
    start = stack, jnp.zeros(batch_size, jnp.int32)
    return jax.lax.scan(step, start, (jnp.arange(steps), coins, offers))[1]


def _legal(depths: jax.Array, tops: jax.Array, kinds: int) -> jax.Array:
    """Which symbols may follow, `[T, B, V]`."""
    symbols, deep = jnp.arange(2 * kinds + 1), depths[..., None] > 0
    opening = (symbols >= 1) & (symbols <= kinds)
    return opening | jnp.where(deep, symbols == 1 + kinds + tops[..., None], symbols == 0)


def _check(max_pairs: int, min_pairs: int) -> None:
    require_size("max_pairs", max_pairs)
    require_size("min_pairs", min_pairs)
    require(min_pairs <= max_pairs, "min_pairs", f"be at most max_pairs={max_pairs}", min_pairs)
