"""Leaky integrator units: each unit moves only part of the way to its new value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import lecun_normal
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.cell import Cell, DenseParts
from jaxrnn.cells.checks import require, require_size
from jaxrnn.cells.dense import dense
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate


class LeakyParams(NamedTuple):
    """Parameters of `leaky`."""

    w_x: jax.Array  # [D, H]
    w_h: jax.Array  # [H, H]
    b: jax.Array  # [H]
    leak: jax.Array | None = None  # [H] logits of the leaks; None where they are not learned


def leaky(
    in_size: int,
    hidden_size: int,
    *,
    leak: Any,
    learned: bool = False,
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Leaky integrator units, with a leak for each unit.

        h_t = (1 - α) ⊙ h_{t-1} + α ⊙ φ(x_t W_x + h_{t-1} W_h + b)
        y_t = h_t

    Source: Jaeger, Lukoševičius, Popovici, Siewert 2007, doi:10.1016/j.neunet.2007.04.016; units of
    different speeds in one network from Mozer 1992, "Induction of multiscale temporal structure".

    Args:
      in_size: D.
      hidden_size: H.
      leak: α in (0, 1], a number or H of them; 1 forgets at once. From time constants in steps:
        `leak_of_time_constant`.
      learned: learn the leaks, α = σ(a) with the parameter a [H]; it starts at `leak`, which must
        then be less than 1.
      activation: φ, any elementwise function.
      kernel_init: initialiser of `w_x [D, H]`.
      recurrent_init: initialiser of `w_h [H, H]`.
      bias_init: initialiser of `b [H]`.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A dense `Cell` with `LeakyParams` and the carry `h [*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer, or a leak is out of range.

    >>> cell = leaky(3, 2, leak=[0.5, 0.25])
    >>> zeros = jax.tree.map(jnp.zeros_like, cell.init(jax.random.key(0)))
    >>> carry, y = cell.step(zeros, jnp.ones(2), jnp.ones(3))
    >>> y.tolist()
    [0.5, 0.75]
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)
    leaks = _leaks(leak, hidden_size, learned)

    def init(key: jax.Array) -> LeakyParams:
        key_x, key_h, key_b = jax.random.split(key, 3)
        logits = [math.log(a / (1 - a)) for a in leaks] if learned else None
        return LeakyParams(
            w_x=kernel_init(key_x, (in_size, hidden_size), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, hidden_size), param_dtype),
            b=bias_init(key_b, (hidden_size,), param_dtype),
            leak=None if logits is None else jnp.asarray(logits, param_dtype),
        )

    def project(params: LeakyParams, x: jax.Array) -> jax.Array:
        return x @ params.w_x + params.b

    def pointwise(
        params: LeakyParams, carry: jax.Array, z: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        candidate = activation(z + r)
        wide = jnp.promote_types(candidate.dtype, carry.dtype)
        a = jnp.asarray(leaks, wide) if params.leak is None else jax.nn.sigmoid(params.leak)
        h = (1 - a) * carry + a * candidate
        return h, h

    parts = DenseParts(project, lambda h: h, lambda params: params.w_h, pointwise, additive=True)
    return dense(parts, init=init, in_size=in_size, out_size=hidden_size, dtype=dtype)


def leak_of_time_constant(tau: Any) -> Any:
    """The leak of a unit with time constant τ in steps.

        α = 1 / τ

    It is the Euler step of τ dh/dt = -h + φ(...), as in the source, so the memory of the unit
    decays by the factor 1 - 1/τ a step; the exact solution over one step, with input held, would
    have α = 1 - exp(-1/τ), which is nearly the same for a τ of many steps.

    Source: Jaeger, Lukoševičius, Popovici, Siewert 2007, doi:10.1016/j.neunet.2007.04.016.

    Args:
      tau: τ in steps, at least 1, a number or a sequence of them.

    Returns:
      α in (0, 1], a number or a list of them, for `leaky`.

    Raises:
      ValueError: if a time constant is shorter than a step.

    >>> leak_of_time_constant([1, 4, 10])
    [1.0, 0.25, 0.1]
    """
    taus = _numbers(tau)
    require(all(1 <= each < math.inf for each in taus), "tau", "be at least 1 step, finite", tau)
    leaks = [1 / each for each in taus]
    return leaks if isinstance(tau, Sequence) or jnp.ndim(tau) else leaks[0]


def _numbers(given: Any) -> list[float]:
    """A number, a sequence or an array as numbers of Python, which have no dtype yet."""
    given = given.tolist() if hasattr(given, "tolist") else given
    return [float(each) for each in given] if isinstance(given, Sequence) else [float(given)]


def _leaks(leak: Any, hidden_size: int, learned: bool) -> list[float]:
    """The leak of each unit."""
    leaks = _numbers(leak)
    require(len(leaks) in (1, hidden_size), "leak", f"be a number or {hidden_size} numbers", leak)
    rule = "lie in (0, 1), ends excluded, to be learned" if learned else "lie in (0, 1]"
    fits = all(0 < a < 1 or (a == 1 and not learned) for a in leaks)
    require(fits, "leak", rule, leak)
    return leaks * (int(hidden_size) // len(leaks))
