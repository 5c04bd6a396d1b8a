"""From one sequence to another: n symbols in, m symbols out, both ragged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import ArrayLike

from jaxrnn.cells.checks import require
from jaxrnn.losses import nll
from jaxrnn.models.decoder import Decoder, Read
from jaxrnn.models.encoder import Encoder, real_symbols
from jaxrnn.nn import Readout, Softmax


class EncoderDecoder(nnx.Module):
    """Writes a target symbol by symbol, knowing a source.

        p(y | x) = Π_t softmax(W o_t + b)[y_t],   o_t = decoder(y_0 .. y_{t-1}, encoder(x))

    y_0 and the last symbol of every target are `end`, so the model also says where a target stops.

    Source: Cho et al. 2014, arXiv:1406.1078; Sutskever, Vinyals, Le 2014, arXiv:1409.3215.

    >>> from jaxrnn import gru
    >>> from jaxrnn.models import LuongDecoder
    >>> rngs = nnx.Rngs(0)
    >>> encoder = Encoder(gru(4, 6), vocabulary_size=9, rngs=rngs)
    >>> decoder = LuongDecoder(gru(4, 6), encoder, vocabulary_size=8, rngs=rngs)
    >>> model = EncoderDecoder(encoder, decoder, rngs=rngs)
    >>> sources, targets = jnp.array([[3, 5, 8]]), jnp.array([[7, 0]])
    >>> model.nll(sources, targets).shape
    (1, 2)

    It writes with everything of `jaxrnn.generate`:

    >>> from jaxrnn import generate
    >>> model = functions(model)
    >>> start = model.start(model.params, sources, jnp.array([3]))
    >>> generate.greedy(model.step, *start, length=5, end=0)[1].shape
    (5, 1)
    >>> generate.beam_search(model.step, *start, width=3, length=5, end=0).symbols.shape
    (5, 1, 3)
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        *,
        rngs: nnx.Rngs,
        readout: Callable[..., Readout] = Softmax,
        end: int = 0,
    ):
        """Joins both under an output layer.

        Args:
          encoder: reads the sources.
          decoder: `PlainDecoder`, `LuongDecoder`, `BahdanauDecoder`, made for this encoder.
          rngs: its `params` stream gives the keys.
          readout: makes the output layer, as in `LanguageModel`.
          end: the symbol that ends every target, and is read before its first.

        Raises:
          ValueError: if `end` is not a symbol of the targets.
        """
        size = decoder.embed.num_embeddings
        require(0 <= end < size, "end", f"lie in [0, V={size})", end)
        self.encoder = encoder
        self.decoder: Any = decoder
        self.readout: Any = readout(decoder.vector_size, size, rngs=rngs)
        self.end = end

    def nll(
        self,
        sources: jax.Array,
        targets: jax.Array,
        source_lengths: jax.Array | None = None,
        target_lengths: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Measures how little it expected each symbol of the targets (teacher forcing).

        A batch of `Pair`s, padded, is `model.nll(*batch.values, *batch.lengths, key=key)`.

        Args:
          sources: integers `[*B, S]`; anything in the padding.
          targets: integers in [0, V), each row ended by `end`, `[*B, T]`; anything in the padding.
          source_lengths: real symbols of each source, `[*B]`; None if all are.
          target_lengths: real symbols of each target, its `end` among them, `[*B]`.
          key: draws the masks of dropout and what the output layer samples; None turns dropout off
            and makes the loss exact.

        Returns:
          Nats `[*B, T]`, zero in the padding.

        Raises:
          ValueError: if symbols are not integers, or the shapes do not fit.
        """
        targets, _, mask = real_symbols("targets", targets, target_lengths)
        *keys, readout_key = _split(key)
        read = self._read(sources, source_lengths, targets, mask, *keys)
        return self.readout.nll(read.vectors, targets, mask, key=readout_key)

    def attention(
        self,
        sources: jax.Array,
        targets: jax.Array,
        source_lengths: jax.Array | None = None,
        target_lengths: jax.Array | None = None,
    ) -> jax.Array:
        """Where the decoder looks before each symbol of the targets.

        Args and errors as for `nll`; also a ValueError if the decoder has no attention.

        Returns:
          Weights `[*B, T, S]`, zero in the padding of either.
        """
        targets, _, mask = real_symbols("targets", targets, target_lengths)
        weights = self._read(sources, source_lengths, targets, mask).weights
        kind = type(self.decoder).__name__
        require(weights is not None, "decoder", "have attention, to say where it looks", kind)
        assert weights is not None
        return jnp.where(mask[..., None], weights, 0)

    def _read(
        self,
        sources: jax.Array,
        source_lengths: jax.Array | None,
        targets: jax.Array,
        mask: jax.Array,
        encoder_key: jax.Array | None = None,
        decoder_key: jax.Array | None = None,
    ) -> Read:
        source = self.encoder(sources, source_lengths, key=encoder_key)
        shape = source.lengths.shape
        require(targets.shape[:-1] == shape, "targets", f"be of the batch {shape}", targets.shape)
        carry, view = self.decoder.open(source)
        inputs = inputs_of(jnp.where(mask, targets, self.end), self.end)
        return self.decoder.read(carry, inputs, view, key=decoder_key)


def inputs_of(targets: jax.Array, end: int) -> jax.Array:
    """What is read before each symbol of targets `[*B, T]`: `end`, and then all but the last."""
    first = jnp.full((*targets.shape[:-1], 1), end, targets.dtype)
    return jnp.concatenate([first, targets], axis=-1)[..., : targets.shape[-1]]


class Opened(NamedTuple):
    """What a step of the decoder needs and does not change; the source is in it once."""

    params: Any
    view: Any


class EncoderDecoderFunctions(NamedTuple):
    """An encoder-decoder as pure functions of its parameters, for training and generation."""

    params: Any
    loss: Callable[..., tuple[jax.Array, jax.Array, Any]]  # a `LossFn` over a `Padded(Pair, Pair)`
    start: Callable[..., tuple[Opened, Any, jax.Array]]
    step: Callable[[Opened, Any, jax.Array], tuple[Any, jax.Array]]


def functions(model: EncoderDecoder) -> EncoderDecoderFunctions:
    """Takes a model apart.

    Args:
      model: the model; it is not changed.

    Returns:
      `params`, and pure functions of them:
      `start(params, sources [*B, S], lengths [*B]) -> (opened, carry, prompt [1, *B])` reads the
      sources, and gives what every function of `jaxrnn.generate` takes after the step;
      `step(opened, carry, symbols) -> (carry, logits)` for these. The source lies in `opened`,
      not in the carry, so a beam does not copy it: symbols are `[*B]` or `[*B, W]`;
      `loss(params, carry, batch, key, truth) -> (total nats, symbols, carry)` over a batch
      `Padded(Pair, Pair)`, for `tbptt_scan`; the carry is whatever it is given. `truth`, which
      `schedule` of `tbptt_scan` gives, turns it into scheduled sampling (Bengio et al. 2015,
      arXiv:1506.03099), on the step, so without dropout in the decoder.
    """
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    end = model.end

    def start(
        params: Any,
        sources: jax.Array,
        lengths: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> tuple[Opened, Any, jax.Array]:
        own = nnx.merge(graph, params, rest)
        source = own.encoder(sources, lengths, key=key)
        carry, view = own.decoder.open(source)
        return Opened(params, view), carry, jnp.full((1, *source.lengths.shape), end, jnp.int32)

    def step(opened: Opened, carry: Any, symbols: jax.Array) -> tuple[Any, jax.Array]:
        own = nnx.merge(graph, opened.params, rest)
        read = own.decoder.read(carry, symbols[..., None], opened.view)
        return read.carry, own.readout(read.vectors[..., 0, :])

    def loss(
        params: Any, carry: Any, batch: Any, key: jax.Array | None, truth: ArrayLike | None = None
    ) -> tuple[jax.Array, jax.Array, Any]:
        (sources, targets), (source_lengths, target_lengths) = batch.values, batch.lengths
        count = jnp.sum(target_lengths)
        if truth is None or key is None:
            own = nnx.merge(graph, params, rest)
            nats = own.nll(sources, targets, source_lengths, target_lengths, key=key)
            return jnp.sum(nats), count, carry
        # Here, because the room of training needs more than a model does.
        from jaxrnn.train import scheduled_sampling

        encoder_key, step_key = jax.random.split(key)
        opened, state, _ = start(params, sources, source_lengths, encoder_key)
        targets, _, mask = real_symbols("targets", targets, target_lengths)
        inputs = inputs_of(jnp.where(mask, targets, end), end)
        inputs = jnp.moveaxis(inputs, -1, 0)
        _, logits = scheduled_sampling(step, opened, state, inputs, truth=truth, key=step_key)
        return jnp.sum(nll(jnp.moveaxis(logits, 0, -2), targets, mask)), count, carry

    return EncoderDecoderFunctions(params, loss, start, step)


def _split(key: jax.Array | None) -> list[jax.Array | None]:
    """A key for the encoder, the decoder and the output layer; None for each if there is none."""
    return [None] * 3 if key is None else list(jax.random.split(key, 3))
