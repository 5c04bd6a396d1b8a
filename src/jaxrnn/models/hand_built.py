"""Networks whose weights are set by hand, right at every length: what a few units can compute.

Each is a stack of Elman networks and its parameters, so whatever runs a learned network runs these.
A readout is an Elman network whose recurrent weights are zero.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.cells import Cell, ElmanParams, elman, stack


def threshold(a: jax.Array) -> jax.Array:
    """The binary threshold unit: 1 where a > 0, else 0; its gradient is zero.

    >>> threshold(jnp.array([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    return (a > 0).astype(a.dtype)


def linear(a: jax.Array) -> jax.Array:
    """The linear unit."""
    return a


def summation_network() -> tuple[Cell, Any]:
    """One linear unit that puts out the sum of its inputs so far.

        h_t = h_{t-1} + x_t;   y_t = h_t

    Exact while the sums are, for whole numbers in float32 up to 2²⁴.

    Source: Grosse 2017, "Recurrent Neural Nets", lecture notes of CSC321, University of Toronto.

    Returns:
      The cell, inputs `[*B, 1]` and outputs `[*B, 1]`, and its parameters.

    >>> from jaxrnn import unroll
    >>> cell, params = summation_network()
    >>> xs = jnp.array([[3.0], [-1.0], [4.0]])
    >>> unroll(cell, params, cell.initial_carry(), xs)[1][:, 0].tolist()
    [3.0, 2.0, 6.0]
    """
    return elman(1, 1, activation=linear), _params([[1.0]], [[1.0]], [0.0])


def comparison_network() -> tuple[Cell, Any]:
    """Says at every step whether the first input has so far summed to more than the second.

        h_t = h_{t-1} + x_t1 - x_t2;   y_t = [h_t > 0]

    A linear unit under a threshold unit; exact while the difference of the sums is.

    Source: Grosse 2017, "Recurrent Neural Nets", lecture notes of CSC321, University of Toronto.

    Returns:
      The cell, inputs `[*B, 2]` and outputs 0 or 1 `[*B, 1]`, and its parameters.

    >>> from jaxrnn import unroll
    >>> cell, params = comparison_network()
    >>> xs = jnp.array([[2.0, 1.0], [0.0, 1.0], [0.5, 0.0]])
    >>> unroll(cell, params, cell.initial_carry(), xs)[1][:, 0].tolist()
    [1.0, 0.0, 1.0]
    """
    difference = _params([[1.0], [-1.0]], [[1.0]], [0.0])
    positive = _params([[1.0]], [[0.0]], [0.0])
    cell = stack(elman(2, 1, activation=linear), elman(1, 1, activation=threshold))
    return cell, (difference, positive)


def parity_network() -> tuple[Cell, Any]:
    """Three threshold units that put out whether the number of ones so far is odd.

        or_t  = [x_t + p_{t-1} > 1/2],   and_t = [x_t + p_{t-1} > 3/2]
        y_t = p_t = [or_t - and_t > 1/2]

    One unit cannot do it, exclusive or is not linearly separable. The difference or - and is the
    parity already, 0 or 1, so the two hidden units read it from each other.

    Source: Grosse 2017, "Recurrent Neural Nets", lecture notes of CSC321, University of Toronto.

    Returns:
      The cell, inputs 0 or 1 `[*B, 1]` and outputs 0 or 1 `[*B, 1]`, and its parameters.

    >>> from jaxrnn import unroll
    >>> cell, params = parity_network()
    >>> bits = jnp.array([[1.0], [0.0], [1.0], [1.0]])
    >>> unroll(cell, params, cell.initial_carry(), bits)[1][:, 0].tolist()
    [1.0, 1.0, 0.0, 1.0]
    """
    hidden = _params([[1.0, 1.0]], [[1.0, 1.0], [-1.0, -1.0]], [-0.5, -1.5])
    difference = _params([[1.0], [-1.0]], [[0.0]], [-0.5])
    cell = stack(elman(1, 2, activation=threshold), elman(2, 1, activation=threshold))
    return cell, (hidden, difference)


def _params(w_x: list[list[float]], w_h: list[list[float]], b: list[float]) -> ElmanParams:
    return ElmanParams(jnp.array(w_x), jnp.array(w_h), jnp.array(b))
