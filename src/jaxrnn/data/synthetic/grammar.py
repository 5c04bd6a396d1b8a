"""Sentences of a grammar of chunks, in which the words alone do not give the tags away."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.cells.checks import require, require_size


class TaggedSentences(NamedTuple):
    """Sentences with a tag for each word, batch-major as the models read them."""

    words: jax.Array  # [B, T] int32, 0 in the padding
    tags: jax.Array  # [B, T] int32, 0 in the padding
    lengths: jax.Array  # [B] int32


class ChunkGrammar(NamedTuple):
    """A hidden Markov model over K = 2 kinds + 1 tags: outside a chunk, at its begin, inside it.

        p(words, tags) = start_{y_0} Π_t between_{y_{t-1}, y_t} Π_t emission_{y_t, w_t}

    Because all of it is known, so is the best that a tagger can do: Viterbi with these logarithms.
    """

    labels: tuple[str, ...]  # names of the tags: O, B-A, I-A, B-B, ...
    start: Any  # [K] log-probabilities
    between: Any  # [K, K] log-probabilities, from a tag to the next
    emission: Any  # [K, V] log-probabilities of the words


def chunk_grammar(
    *,
    kinds: int = 3,
    words: int = 10,
    clarity: float = 0.5,
    stay: float = 0.85,
    outside: float = 0.8,
) -> ChunkGrammar:
    """A grammar whose chunks show their kind only on the whole.

        inside a chunk   goes on with `stay`, ends otherwise
        at its end       outside with `outside`, else a new chunk of any kind
        a word           one of its kind's own with `clarity`, else one that every tag has

    I-X follows B-X or I-X alone, and a word says nothing about where a chunk begins. So the tags of
    a chunk depend on each other given the words: a tagger that decides for each word by itself
    mixes kinds within a chunk, and borders, where one for whole sentences does not.

    Source: the scheme of the tags is that of Ramshaw, Marcus 1995, arXiv:cmp-lg/9505040.

    Args:
      kinds: of chunks, at most 26.
      words: of each kind, and as many that are common to all.
      clarity: probability of a word that shows the kind, in (0, 1).
      stay: probability that a chunk goes on, in (0, 1).
      outside: probability that after a chunk, or outside, no chunk begins, in (0, 1).

    Returns:
      A `ChunkGrammar` of NumPy arrays; words of kind n are n · words to (n + 1) · words - 1, and
      the common ones, all that there are outside, come last.

    Raises:
      ValueError: if a size or a probability is none.

    >>> grammar = chunk_grammar(kinds=2, words=5)
    >>> grammar.labels, grammar.emission.shape
    (('O', 'B-A', 'I-A', 'B-B', 'I-B'), (5, 15))
    """
    require_size("kinds", kinds)
    require(kinds <= 26, "kinds", "be at most 26, one for each letter", kinds)
    require_size("words", words)
    for name, value in (("clarity", clarity), ("stay", stay), ("outside", outside)):
        require(0 < value < 1, name, "be a probability between 0 and 1", value)
    names = [chr(ord("A") + kind) for kind in range(kinds)]
    labels = ("O", *(f"{place}-{name}" for name in names for place in "BI"))
    begins = np.zeros(len(labels))
    begins[0], begins[1::2] = outside, (1 - outside) / kinds
    between = np.tile(begins, (len(labels), 1))
    between[1:] *= 1 - stay
    emission = np.zeros((len(labels), (kinds + 1) * words))
    emission[0, -words:] = 1 / words
    for tag in range(1, len(labels)):
        kind = (tag - 1) // 2
        between[tag, 2 * kind + 2] = stay
        emission[tag, kind * words : (kind + 1) * words] = clarity / words
        emission[tag, -words:] = (1 - clarity) / words
    with np.errstate(divide="ignore"):
        logs = [np.log(part).astype(np.float32) for part in (begins, between, emission)]
    return ChunkGrammar(labels, *logs)


def tagged_sentences(
    key: jax.Array, grammar: ChunkGrammar, *, batch_size: int, max_length: int, min_length: int = 1
) -> TaggedSentences:
    """Draws sentences of a grammar.

    Args:
      key: random key; consumed.
      grammar: from `chunk_grammar`.
      batch_size: B.
      max_length: T, the largest number of words; it is uniform from `min_length` on.
      min_length: the smallest.

    Returns:
      `TaggedSentences`.

    Raises:
      ValueError: if a size is not a positive integer, or `min_length` is above `max_length`.

    >>> grammar = chunk_grammar()
    >>> drawn = tagged_sentences(jax.random.key(0), grammar, batch_size=2, max_length=9)
    >>> drawn.words.shape, drawn.lengths.shape
    ((2, 9), (2,))
    """
    require_size("batch_size", batch_size)
    require_size("max_length", max_length)
    require_size("min_length", min_length)
    require(min_length <= max_length, "min_length", f"be at most {max_length}", min_length)
    length_key, start_key, chain_key, word_key = jax.random.split(key, 4)
    shape = (batch_size,)
    lengths = jax.random.randint(length_key, shape, min_length, max_length + 1, jnp.int32)
    start, between, emission = map(jnp.asarray, grammar[1:])
    first = jax.random.categorical(start_key, start, shape=shape)

    def follow(tag: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        after = jax.random.categorical(key, between[tag])
        return after, after

    _, later = jax.lax.scan(follow, first, jax.random.split(chain_key, max_length - 1))
    tags = jnp.concatenate([first[None], later]).T.astype(jnp.int32)
    words = jax.random.categorical(word_key, emission[tags]).astype(jnp.int32)
    real = jnp.arange(max_length) < lengths[:, None]
    return TaggedSentences(jnp.where(real, words, 0), jnp.where(real, tags, 0), lengths)
