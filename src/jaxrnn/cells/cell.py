"""What a cell is: a NamedTuple of pure functions, and the parts from which a dense cell is made.

Shape letters, here and in every docstring: `T` time, `B` batch (`*B` any leading batch shape, also
none), `D` input, `H` hidden, `G` gate pre-activations (a multiple of `H`), `V` vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax

Params = chex.ArrayTree
Carry = chex.ArrayTree

StepFn = Callable[..., tuple[Any, Any]]  # params, carry, x -> carry, y


class PointwiseVJP(NamedTuple):
    """The derivative of the pointwise part of a dense cell, written by hand where that pays.

    `forward` does what `pointwise` does and saves what its derivative needs, a pytree of arrays
    `[*B, ...]`. `backward` takes the cotangents of the carry and the output to those of the carry,
    z and r; a leaf of the carry that `forward` does not read has None. Both are elementwise over
    the leading batch shape. Parameters inside the pointwise part have their gradient in
    `parameters`, which is called with arrays over many steps at once and returns a pytree like
    `params`, summed; None if there are none.

    To be fast on a CPU, `forward` of an additive cell begins with z + r, and that of any other
    splits z and r into gates of the size H first, see `benchmarks/NOTES.md`.
    """

    # params, carry, z, r -> carry, y, saved
    forward: Callable[[Any, Any, jax.Array, jax.Array], tuple[Any, jax.Array, Any]]
    # params, saved, carry, d_carry, d_y -> d_carry, d_z, d_r
    backward: Callable[[Any, Any, Any, Any, jax.Array], tuple[Any, jax.Array, jax.Array]]
    # params, carry, d_z, d_r -> d_params
    parameters: Callable[[Any, Any, jax.Array, jax.Array], Any] | None = None


class DenseParts(NamedTuple):
    """A recurrent unit taken apart, so that an engine can run each part where it is cheapest.

        z_t           = project(params, x_t)                     no carry in it: all t at once
        r_t           = hidden(carry_{t-1}) @ recurrent_kernel(params)
        carry_t, y_t  = pointwise(params, carry_{t-1}, z_t, r_t)

    Every function is elementwise over the leading batch shape, whatever that shape is.
    """

    project: Callable[[Any, jax.Array], jax.Array]  # params, x [*B, D] -> z [*B, G]
    hidden: Callable[[Any], jax.Array]  # carry -> h [*B, H]
    recurrent_kernel: Callable[[Any], jax.Array]  # params -> [H, G]; once for a sequence
    pointwise: Callable[[Any, Any, jax.Array, jax.Array], tuple[Any, jax.Array]]
    additive: bool = False  # whether z and r enter `pointwise` as z + r and in no other way
    pointwise_vjp: PointwiseVJP | None = None  # None: `jax.vjp` of `pointwise`


class Noise(NamedTuple):
    """How a cell is random: its masks, and what runs once they are drawn.

    `unroll` draws the masks before the loop, lets them in, runs `cell` on what `enter` gives, and
    undoes it with `leave`; `step` does the same with the masks of one step.
    """

    # key, T, batch shape -> masks, see `jaxrnn.cells.noise.Masks`
    draw: Callable[[jax.Array, int, tuple[int, ...]], Any]
    # params, carry, xs [T, *B, D], masks -> params, carry, xs for `cell`
    enter: Callable[[Any, Any, jax.Array, Any], tuple[Any, Any, jax.Array]]
    cell: Cell
    # carry and ys [T, *B, H] or y [*B, H] of `cell`, masks -> carry, ys
    leave: Callable[[Any, Any, Any], tuple[Any, Any]]


class Wiring(NamedTuple):
    """How the layers of a stack are joined; arrays with any leading axes, features last."""

    into: Callable[[list[jax.Array]], jax.Array]  # x and all outputs so far -> the next input
    give: Callable[[jax.Array, jax.Array], jax.Array]  # that input, what the layer makes -> output
    out: Callable[[list[jax.Array]], jax.Array]  # x and all outputs -> output of the stack


class Cell(NamedTuple):
    """A recurrent unit as pure functions, the way optax has `GradientTransformation`.

    `functools.partial(cell.step, params)` is a valid body for `jax.lax.scan` as it stands. A cell
    of your own needs the first three fields; a bare step function needs none of them, `unroll`
    takes it as it is.

    Attributes:
      init: `init(key) -> params`, a pytree of arrays; the key is consumed.
      initial_carry: `initial_carry(batch_shape=(), dtype=None) -> carry`; no randomness. `dtype`
        defaults to JAX's default float (float32 unless x64 is on).
      step: `step(params, carry, x [*B, D]) -> (carry, y [*B, H])`; of a random cell it takes the
        masks of the step as a fourth argument, see `jaxrnn.masks_at`.
      in_shape: shape of one input without batch axes, `(D,)`; None where the cell does not say.
      out_shape: shape of one output without batch axes, `(H,)`; None where the cell does not say.
      dense: the parts of a dense cell; None for any other cell.
      layers: the cells of a stack, first layer first; empty for any other cell.
      wiring: how they are joined; None for any other cell.
      noise: what is random in the cell, dropout for example; None if nothing is. The parts of a
        stack are random each for itself.
    """

    init: Callable[[jax.Array], Any]
    initial_carry: Callable[..., Any]
    step: StepFn
    in_shape: tuple[int, ...] | None = None
    out_shape: tuple[int, ...] | None = None
    dense: DenseParts | None = None
    layers: tuple[Cell, ...] = ()
    wiring: Wiring | None = None
    noise: Noise | None = None

    def __repr__(self) -> str:
        """Shapes and kind; the addresses of eight functions would tell nobody anything."""
        kind = "dense" if self.dense else f"layers={list(self.layers)}" if self.layers else "step"
        return f"Cell({self.in_shape} -> {self.out_shape}, {kind})"
