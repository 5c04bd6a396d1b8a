"""How the weights of other libraries become ours: one pure function for each library and cell.

Ours are `[in, out]`, gates side by side along the last axis: LSTM i, f, g, o; GRU r, z, n with a
bias `b_hn` inside the reset gate's product. `test_peers.py` proves every rule. The first line of
each docstring is the rule in words. The functions are differentiable: a gradient taken through
one is a gradient in the other library's weights.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn import ElmanParams, GRUParams, LSTMParams

Tree = Mapping[str, Any]


def torch_rnn(
    weight_ih: jax.Array, weight_hh: jax.Array, bias_ih: jax.Array, bias_hh: jax.Array
) -> ElmanParams:
    """Transpose both weights; `b` is the sum of both biases."""
    return ElmanParams(weight_ih.T, weight_hh.T, bias_ih + bias_hh)


def torch_lstm(
    weight_ih: jax.Array, weight_hh: jax.Array, bias_ih: jax.Array, bias_hh: jax.Array
) -> LSTMParams:
    """Transpose both weights; `b` is the sum of both biases; same gate order."""
    return LSTMParams(weight_ih.T, weight_hh.T, bias_ih + bias_hh)


def torch_gru(
    weight_ih: jax.Array, weight_hh: jax.Array, bias_ih: jax.Array, bias_hh: jax.Array
) -> GRUParams:
    """Transpose both weights; add both biases for r and z; `b_hn` is the n part of `bias_hh`."""
    return GRUParams(weight_ih.T, weight_hh.T, *_split_b_hn(bias_ih, bias_hh))


def nnx_simple(cell: Tree) -> ElmanParams:
    """Take both kernels and the bias of `dense_i` as they are."""
    return ElmanParams(
        cell["dense_i"]["kernel"], cell["dense_h"]["kernel"], cell["dense_i"]["bias"]
    )


def nnx_lstm(cell: Tree) -> LSTMParams:
    """Concatenate kernels ii, if_, ig, io and hi, hf, hg, ho; `b` is the biases of the latter."""
    return _flax_lstm(cell, "if_")


def nnx_optimized_lstm(cell: Tree) -> LSTMParams:
    """Take both kernels and the bias of `dense_h` as they are; the carry is (c, h) there."""
    x, h = cell["dense_i"], cell["dense_h"]
    return LSTMParams(x["kernel"], h["kernel"], h["bias"])


def nnx_gru(cell: Tree) -> GRUParams:
    """Take both kernels and the bias of `dense_i` as they are; `b_hn` is 0, as it has none."""
    x, h = cell["dense_i"], cell["dense_h"]
    b_hn = jnp.zeros(len(h["kernel"]), x["bias"].dtype)
    return GRUParams(x["kernel"], h["kernel"], x["bias"], b_hn)


def linen_simple(params: Tree) -> ElmanParams:
    """Take the kernels of `i` and `h` and the bias of `i` as they are."""
    return ElmanParams(params["i"]["kernel"], params["h"]["kernel"], params["i"]["bias"])


def linen_lstm(params: Tree) -> LSTMParams:
    """Concatenate kernels ii, if, ig, io and hi, hf, hg, ho; `b` is the biases of the latter."""
    return _flax_lstm(params, "if")


def linen_gru(params: Tree) -> GRUParams:
    """Concatenate kernels and biases ir, iz, in and kernels hr, hz, hn; `b_hn` is hn's bias."""
    return GRUParams(
        w_x=_beside(params, "kernel", "ir", "iz", "in"),
        w_h=_beside(params, "kernel", "hr", "hz", "hn"),
        b=_beside(params, "bias", "ir", "iz", "in"),
        b_hn=params["hn"]["bias"],
    )


def keras_simple(kernel: jax.Array, recurrent_kernel: jax.Array, bias: jax.Array) -> ElmanParams:
    """Take all three as they are."""
    return ElmanParams(kernel, recurrent_kernel, bias)


def keras_lstm(kernel: jax.Array, recurrent_kernel: jax.Array, bias: jax.Array) -> LSTMParams:
    """Take all three as they are; Keras calls g c."""
    return LSTMParams(kernel, recurrent_kernel, bias)


def keras_gru(kernel: jax.Array, recurrent_kernel: jax.Array, bias: jax.Array) -> GRUParams:
    """With `reset_after=True`: swap z and r in all; the rows of `bias` are PyTorch's two biases."""
    w_x, w_h, both = (_swap_first_two_of_three(a) for a in (kernel, recurrent_kernel, bias))
    return GRUParams(w_x, w_h, *_split_b_hn(both[0], both[1]))


def haiku_vanilla(params: Tree) -> ElmanParams:
    """With `activation=jax.nn.relu`: take both `w` as they are; `b` is the sum of both `b`."""
    x, h = params["vanilla_rnn/linear"], params["vanilla_rnn/linear_1"]
    return ElmanParams(x["w"], h["w"], x["b"] + h["b"])


def haiku_lstm(params: Tree, in_size: int) -> LSTMParams:
    """Swap g and f; add 1 to the bias of f; the first D rows of `w` are `w_x`, the rest `w_h`."""
    w, b = (_swap_middle_of_four(params["lstm/linear"][name]) for name in ("w", "b"))
    size = len(b) // 4
    return LSTMParams(w[:in_size], w[in_size:], b.at[size : 2 * size].add(1))


def equinox_lstm(weight_ih: jax.Array, weight_hh: jax.Array, bias: jax.Array) -> LSTMParams:
    """Transpose both weights; same gate order."""
    return LSTMParams(weight_ih.T, weight_hh.T, bias)


def equinox_gru(
    weight_ih: jax.Array, weight_hh: jax.Array, bias: jax.Array, bias_n: jax.Array
) -> GRUParams:
    """Transpose both weights; `b_hn` is `bias_n`; same gate order."""
    return GRUParams(weight_ih.T, weight_hh.T, bias, bias_n)


def _split_b_hn(bias_x: jax.Array, bias_h: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Biases of r, z may be added up; that of n on the recurrent side is inside r's product."""
    n = 2 * len(bias_h) // 3
    return bias_x.at[:n].add(bias_h[:n]), bias_h[n:]


def _flax_lstm(params: Tree, forget: str) -> LSTMParams:
    return LSTMParams(
        w_x=_beside(params, "kernel", "ii", forget, "ig", "io"),
        w_h=_beside(params, "kernel", "hi", "hf", "hg", "ho"),
        b=_beside(params, "bias", "hi", "hf", "hg", "ho"),
    )


def _beside(params: Tree, leaf: str, *layers: str) -> jax.Array:
    return jnp.concatenate([params[layer][leaf] for layer in layers], axis=-1)


def _swap_first_two_of_three(gates: jax.Array) -> jax.Array:
    first, second, third = jnp.split(gates, 3, axis=-1)
    return jnp.concatenate([second, first, third], axis=-1)


def _swap_middle_of_four(gates: jax.Array) -> jax.Array:
    first, second, third, fourth = jnp.split(gates, 4, axis=-1)
    return jnp.concatenate([first, third, second, fourth], axis=-1)
