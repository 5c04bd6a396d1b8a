"""Linear chains: scores of whole tag sequences, their sum over all sequences, and the best one.

Pure functions of the scores of neighbouring tags; `CRF` is the module that learns these.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require
from jaxrnn.recurrence.masks import masked, real_steps, select


class Chain(NamedTuple):
    """How well tags go together; K tags."""

    start: Any  # [K] for the first tag
    between: Any  # [K, K] from a tag to the one after it
    end: Any  # [K] for the last tag


class TagPath(NamedTuple):
    """The best sequence of tags."""

    tags: jax.Array  # [*B, T] int32, 0 in the padding
    score: jax.Array  # [*B]


def path_score(
    chain: Chain, scores: jax.Array, tags: jax.Array, lengths: jax.Array | None = None
) -> jax.Array:
    """Scores given sequences of tags.

        s(y) = start_{y_0} + Σ_t scores_{t, y_t} + Σ_{t>0} between_{y_{t-1}, y_t} + end_{y_{n-1}}

    Args:
      chain: scores of neighbouring tags.
      scores: of each tag at each step, `[*B, T, K]`; anything in the padding.
      tags: integers in [0, K), `[*B, T]`; anything in the padding.
      lengths: n, the real steps of each sequence, integers `[*B]`; None if all T are.

    Returns:
      `[*B]`, at least float32; 0 for an empty sequence.

    Raises:
      ValueError: if a shape does not fit or the tags are not integers.
    """
    scores, lengths, real = _time_major(chain, scores, lengths)
    tags = jnp.asarray(tags)
    shape = (*scores.shape[1:-1], len(scores))
    require(tags.shape == shape, "tags", f"have the shape {shape}", tags.shape)
    require(jnp.issubdtype(tags.dtype, jnp.integer), "tags", "be integers", tags.dtype)
    if len(scores) == 0:
        return jnp.zeros(lengths.shape, scores.dtype)
    tags = masked(jnp.moveaxis(tags, -1, 0), real)
    at_steps = jnp.take_along_axis(scores, tags[..., None], axis=-1)[..., 0]
    steps = masked(chain.between[tags[:-1], tags[1:]], real[1:])
    last = jnp.take_along_axis(tags, jnp.maximum(lengths - 1, 0)[None], axis=0)[0]
    borders = masked(chain.start[tags[0]] + chain.end[last], lengths > 0)
    return jnp.sum(masked(at_steps, real), axis=0) + jnp.sum(steps, axis=0) + borders


def log_partition(chain: Chain, scores: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
    """The logarithm of the sum over all sequences of tags, by the forward algorithm.

        log Z = log Σ_y exp s(y)
        a_0 = start + scores_0;   a_{t,k} = scores_{t,k} + log Σ_j exp(a_{t-1,j} + between_{j,k})
        log Z = log Σ_k exp(a_{n-1,k} + end_k)

    Its gradient by `scores` are the probabilities of each tag at each step.

    Source: Rabiner 1989, doi:10.1109/5.18626 (section III); Lafferty, McCallum, Pereira 2001.

    Args and errors as for `path_score`.

    Returns:
      `[*B]`, at least float32; 0 for an empty sequence, which there is one of.

    >>> chain = Chain(jnp.zeros(3), jnp.zeros((3, 3)), jnp.zeros(3))
    >>> bool(jnp.isclose(log_partition(chain, jnp.zeros((4, 3))), 4 * jnp.log(3.0)))
    True
    """
    scores, lengths, real = _time_major(chain, scores, lengths)
    if len(scores) == 0:
        return jnp.zeros(lengths.shape, scores.dtype)

    def step(before: jax.Array, at_step: Any) -> tuple[jax.Array, None]:
        here, is_real = at_step
        after = here + jax.nn.logsumexp(before[..., None] + chain.between, axis=-2)
        return select(is_real, after, before), None

    final, _ = jax.lax.scan(step, chain.start + scores[0], (scores[1:], real[1:]))
    return masked(jax.nn.logsumexp(final + chain.end, axis=-1), lengths > 0)


def viterbi(chain: Chain, scores: jax.Array, lengths: jax.Array | None = None) -> TagPath:
    """The sequence of tags with the largest score; of equal ones, one.

        b_0 = start + scores_0;   b_{t,k} = scores_{t,k} + max_j (b_{t-1,j} + between_{j,k})

    and back from the last tag along the j that were largest.

    Source: Viterbi 1967, doi:10.1109/TIT.1967.1054010.

    Args and errors as for `path_score`.

    Returns:
      The tags, and their score: what `path_score` gives them.

    >>> stay = Chain(jnp.zeros(2), 5 * jnp.eye(2), jnp.zeros(2))
    >>> viterbi(stay, jnp.array([[3.0, 0.0], [0.0, 2.0], [0.0, 2.0]])).tags.tolist()
    [1, 1, 1]
    """
    scores, lengths, real = _time_major(chain, scores, lengths)
    if len(scores) == 0:
        return TagPath(jnp.zeros((*lengths.shape, 0), jnp.int32), jnp.zeros(lengths.shape))
    stay = jnp.arange(scores.shape[-1], dtype=jnp.int32)

    def forwards(before: jax.Array, at_step: Any) -> tuple[jax.Array, jax.Array]:
        here, is_real = at_step
        ways = before[..., None] + chain.between
        origin = jnp.argmax(ways, axis=-2).astype(jnp.int32)
        after = select(is_real, here + jnp.max(ways, axis=-2), before)
        # In the padding every tag comes from itself, so that the way back passes through it.
        return after, select(is_real, origin, jnp.broadcast_to(stay, origin.shape))

    def backwards(tag: jax.Array, origin: jax.Array) -> tuple[jax.Array, jax.Array]:
        before = jnp.take_along_axis(origin, tag[..., None], axis=-1)[..., 0]
        return before, before

    final, origins = jax.lax.scan(forwards, chain.start + scores[0], (scores[1:], real[1:]))
    final = final + chain.end
    last = jnp.argmax(final, axis=-1).astype(jnp.int32)
    _, earlier = jax.lax.scan(backwards, last, origins, reverse=True)
    tags = masked(jnp.concatenate([earlier, last[None]]), real)
    return TagPath(jnp.moveaxis(tags, 0, -1), masked(jnp.max(final, axis=-1), lengths > 0))


def _time_major(
    chain: Chain, scores: jax.Array, lengths: jax.Array | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Scores `[T, *B, K]`, zero in the padding; lengths `[*B]`; true at real steps, `[T, *B]`."""
    scores = jnp.asarray(scores)
    tags = jnp.shape(chain.start)[0]
    fits = scores.ndim >= 2 and scores.shape[-1] == tags
    require(fits, "scores", f"have the shape [*B, T, {tags}]", scores.shape)
    lengths, real = real_steps(lengths, scores.shape[:-2], scores.shape[-2])
    real = jnp.moveaxis(real, -1, 0)
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    return masked(jnp.moveaxis(scores, -2, 0), real), lengths, real
