"""What every output layer does alike: from hidden vectors to the loss of the symbols that came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp

from jaxrnn.cells.checks import require


class Readout(Protocol):
    """An output layer over V symbols: scores of all of them, or only the loss of some.

    A language model takes any module that has both methods.
    """

    def __call__(self, hs: jax.Array) -> jax.Array:
        """Hidden vectors `[*B, H]` to logits `[*B, V]`; exact, on every path."""
        ...

    def nll(
        self,
        hs: jax.Array,
        targets: jax.Array,
        mask: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Negative log-likelihood of the symbols that came, without more work than it takes.

        Args:
          hs: hidden vectors `[*B, H]`.
          targets: symbols, integers in [0, V), `[*B]`.
          mask: true at real positions, `[*B]`; elsewhere hs and targets may hold anything.
          key: for what the layer draws to estimate its loss; None is the exact loss.

        Returns:
          Nats `[*B]`, zero where `mask` is false; at least float32.

        Raises:
          ValueError: if the shapes do not fit or the targets are not integers.
        """
        ...


def masked_nats(
    nats_of: Callable[[jax.Array, jax.Array], jax.Array],
    hs: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None,
    hidden_size: int,
) -> jax.Array:
    """Calls `nats_of(hs [N, H], targets [N]) -> nats [N]` on all positions in one row.

    Masked positions are zeros and symbol 0 to it, and their nats become zero, so NaN there reaches
    neither a value nor a gradient.

    Args, returns and errors as for `Readout.nll`.
    """
    hs, targets = jnp.asarray(hs), jnp.asarray(targets)
    require_hidden(hs, hidden_size)
    rule = f"have the shape {hs.shape[:-1]}"
    require(targets.shape == hs.shape[:-1], "targets", rule, targets.shape)
    integers = jnp.issubdtype(targets.dtype, jnp.integer)
    require(integers, "targets", "be integers", targets.dtype)
    if mask is not None:
        mask = jnp.asarray(mask)
        require(mask.shape == targets.shape, "mask", rule, mask.shape)
        hs = jnp.where(mask[..., None], hs, jnp.zeros((), hs.dtype))
        targets = jnp.where(mask, targets, 0)
    nats = nats_of(hs.reshape(-1, hidden_size), targets.reshape(-1)).reshape(targets.shape)
    return nats if mask is None else jnp.where(mask, nats, jnp.zeros((), nats.dtype))


def require_hidden(hs: jax.Array, hidden_size: int) -> None:
    """Raises ValueError unless `hs` is `[*B, H]`."""
    fits = hs.ndim >= 1 and hs.shape[-1] == hidden_size
    require(fits, "hs", f"have the shape [*B, {hidden_size}]", hs.shape)
