"""Beam search: the most likely sequences, as far as a few at a time can tell."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxrnn.cells.checks import require, require_size
from jaxrnn.generate.arguments import (
    TokenStep,
    check_carry,
    check_end,
    check_logits,
    check_symbols,
)
from jaxrnn.generate.draw import most_likely
from jaxrnn.generate.hypotheses import Ended, best, complete, none_ended, normalise, trace_back
from jaxrnn.generate.write import read


class Beams(NamedTuple):
    """What a beam search has found, best first. An empty place scores -inf and has length 0."""

    symbols: jax.Array  # [N, *B, W], padded with `end`, or 0 where there is none
    lengths: jax.Array  # [*B, W], symbols written, `end` included
    log_probabilities: jax.Array  # [*B, W], nats, the sum over the symbols written
    scores: jax.Array  # [*B, W], after the length normalisation


class _Search(NamedTuple):
    """The state of the loop."""

    t: jax.Array  # symbols written
    carry: Any  # leaves [*B, W, ...]
    last: jax.Array  # [*B, W], the symbol to read next
    living: jax.Array  # [*B, W], log-probabilities; -inf where a place is empty
    ended: Ended
    parents: jax.Array  # [N, *B, W]
    symbols: jax.Array  # [N, *B, W]


def beam_search(
    step: TokenStep,
    params: Any,
    carry: Any,
    prompt: ArrayLike,
    *,
    width: int,
    length: int,
    end: int | None = None,
    length_penalty: ArrayLike = 0.0,
) -> Beams:
    """Looks for the sequences after a prompt that have the best score.

        s(Y) = log p(Y | prompt) / ((5 + n) / 6)^α,   n the number of symbols of Y

    At each step the W most likely continuations of the living hypotheses are kept. Those of them
    that write `end` are complete and leave the beam for a set of their own, of the W best by score;
    the others live on. Those still living after N symbols are complete as they are. The result is
    the best W of all that are complete, so:

    - where nothing was dropped the result is exact: with W >= V^N it equals exhaustive search;
    - width 1 writes what `greedy` writes, whatever the length penalty;
    - the loop stops early when in no row a living hypothesis can come to beat the W complete ones
      (α >= 0, so log p(Y) / ((5 + N) / 6)^α is the most that is still to be had), or none lives;
      this never changes the result.

    Of equals the one found first stays, then that of the better parent, then the more likely or
    lower symbol.

    One compiled program; it is compiled again only for another `step`, other shapes, or another
    `width`, `length` or `end`.

    Source: Sutskever, Vinyals, Le 2014, arXiv:1409.3215, for hypotheses that leave the beam; Wu et
    al. 2016, arXiv:1609.08144, for the length normalisation.

    Args:
      step: `step(params, carry, symbols [*B]) -> (carry, logits [*B, V])`, for any batch shape: it
        is called with `[*B, W]`.
      params: parameters of the step.
      carry: state before the prompt, leaves `[*B, ...]`.
      prompt: symbols to read first, integers `[P, *B]` with P >= 1; not part of the result.
      width: W, how many hypotheses to keep.
      length: N, the most symbols to write.
      end: the symbol that ends a sequence; None: all have N symbols.
      length_penalty: α, at least 0; 0 prefers short sequences, 0.6 to 1 is usual.

    Returns:
      The hypotheses, sorted by score. Where there are fewer than W of probability above 0, the
      places left over are empty.

    Raises:
      ValueError: if a size is not positive, the prompt is empty or not of integers, a leaf of the
        carry does not begin with the batch shape, `end` is not in the vocabulary, or the length
        penalty is negative.

    >>> def coin(params, carry, symbols):
    ...     return carry, jnp.broadcast_to(jnp.log(params), (*symbols.shape, 2))
    >>> p, prompt = jnp.array([0.4, 0.6]), jnp.array([0])
    >>> beams = beam_search(coin, p, (), prompt, width=2, length=3, end=0)
    >>> beams.symbols.T.tolist(), beams.lengths.tolist()
    ([[0, 0, 0], [1, 0, 0]], [1, 2])
    """
    require_size("width", width)
    require_size("length", length)
    prompt = check_symbols("prompt", prompt)
    carry = check_carry(carry, prompt.shape[1:])
    check_end(end)
    require(jnp.ndim(length_penalty) == 0, "length_penalty", "be a number", length_penalty)
    if not isinstance(length_penalty, Tracer):
        known = bool(np.asarray(length_penalty) >= 0)
        require(known, "length_penalty", "not be negative", length_penalty)
    return _beam_search(step, width, length, end, params, carry, prompt, length_penalty)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _beam_search(
    step: TokenStep,
    width: int,
    length: int,
    end: int | None,
    params: Any,
    carry: Any,
    prompt: jax.Array,
    length_penalty: ArrayLike,
) -> Beams:
    def goes_on(search: _Search) -> jax.Array:
        most = normalise(jnp.max(search.living, axis=-1), length, length_penalty)
        return (search.t < length) & jnp.any(most > search.ended.scores[..., -1])

    def body(search: _Search) -> _Search:
        carry, logits = step(params, search.carry, search.last)
        living, parents, symbols = _continue(search.living, logits)
        carry = jax.tree.map(partial(_gather, parents), carry)
        symbols, t, ended = symbols.astype(search.last.dtype), search.t, search.ended
        if end is not None:
            at_end = symbols == end
            new = complete(jnp.where(at_end, living, -jnp.inf), t + 1, length_penalty)
            living, ended = jnp.where(at_end, -jnp.inf, living), best(ended, new)
        history = search.parents.at[t].set(parents), search.symbols.at[t].set(symbols)
        return _Search(t + 1, carry, symbols, living, ended, *history)

    carry = read(step, params, carry, prompt[:-1])
    logits = jax.eval_shape(step, params, carry, prompt[-1])[1]
    check_logits(logits, prompt[-1], end)
    dtype = jnp.promote_types(logits.dtype, jnp.float32)
    search = jax.lax.while_loop(goes_on, body, _start(carry, prompt[-1], width, length, dtype))
    # Where the loop stopped early, what lives on loses to the complete ones here too.
    found = best(search.ended, complete(search.living, length, length_penalty))
    found = found._replace(lengths=jnp.where(found.scores == -jnp.inf, 0, found.lengths))
    symbols = trace_back(found, search.parents, search.symbols, 0 if end is None else end)
    return Beams(symbols, found.lengths, found.log_probabilities, found.scores)


def _start(carry: Any, last: jax.Array, width: int, length: int, dtype: Any) -> _Search:
    """The search before the first symbol `[*B]`: one hypothesis, in the first of W places."""
    axis, shape = last.ndim, (*last.shape, width)

    def spread(leaf: jax.Array) -> jax.Array:
        return jnp.broadcast_to(jnp.expand_dims(leaf, axis), shape + leaf.shape[axis:])

    living = jnp.broadcast_to(jnp.where(jnp.arange(width) == 0, 0, -jnp.inf).astype(dtype), shape)
    parents, symbols = (jnp.zeros((length, *shape), kind) for kind in (jnp.int32, last.dtype))
    carry, last = jax.tree.map(spread, carry), spread(last)
    t = jnp.zeros((), jnp.int32)
    return _Search(t, carry, last, living, none_ended(shape, dtype), parents, symbols)


def _continue(living: jax.Array, logits: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The W most likely continuations of hypotheses by one symbol, best first.

    Args:
      living: log-probabilities of the hypotheses, `[*B, W]`.
      logits: of their next symbols, `[*B, W, V]`.

    Returns:
      The log-probabilities of the continuations, their parents and their symbols, `[*B, W]`.
    """
    width, size = logits.shape[-2:]
    # First the best of each parent, by its logits: there are W^2 and not W V sums to sort, and two
    # symbols that rounding makes equal in the sum stay in order, without which width 1 would not
    # always be greedy.
    symbols = most_likely(logits, min(width, size))
    nats = jax.nn.log_softmax(logits.astype(living.dtype), axis=-1)
    totals = living[..., None] + jnp.take_along_axis(nats, symbols, axis=-1)
    flat = (*living.shape[:-1], -1)
    totals, index = jax.lax.top_k(totals.reshape(flat), width)
    parents = (index // symbols.shape[-1]).astype(jnp.int32)
    return totals, parents, jnp.take_along_axis(symbols.reshape(flat), index, axis=-1)


def _gather(parents: jax.Array, leaf: jax.Array) -> jax.Array:
    """Puts in each place of the beam what its parent `[*B, W]` has in `leaf [*B, W, ...]`."""
    trailing = (1,) * (leaf.ndim - parents.ndim)
    index = parents.reshape(parents.shape + trailing)
    return jnp.take_along_axis(leaf, index, axis=parents.ndim - 1)
