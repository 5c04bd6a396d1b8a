"""Labels out of frames by connectionist temporal classification (CTC)."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require, require_size
from jaxrnn.recurrence.masks import real_steps

BLANK = 0  # the symbol that is no label


class Transcript(NamedTuple):
    """Labels of each sequence, in front, and behind them zeros."""

    labels: jax.Array  # [*B, T] int32
    lengths: jax.Array  # [*B] int32


class Transcripts(NamedTuple):
    """Several transcripts of each sequence, the most probable first.

    A place for which there was no transcript has log-probability -inf and length 0.
    """

    labels: jax.Array  # [*B, W, T] int32, behind the labels zeros
    lengths: jax.Array  # [*B, W] int32
    log_probabilities: jax.Array  # [*B, W] nats, the sum over the alignments that were kept


class _Prefixes(NamedTuple):
    """W different prefixes, and their log-probabilities by what the last frame wrote."""

    labels: jax.Array  # [W, T]
    lengths: jax.Array  # [W]
    blank: jax.Array  # [W] a blank
    label: jax.Array  # [W] the last label

    @property
    def total(self) -> jax.Array:
        return jnp.logaddexp(self.blank, self.label)

    @property
    def last(self) -> jax.Array:
        """The last label of each, `[W]`; the blank of the empty one."""
        index = jnp.maximum(self.lengths - 1, 0)[:, None]
        last = jnp.take_along_axis(self.labels, index, axis=1)[:, 0]
        return jnp.where(self.lengths > 0, last, BLANK)


def ctc_greedy(logits: jax.Array, lengths: jax.Array | None = None) -> Transcript:
    """Reads off the most probable alignment: repeats become one label, blanks go.

        π_t = argmax_v logits_{t,v};   labels = π_t where π_t ≠ π_{t-1} and π_t ≠ blank

    The labels of the best alignment need not be the most probable labels, which have many; see
    `ctc_beam_search`.

    Source: Graves, Fernández, Gomez, Schmidhuber 2006, doi:10.1145/1143844.1143891 (best path).

    Args:
      logits: unnormalised log-probabilities at each frame, `[*B, T, V]`; symbol 0 is the blank, 1
        to V - 1 are labels. Anything in the padding.
      lengths: real frames of each sequence, integers `[*B]`; None if all T are.

    Returns:
      The labels.

    Raises:
      ValueError: if the shapes do not fit.

    >>> path = jnp.array([0, 2, 2, 0, 2, 1, 1])
    >>> ctc_greedy(jax.nn.one_hot(path, 3)).labels.tolist()
    [2, 2, 1, 0, 0, 0, 0]
    """
    logits, real = _checked(logits, lengths)
    path = jnp.where(real, jnp.argmax(logits, axis=-1), BLANK).astype(jnp.int32)
    before = jnp.concatenate([jnp.full_like(path[..., :1], BLANK), path[..., :-1]], axis=-1)
    starts = (path != BLANK) & (path != before)
    # A stable sort by "is not written" moves what is written to the front, in its order.
    order = jnp.argsort(~starts, axis=-1, stable=True)
    labels = jnp.take_along_axis(jnp.where(starts, path, 0), order, axis=-1)
    return Transcript(labels, jnp.sum(starts, axis=-1, dtype=jnp.int32))


def ctc_beam_search(
    logits: jax.Array, lengths: jax.Array | None = None, *, width: int
) -> Transcripts:
    """Looks for the most probable labels, by prefixes.

        p(l) = Σ p(π) over the alignments π that read l
        b_t(l) = p_t(blank) (b_{t-1}(l) + n_{t-1}(l))                        last frame a blank
        n_t(l) = p_t(c) (n_{t-1}(l) + b_{t-1}(l') + [c ≠ c'] n_{t-1}(l'))    last frame its label

    where l is l' and the label c, and c' is the last label of l'. After each frame the W prefixes
    with the largest b + n are kept. Where none was dropped, p(l) is exact.

    Source: Hannun, Maas, Jurafsky, Ng 2014, arXiv:1408.2873, algorithm 1, without a language model;
    Graves et al. 2006, doi:10.1145/1143844.1143891 (prefix search).

    One compiled program for each shape and width.

    Args:
      logits: as for `ctc_greedy`.
      lengths: as for `ctc_greedy`.
      width: W, how many prefixes to keep.

    Returns:
      W transcripts of each sequence, sorted.

    Raises:
      ValueError: if the shapes do not fit or the width is not positive.

    Each frame is most probably a blank, and yet the label is more probable than none:

    >>> logits = jnp.log(jnp.array([[0.6, 0.4], [0.6, 0.4]]))
    >>> found = ctc_beam_search(logits, width=2)
    >>> found.lengths.tolist(), [f"{p:.2f}" for p in jnp.exp(found.log_probabilities)]
    ([1, 0], ['0.64', '0.36'])
    """
    require_size("width", width)
    logits, real = _checked(logits, lengths)
    return _beam_search(width, logits, real)


@partial(jax.jit, static_argnums=0)
def _beam_search(width: int, logits: jax.Array, real: jax.Array) -> Transcripts:
    *batch_shape, size, symbols = logits.shape
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    nats = jax.nn.log_softmax(jnp.where(real[..., None], logits, 0), axis=-1)

    def search(nats: jax.Array, real: jax.Array) -> _Prefixes:
        def step(prefixes: _Prefixes, frame: Any) -> tuple[_Prefixes, None]:
            at_frame, is_real = frame
            after = _extended(prefixes, at_frame)
            return jax.tree.map(partial(jnp.where, is_real), after, prefixes), None

        nothing = jnp.full(width, -jnp.inf, nats.dtype)
        empty = jnp.zeros((width, size), jnp.int32), jnp.zeros(width, jnp.int32)
        start = _Prefixes(*empty, nothing.at[0].set(0), nothing)
        return jax.lax.scan(step, start, (nats, real))[0]

    rows = math.prod(batch_shape)
    flat = nats.reshape(rows, size, symbols), real.reshape(rows, size)
    found = jax.vmap(search)(*flat)
    alive = found.total > -jnp.inf
    labels = jnp.where(alive[..., None], found.labels, 0)
    fields = labels, jnp.where(alive, found.lengths, 0), found.total
    return Transcripts(*(field.reshape(*batch_shape, *field.shape[1:]) for field in fields))


def _extended(prefixes: _Prefixes, nats: jax.Array) -> _Prefixes:
    """The best W prefixes after a frame with log-probabilities `nats [V]`."""
    width, last, total = len(prefixes.lengths), prefixes.last, prefixes.total
    again = jnp.where(
        last[:, None] == jnp.arange(len(nats)), prefixes.blank[:, None], total[:, None]
    )
    longer = (again + nats).at[:, BLANK].set(-jnp.inf)  # [W, V], a label more
    # A prefix and a label may be a prefix that is in the beam: those are one.
    is_parent = _parents(prefixes)
    reached = jnp.where(is_parent, longer[:, last], -jnp.inf)  # [W, W], from one to the other
    taken = jnp.any(is_parent[:, :, None] & (last[:, None] == jnp.arange(len(nats))), axis=1)
    longer = jnp.where(taken, -jnp.inf, longer)
    stays = jnp.where(prefixes.lengths > 0, prefixes.label + nats[last], -jnp.inf)
    label = jnp.logaddexp(stays, jax.nn.logsumexp(reached, axis=0))
    same = prefixes._replace(blank=total + nats[BLANK], label=label)

    _, best = jax.lax.top_k(jnp.concatenate([same.total, longer.ravel()]), width)
    is_longer = best >= width
    parent, symbol = jnp.divmod(jnp.where(is_longer, best - width, 0), len(nats))
    parent = jnp.where(is_longer, parent, jnp.minimum(best, width - 1))
    labels, lengths = prefixes.labels[parent], prefixes.lengths[parent]
    ends = jnp.arange(labels.shape[1]) == lengths[:, None]
    written = jnp.where(ends & is_longer[:, None], symbol[:, None], labels).astype(jnp.int32)
    return _Prefixes(
        written,
        lengths + is_longer,
        jnp.where(is_longer, -jnp.inf, same.blank[parent]),
        jnp.where(is_longer, longer[parent, symbol], same.label[parent]),
    )


def _parents(prefixes: _Prefixes) -> jax.Array:
    """Whether the second is the first and its own last label: `[W, W]`; only where both live."""
    labels, lengths = prefixes.labels, prefixes.lengths
    inside = jnp.arange(labels.shape[1]) < lengths[:, None, None]
    equal = jnp.all(~inside | (labels[:, None] == labels[None]), axis=-1)
    alive = prefixes.total > -jnp.inf
    return equal & (lengths[:, None] + 1 == lengths) & alive[:, None] & alive


def _checked(logits: jax.Array, lengths: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """Logits `[*B, T, V]`, and true at real frames, `[*B, T]`."""
    logits = jnp.asarray(logits)
    fits = logits.ndim >= 2 and logits.shape[-1] > 0
    require(fits, "logits", "have the shape [*B, T, V]", logits.shape)
    return logits, real_steps(lengths, logits.shape[:-2], logits.shape[-2])[1]
