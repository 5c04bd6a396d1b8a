"""Every cell in NumPy, from the equations of the papers: the outside opinion that ours must match.

A forward function is `(params, carry, xs) -> (carry, ys)` over `xs [T, B, D]`. An adjoint is
`(params, carry, xs, d_carry, d_ys) -> (d_params, d_carry, d_xs)`: the gradients of a number whose
derivatives in the final carry and in the outputs are `d_carry` and `d_ys`, by the textbook's
backward recursion. A cell without one is differentiated by `complex_step`, so forward functions
must take complex numbers.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

Array = np.ndarray


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def relu(a: Array) -> Array:
    return np.where(np.real(a) > 0, a, 0)


# Derivatives of an activation, in terms of its value.
def tanh_slope(h: Array) -> Array:
    return 1 - h**2


def relu_slope(h: Array) -> Array:
    return (h > 0).astype(float)


def complex_step(reference: Callable, params: Any, carry: Any, xs: Array, d_carry: Any, d_ys: Any):
    """Differentiates a forward function, one number at a time: f'(a) = Im f(a + iε) / ε.

    Exact to rounding, since nothing is subtracted and ε can be as small as one likes.
    """
    leaves, structure = jax.tree.flatten((params, carry, xs))
    weights = jax.tree.leaves((d_carry, d_ys))
    gradients = [np.zeros(leaf.shape) for leaf in leaves]
    for position, leaf in enumerate(leaves):
        for index in np.ndindex(leaf.shape):
            nudged = leaf.astype(complex)
            nudged[index] += 1e-30j
            arguments = [*leaves[:position], nudged, *leaves[position + 1 :]]
            outputs = jax.tree.leaves(reference(*jax.tree.unflatten(structure, arguments)))
            total = sum((w * out).sum() for w, out in zip(weights, outputs, strict=True))
            gradients[position][index] = total.imag / 1e-30
    return jax.tree.unflatten(structure, gradients)


def elman(params, carry, xs, activation=np.tanh):
    """h_t = φ(x_t W_x + h_{t-1} W_h + b); Elman 1990."""
    h, ys = carry, []
    for x in xs:
        h = activation(x @ params.w_x + h @ params.w_h + params.b)
        ys.append(h)
    return h, np.stack(ys)


def elman_adjoint(params, carry, xs, d_carry, d_ys, activation=np.tanh, slope=tanh_slope):
    """δ_t = φ' ⊙ (dy_t + δ_{t+1} W_hᵀ); each gradient is a sum over t of δ_t with its factor."""
    _, ys = elman(params, carry, xs, activation)
    before = [carry, *ys[:-1]]
    w_x, w_h, b = (np.zeros_like(leaf) for leaf in params)
    d_xs, dh = np.zeros_like(xs), d_carry
    for t in reversed(range(len(xs))):
        delta = (dh + d_ys[t]) * slope(ys[t])
        w_x += xs[t].T @ delta
        w_h += before[t].T @ delta
        b += delta.sum(0)
        d_xs[t] = delta @ params.w_x.T
        dh = delta @ params.w_h.T
    return (w_x, w_h, b), dh, d_xs


def _lstm_gates(params, h, x):
    i, f, g, o = np.split(x @ params.w_x + h @ params.w_h + params.b, 4, axis=-1)
    return sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)


def lstm(params, carry, xs):
    """c_t = f ⊙ c_{t-1} + i ⊙ g, h_t = o ⊙ tanh(c_t); Gers, Schmidhuber, Cummins 2000."""
    (h, c), ys = carry, []
    for x in xs:
        i, f, g, o = _lstm_gates(params, h, x)
        c = f * c + i * g
        h = o * np.tanh(c)
        ys.append(h)
    return (h, c), np.stack(ys)


def lstm_adjoint(params, carry, xs, d_carry, d_ys):
    """dc_t = dc_{t+1} ⊙ f_{t+1} + dh_t ⊙ o ⊙ (1 - tanh²(c_t)), and the four gates from it."""
    (h, c), tape = carry, []
    for x in xs:
        i, f, g, o = _lstm_gates(params, h, x)
        tape.append((h, c, i, f, g, o))
        c = f * c + i * g
        h = o * np.tanh(c)
    w_x, w_h, b = (np.zeros_like(leaf) for leaf in params)
    d_xs, (dh, dc) = np.zeros_like(xs), d_carry
    for t in reversed(range(len(xs))):
        h, c, i, f, g, o = tape[t]
        tanh_c = np.tanh(f * c + i * g)
        dh = dh + d_ys[t]
        dc = dc + dh * o * (1 - tanh_c**2)
        delta = np.concatenate(
            [
                dc * g * i * (1 - i),
                dc * c * f * (1 - f),
                dc * i * (1 - g**2),
                dh * tanh_c * o * (1 - o),
            ],
            axis=-1,
        )
        w_x += xs[t].T @ delta
        w_h += h.T @ delta
        b += delta.sum(0)
        d_xs[t] = delta @ params.w_x.T
        dh, dc = delta @ params.w_h.T, dc * f
    return (w_x, w_h, b), (dh, dc), d_xs


def _gru_gates(params, h, x):
    x_r, x_z, x_n = np.split(x @ params.w_x + params.b, 3, axis=-1)
    h_r, h_z, h_n = np.split(h @ params.w_h, 3, axis=-1)
    r, z, q = sigmoid(x_r + h_r), sigmoid(x_z + h_z), h_n + params.b_hn
    return r, z, np.tanh(x_n + r * q), q


def gru(params, carry, xs):
    """h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}, n = tanh(x W_n + b_n + r ⊙ (h W_hn + b_hn)); Cho 2014."""
    h, ys = carry, []
    for x in xs:
        _, z, n, _ = _gru_gates(params, h, x)
        h = (1 - z) * n + z * h
        ys.append(h)
    return h, np.stack(ys)


def gru_adjoint(params, carry, xs, d_carry, d_ys):
    """dh_{t-1} = dh_t ⊙ z + δ_t W_hᵀ, where n's share of δ_t has passed the reset gate."""
    h, tape = carry, []
    for x in xs:
        r, z, n, q = _gru_gates(params, h, x)
        tape.append((h, r, z, n, q))
        h = (1 - z) * n + z * h
    w_x, w_h, b, b_hn = (np.zeros_like(leaf) for leaf in params)
    d_xs, dh = np.zeros_like(xs), d_carry
    for t in reversed(range(len(xs))):
        h, r, z, n, q = tape[t]
        dh = dh + d_ys[t]
        d_n = dh * (1 - z) * (1 - n**2)
        d_r, d_z, d_q = d_n * q * r * (1 - r), dh * (h - n) * z * (1 - z), d_n * r
        delta_x = np.concatenate([d_r, d_z, d_n], axis=-1)
        delta_h = np.concatenate([d_r, d_z, d_q], axis=-1)
        w_x += xs[t].T @ delta_x
        w_h += h.T @ delta_h
        b += delta_x.sum(0)
        b_hn += d_q.sum(0)
        d_xs[t] = delta_x @ params.w_x.T
        dh = dh * z + delta_h @ params.w_h.T
    return (w_x, w_h, b, b_hn), dh, d_xs


def stacked(*layers):
    """The sequence goes through one layer after the other."""

    def forward(params, carry, xs):
        carries = []
        for layer, layer_params, layer_carry in zip(layers, params, carry, strict=True):
            after, xs = layer(layer_params, layer_carry, xs)
            carries.append(after)
        return tuple(carries), xs

    return forward


def fast_weights(params, carry, xs):
    """A_t = 0.9 A_{t-1} + 0.5 h_{t-1} h_{t-1}ᵀ, h_t = tanh(x W + h U + A_t h_{t-1}); Ba 2016."""
    h, a, ys = carry["h"], carry["a"], []
    for x in xs:
        a = 0.9 * a + 0.5 * np.einsum("bi,bj->bij", h, h)
        h = np.tanh(x @ params["w"] + h @ params["u"] + np.einsum("bij,bj->bi", a, h))
        ys.append(h)
    return {"a": a, "h": h}, np.stack(ys)
