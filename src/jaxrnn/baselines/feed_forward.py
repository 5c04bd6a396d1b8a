"""The feed-forward neural language model: the next symbol from the last K, by a network."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import ArrayLike

from jaxrnn.cells.checks import require, require_size
from jaxrnn.losses import nll as nats_of
from jaxrnn.models.language_model import LanguageModelFunctions


class FeedForwardLanguageModel(nnx.Module):
    """Predicts the next symbol of each sequence from the last K, and from nothing before these.

        x_t = [C[w_{t-K+1}]; ...; C[w_t]]
        logits_t = b + W x_t + U tanh(d + H x_t)          p(w_{t+1}) = softmax(logits_t)

    K vectors of one table C side by side go through a tanh layer; W, from the vectors straight to
    the output, is an option. Before a text stands a symbol of its own, the last row of C. With
    `context=1` it is the model without memory: a network that sees the current symbol alone.

    Source: Bengio, Ducharme, Vincent, Jauvin 2003, "A neural probabilistic language model", JMLR 3,
    1137-1155.

    Time-major, and used like `jaxrnn.models.LanguageModel`: the carry is the window of the last K
    symbols, `[*B, K]` integers, so a text read in segments gives what it gives as a whole. Nothing
    is recurrent; all T steps are computed at once.

    >>> model = FeedForwardLanguageModel(
    ...     vocabulary_size=20, context=3, embed_size=8, hidden_size=16, rngs=nnx.Rngs(0)
    ... )
    >>> window, logits = model(jnp.zeros((7, 2), int))
    >>> window.shape, logits.shape
    ((2, 3), (7, 2, 20))
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        context: int,
        embed_size: int,
        hidden_size: int,
        direct: bool = False,
        rngs: nnx.Rngs,
    ):
        """Draws the parameters.

        Args:
          vocabulary_size: V.
          context: K, how many symbols it sees, the current one included.
          embed_size: size of a symbol's vector.
          hidden_size: H, units of the tanh layer.
          direct: whether there are weights from the vectors straight to the output.
          rngs: its `params` stream gives the keys.

        Raises:
          ValueError: if a size is not positive.
        """
        sizes = {"vocabulary_size": vocabulary_size, "context": context}
        for name, size in {**sizes, "embed_size": embed_size, "hidden_size": hidden_size}.items():
            require_size(name, size)
        self.vocabulary_size, self.context = vocabulary_size, context
        self.embed = nnx.Embed(vocabulary_size + 1, embed_size, rngs=rngs)
        self.hidden = nnx.Linear(context * embed_size, hidden_size, rngs=rngs)
        self.readout = nnx.Linear(hidden_size, vocabulary_size, rngs=rngs)
        straight = nnx.Linear(context * embed_size, vocabulary_size, use_bias=False, rngs=rngs)
        self.direct = nnx.data(straight if direct else None)

    def initial_carry(self, batch_shape: tuple[int, ...] = ()) -> jax.Array:
        """The window before a text: the symbol V, which no text holds, K times, `[*B, K]`."""
        return jnp.full((*batch_shape, self.context), self.vocabulary_size, jnp.int32)

    def __call__(
        self,
        tokens: ArrayLike,
        *,
        initial_carry: ArrayLike | None = None,
        resets: ArrayLike | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """Reads symbols and predicts, at each step, the one after.

        Args:
          tokens: symbols, integers in [0, V), `[T, *B]`.
          initial_carry: the K symbols before the first one, `[*B, K]`; None starts afresh.
          resets: true where a text starts, `[T, *B]`.

        Returns:
          The window after the last symbol, `[*B, K]`, and logits `[T, *B, V]`.

        Raises:
          ValueError: if a shape does not fit, or the symbols are not integers.
        """
        tokens = jnp.asarray(tokens)
        integers = tokens.ndim > 0 and jnp.issubdtype(tokens.dtype, jnp.integer)
        rule = "be integers of the shape [T, *B]"
        require(integers, "tokens", rule, f"{tokens.dtype}{list(tokens.shape)}")
        start = self.initial_carry(tokens.shape[1:])
        carry = start if initial_carry is None else jnp.asarray(initial_carry)
        rule = f"have the shape {start.shape}"
        require(carry.shape == start.shape, "initial_carry", rule, carry.shape)
        seen = windows(tokens, carry.astype(jnp.int32), resets, start=self.vocabulary_size)
        # Looked up here, because `nnx.Embed` stays with the dtype that it was made in.
        xs = self.embed.embedding[...][seen[1:]]
        xs = xs.reshape(*tokens.shape, self.hidden.in_features)
        logits = self.readout(jnp.tanh(self.hidden(xs)))
        return seen[-1], logits if self.direct is None else logits + self.direct(xs)


def windows(
    tokens: jax.Array, before: jax.Array, resets: ArrayLike | None, *, start: int
) -> jax.Array:
    """The K last symbols at each step, oldest first.

    Args:
      tokens: `[T, *B]` integers.
      before: the window before the first step, `[*B, K]`.
      resets: true where a text starts, `[T, *B]`.
      start: the symbol that stands before a text.

    Returns:
      `[T + 1, *B, K]`: `before`, and the window after each step.

    Raises:
      ValueError: if the resets have another shape than the symbols.

    >>> windows(jnp.array([5, 6, 7]), jnp.array([3, 4]), None, start=9).tolist()
    [[3, 4], [4, 5], [5, 6], [6, 7]]
    >>> windows(jnp.array([5, 6]), jnp.array([3, 4]), jnp.array([True, False]), start=9).tolist()
    [[3, 4], [9, 5], [5, 6]]
    """
    (count, *_), size = tokens.shape, before.shape[-1]
    text = jnp.concatenate([jnp.moveaxis(before, -1, 0), tokens.astype(before.dtype)])
    at = jnp.arange(count + 1)[:, None] + jnp.arange(size)  # [T + 1, K]; step t stands at K + t
    seen = jnp.moveaxis(text[at], 1, -1)
    if resets is None:
        return seen
    resets = jnp.asarray(resets)
    require(resets.shape == tokens.shape, "resets", f"have the shape {tokens.shape}", resets.shape)
    steps = jnp.arange(size, size + count).reshape(-1, *[1] * (tokens.ndim - 1))
    begun = jax.lax.cummax(jnp.where(resets, steps, 0))  # where in `text` the current one begins
    begun = jnp.concatenate([jnp.zeros_like(begun, shape=(1, *tokens.shape[1:])), begun])
    at = at.reshape(count + 1, *[1] * (tokens.ndim - 1), size)
    return jnp.where(at >= begun[..., None], seen, start)


def functions(model: FeedForwardLanguageModel) -> LanguageModelFunctions:
    """Takes a model apart into its parameters and pure functions of them, to train it.

    Returns:
      What `jaxrnn.models.language_model.functions` does for a recurrent model, so that all of
      `jaxrnn.train` and `jaxrnn.generate` works; the carry is the window, and keys are not used,
      because nothing is drawn.
    """
    graph, params = nnx.split(model, nnx.Param)

    def nll(
        params: Any, carry: jax.Array, segment: Any, key: jax.Array | None
    ) -> tuple[jax.Array, jax.Array]:
        read = nnx.merge(graph, params)
        carry, logits = read(segment.inputs, initial_carry=carry, resets=segment.resets)
        return nats_of(logits, segment.targets, segment.mask), carry

    def loss(
        params: Any, carry: jax.Array, segment: Any, key: jax.Array | None
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        nats, carry = nll(params, carry, segment, key)
        return jnp.sum(nats), jnp.sum(segment.mask), carry

    def step(params: Any, carry: jax.Array, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
        carry, logits = nnx.merge(graph, params)(tokens[None], initial_carry=carry)
        return carry, logits[0]

    start = lambda size: model.initial_carry((size,))
    return LanguageModelFunctions(params, loss, step, start, nll)
