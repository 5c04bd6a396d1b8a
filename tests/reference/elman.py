"""The network of Elman."""

import numpy as np

from reference.numerics import tanh_slope


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
