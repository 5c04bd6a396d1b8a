"""A recurrent network that is deep between its input, its state and its output."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
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


class DeepTransitionLayer(NamedTuple):
    """One layer of a perceptron in `deep_transition`."""

    w: jax.Array  # [in, out]
    b: jax.Array  # [out]


class DeepTransitionParams(NamedTuple):
    """Parameters of `deep_transition`; I is the size of u_t, N that of a_1."""

    inputs: tuple[DeepTransitionLayer, ...]  # MLP_in
    w_x: jax.Array  # [I, N]
    w_h: jax.Array  # [H, N]
    b: jax.Array  # [N]
    transition: tuple[DeepTransitionLayer, ...]  # a_2 .. a_L and h_t
    w_s: jax.Array | None  # [H, H]; None without a shortcut
    outputs: tuple[DeepTransitionLayer, ...]  # MLP_out


def deep_transition(
    in_size: int,
    hidden_size: int,
    *,
    input_layers: tuple[int, ...] = (),
    transition_layers: tuple[int, ...] = (),
    output_layers: tuple[int, ...] = (),
    shortcut: bool = False,
    activation: Activation = jnp.tanh,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = orthogonal_per_gate(gates=1),
    bias_init: Initializer = zeros_init,
    dtype: Any = None,
    param_dtype: Any = float,
) -> Cell:
    """Deep transition, deep output recurrent network (DT-RNN, DT(S)-RNN, DOT-RNN).

        u_t = MLP_in(x_t)
        a_1 = φ(u_t W_x + h_{t-1} W_h + b)
        a_l = φ(a_{l-1} W_l + b_l)                       l = 2 .. L
        h_t = φ(a_L W_{L+1} + b_{L+1} + h_{t-1} W_s)     W_s only with `shortcut`
        y_t = MLP_out(h_t)

    L is the number of `transition_layers`; with none h_t is a_1, of size H, as in `elman`. Every
    layer of the two perceptrons ends in φ. The shortcut gives the gradient a way of one layer from
    step to step, past the L that stand between. It runs on the scan, because a perceptron between
    the steps is several matmuls in a row.

    Source: Pascanu, Gulcehre, Cho, Bengio 2014, arXiv:1312.6026.

    Args:
      in_size: D.
      hidden_size: H.
      input_layers: sizes of the layers of MLP_in; empty for u_t = x_t.
      transition_layers: sizes of a_1 .. a_L.
      output_layers: sizes of the layers of MLP_out, the last one that of the output; empty for
        y_t = h_t.
      shortcut: adds h_{t-1} W_s before the last φ of the transition.
      activation: φ, any elementwise function.
      kernel_init: initialiser of every kernel but those that multiply h_{t-1}.
      recurrent_init: initialiser of `w_h [H, N]` and `w_s [H, H]`.
      bias_init: initialiser of every bias.
      dtype: dtype of the computation; None for that of the input.
      param_dtype: dtype of the parameters; JAX's default float unless given.

    Returns:
      A `Cell` with `DeepTransitionParams` and the carry `h [*B, H]`.

    Raises:
      ValueError: if a size is not a positive integer, or there is a shortcut but nothing to pass.

    >>> cell = deep_transition(3, 5, transition_layers=(8,), output_layers=(4,), shortcut=True)
    >>> params = cell.init(jax.random.key(0))
    >>> carry, y = cell.step(params, cell.initial_carry((2,)), jnp.ones((2, 3)))
    >>> y.shape, carry.shape
    ((2, 4), (2, 5))
    """
    require_size("in_size", in_size)
    require_size("hidden_size", hidden_size)
    named = {"input": input_layers, "transition": transition_layers, "output": output_layers}
    for name, sizes in named.items():
        rule = "be a tuple of sizes such as (64, 32), or ()"
        require(isinstance(sizes, tuple | list), f"{name}_layers", rule, repr(sizes))
        for size in sizes:
            require_size(f"{name}_layers", size)
    rule = "be False where there are no `transition_layers` to pass by"
    require(not shortcut or len(transition_layers) > 0, "shortcut", rule, shortcut)
    deep_in = (in_size, *input_layers)
    between = (*transition_layers, hidden_size)
    deep_out = (hidden_size, *output_layers)

    def layers(key: jax.Array, sizes: tuple[int, ...]) -> tuple[DeepTransitionLayer, ...]:
        pairs = [jax.random.split(k) for k in jax.random.split(key, len(sizes))]
        return tuple(
            DeepTransitionLayer(
                kernel_init(w, shape, param_dtype), bias_init(b, shape[1:], param_dtype)
            )
            for shape, (w, b) in zip(pairwise(sizes), pairs, strict=False)
        )

    def init(key: jax.Array) -> DeepTransitionParams:
        key_in, key_x, key_h, key_b, key_t, key_s, key_out = jax.random.split(key, 7)
        square = (hidden_size, hidden_size)
        return DeepTransitionParams(
            inputs=layers(key_in, deep_in),
            w_x=kernel_init(key_x, (deep_in[-1], between[0]), param_dtype),
            w_h=recurrent_init(key_h, (hidden_size, between[0]), param_dtype),
            b=bias_init(key_b, between[:1], param_dtype),
            transition=layers(key_t, between),
            w_s=recurrent_init(key_s, square, param_dtype) if shortcut else None,
            outputs=layers(key_out, deep_out),
        )

    def zeros(batch_shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.zeros((*batch_shape, hidden_size), dtype)

    def step(
        params: DeepTransitionParams, h: jax.Array, x: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        product = lambda a, kernel: recurrent_product(a, kernel, x.dtype)
        u = _perceptron(params.inputs, x, activation)
        a = u @ params.w_x + params.b + product(h, params.w_h)
        for w, b in params.transition:
            a = product(activation(a), w) + b
        if params.w_s is not None:
            a = a + product(h, params.w_s)
        h = activation(a)
        return h, _perceptron(params.outputs, h.astype(x.dtype), activation)

    return scanned(
        step, init=init, zeros=zeros, in_shape=(in_size,), out_shape=deep_out[-1:], dtype=dtype
    )


def _perceptron(
    layers: tuple[DeepTransitionLayer, ...], a: jax.Array, activation: Activation
) -> jax.Array:
    for w, b in layers:
        a = activation(a @ w + b)
    return a
