"""The recurrent network of Jordan, whose memory is its own last output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate
from jaxrnn.cells.rules import recurrent_product
from jaxrnn.cells.scanned import scanned

Activation = Callable[[jax.Array], jax.Array]


class JordanParams(NamedTuple):
    """Parameters of `jordan`; O is the size of the output."""

    w_x: jax.Array  # [D, H]
    w_y: jax.Array  # [O, H] from the last output
    b: jax.Array  # [H]
    w_o: jax.Array  # [H, O]
    b_o: jax.Array  # [O]


def jordan(
    in_size: int,
    hidden_size: int,
    out_size: int,
    *,
    activation: Activation = jnp.tanh,
    output_activation: Activation = lambda a: a,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(gates=1),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Jordan network: the hidden units see the last output instead of their own last state.

        h_t = φ(x_t W_x + y_{t-1} W_y + b)
        y_t = ψ(h_t W_o + b_o)

    What it remembers is what it says, so where the true outputs are known the steps of a sequence
    do not depend on each other: `jordan_teacher_forced`. It runs on the scan, because y is a matmul
    after the hidden units and not a pointwise function of them.

    Source: Jordan 1986, "Serial order: a parallel distributed processing approach", reprinted 1997,
    doi:10.1016/S0166-4115(97)80111-2; without the decaying self-connections of his state units.

    Args:
      in_size: D.
      hidden_size: H.
      out_size: O.
      activation: φ, any elementwise function.
      output_activation: ψ, any function over the last axis; the identity unless given.
      kernel_init: initialiser of `w_x [D, H]` and `w_o [H, O]`.
      recurrent_init: initialiser of `w_y [O, H]`.
      bias_init: initialiser of `b [H]` and `b_o [O]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A `Cell` with `JordanParams` and the carry `y [*B, O]`.

    Raises:
      ValueError: if a size is not a positive integer.

    >>> cell = jordan(3, 5, 2)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((4,)), jnp.ones((4, 3)))
    >>> y.shape, carry.shape
    ((4, 2), (4, 2))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)
    require_size("out_size", out_size)

    def init(key: jax.Array) -> JordanParams:
        key_x, key_y, key_b, key_o, key_bo = jax.random.split(key, 5)
        return JordanParams(
            w_x=kernel_init(key_x, (in_size, hidden_size), param_dtype),
            w_y=recurrent_init(key_y, (out_size, hidden_size), param_dtype),
            b=bias_init(key_b, (hidden_size,), param_dtype),
            w_o=kernel_init(key_o, (hidden_size, out_size), param_dtype),
            b_o=bias_init(key_bo, (out_size,), param_dtype),
        )

    def step(params: JordanParams, y: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = x @ params.w_x + params.b
        h = activation(z + recurrent_product(y, params.w_y, x.dtype))
        y = output_activation(recurrent_product(h, params.w_o, x.dtype) + params.b_o)
        return y, y

    return scanned(step, init=init, in_shape=(in_size,), out_shape=(out_size,), dtype=dtype)


def jordan_teacher_forced(
    cell: Cell, params: JordanParams, carry: jax.Array, xs: jax.Array, targets: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """A Jordan network fed with the true outputs, all steps at once.

        y_t = ψ(φ(x_t W_x + target_{t-1} W_y + b) W_o + b_o),   target_{-1} = carry

    One step of `cell` with the time as a batch axis: no loop, and no gradient through time. Steps
    in the padding of a batch give outputs too; mask their loss.

    Source: Jordan 1986, as for `jordan`; the name from Williams, Zipser 1989,
    doi:10.1162/neco.1989.1.2.270.

    Args:
      cell: made by `jordan`.
      params: its parameters.
      carry: the output before the first step, `[*B, O]`.
      xs: inputs `[T, *B, D]`.
      targets: true outputs `[T, *B, O]`.

    Returns:
      The last target, which is the carry of a segment that follows (`carry` itself where T is 0),
      and the outputs `[T, *B, O]`.

    Raises:
      ValueError: if `targets` has another shape than the outputs.

    >>> cell = jordan(3, 5, 2)
    >>> params, carry = cell.init(jax.random.key(0)), cell.initial_carry((4,))
    >>> carry, ys = jordan_teacher_forced(
    ...     cell, params, carry, jnp.ones((7, 4, 3)), jnp.ones((7, 4, 2))
    ... )
    >>> ys.shape
    (7, 4, 2)
    """
    carry, xs, targets = (jnp.asarray(each) for each in (carry, xs, targets))
    expected = (*xs.shape[:1], *carry.shape)
    require(targets.shape == expected, "targets", f"have the shape {expected}", targets.shape)
    known = jnp.concatenate([carry[None], targets.astype(carry.dtype)])
    _, ys = cell.step(params, known[:-1], xs)
    return known[-1], ys
