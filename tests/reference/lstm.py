"""Long short-term memory."""

import numpy as np

from reference.numerics import sigmoid


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
