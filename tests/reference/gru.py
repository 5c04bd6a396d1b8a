"""The gated recurrent unit."""

import numpy as np

from reference.numerics import sigmoid


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
