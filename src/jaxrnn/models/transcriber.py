"""The transcriber: many to many, not aligned, fewer labels than frames."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from jaxrnn.cells import Cell
from jaxrnn.cells.checks import require, require_size
from jaxrnn.generate.ctc import BLANK, Transcript, Transcripts, ctc_beam_search, ctc_greedy
from jaxrnn.models.reader import Reader
from jaxrnn.nn import Softmax
from jaxrnn.recurrence.masks import real_steps


class Transcriber(nnx.Module):
    """Says which labels a sequence of frames holds, without being told where, as speech is written.

        y = network(x);   p_t = softmax(y_t Wᵀ + b) over the blank 0 and K labels
        p(l | x) = Σ_π Π_t p_t(π_t)   over the alignments π that read l

    An alignment has a symbol for each frame; it reads as its labels without repeats and blanks.

    Source: Graves, Fernández, Gomez, Schmidhuber 2006, doi:10.1145/1143844.1143891.

    >>> from jaxrnn import lstm
    >>> model = Transcriber(lstm(6, 8), backward=lstm(6, 8), labels=4, rngs=nnx.Rngs(0))
    >>> frames, lengths = jnp.zeros((2, 9, 6)), jnp.array([9, 5])
    >>> model.nll(frames, jnp.array([[1, 2, 2], [4, 0, 0]]), lengths, jnp.array([3, 1])).shape
    (2,)
    >>> model.transcribe(frames, lengths).labels.shape
    (2, 9)
    """

    def __init__(self, cell: Cell, *, labels: int, rngs: nnx.Rngs, backward: Cell | None = None):
        """Draws the parameters.

        Args:
          cell: the recurrent layers, one cell or a `stack`; dropout is a matter of the cell.
          labels: K, beside the blank.
          rngs: its `params` stream gives the keys.
          backward: reads from the last frame to the first, beside `cell`; None: nothing does.

        Raises:
          ValueError: as for `Reader`, and if the number of labels is not positive.
        """
        require_size("labels", labels)
        self.reader = Reader(cell, rngs=rngs, backward=backward)
        self.readout = Softmax(self.reader.hidden_size, labels + 1, rngs=rngs)

    def __call__(
        self, xs: jax.Array, lengths: jax.Array | None = None, *, key: jax.Array | None = None
    ) -> jax.Array:
        """Scores the blank and every label at each frame.

        Args:
          xs: frames `[*B, T, D]`; anything in the padding.
          lengths: real frames of each sequence, integers `[*B]`; None if all T are.
          key: draws the masks of dropout; None turns it off.

        Returns:
          Logits `[*B, T, K + 1]`, of the blank first.

        Raises:
          ValueError: if a shape or dtype does not fit.
        """
        return self.readout(self.reader(xs, lengths, key=key)[1])

    def nll(
        self,
        xs: jax.Array,
        labels: jax.Array,
        lengths: jax.Array | None = None,
        label_lengths: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Negative log-likelihood of the labels, all alignments added up.

        A batch of examples (frames, labels), padded, is
        `model.nll(*batch.values, *batch.lengths, key=key)`.

        Args:
          xs: as for a call.
          labels: integers from 1 to K, `[*B, N]`; anything in the padding.
          lengths: as for a call.
          label_lengths: real labels of each sequence, integers `[*B]`; None if all N are.
          key: as for a call.

        Returns:
          Nats for each sequence, `[*B]`; about 10⁵, and finite, where there are too few frames for
          the labels and the blanks between equal ones.

        Raises:
          ValueError: if a shape or dtype does not fit.
        """
        return _ctc_nats(self(xs, lengths, key=key), labels, lengths, label_lengths)

    def transcribe(self, xs: jax.Array, lengths: jax.Array | None = None) -> Transcript:
        """The labels of the most probable alignment; arguments as for a call."""
        return ctc_greedy(self(xs, lengths), lengths)

    def beam_search(
        self, xs: jax.Array, lengths: jax.Array | None = None, *, width: int
    ) -> Transcripts:
        """The most probable labels that `width` prefixes find; arguments as for a call."""
        return ctc_beam_search(self(xs, lengths), lengths, width=width)


def _ctc_nats(
    logits: jax.Array,
    labels: jax.Array,
    lengths: jax.Array | None,
    label_lengths: jax.Array | None,
) -> jax.Array:
    """`optax.ctc_loss` for any batch shape, with lengths, whatever is in the padding."""
    labels = jnp.asarray(labels)
    require(jnp.issubdtype(labels.dtype, jnp.integer), "labels", "be integers", labels.dtype)
    batch_shape = logits.shape[:-2]
    fits = labels.shape[:-1] == batch_shape and labels.ndim > 0
    require(fits, "labels", f"have the shape {(*batch_shape, 'N')}", labels.shape)
    # One step more than is needed, because optax cannot do without a frame or a label.
    _, real = real_steps(lengths, batch_shape, logits.shape[-2])
    count = labels.shape[-1]
    _, given = real_steps(label_lengths, batch_shape, count, argument="label_lengths")
    widen = [(0, 0)] * len(batch_shape) + [(0, 1)]
    logits = jnp.pad(jnp.where(real[..., None], logits, 0), [*widen, (0, 0)])
    labels = jnp.pad(jnp.where(given, labels, BLANK), widen)
    paddings = [jnp.pad(1.0 - mask, widen, constant_values=1.0) for mask in (real, given)]
    flat = lambda array, axes: array.reshape(-1, *array.shape[-axes:])
    frames = flat(logits, 2), flat(paddings[0], 1)
    nats = optax.ctc_loss(*frames, flat(labels, 1), flat(paddings[1], 1), blank_id=BLANK)
    return nats.reshape(batch_shape)
