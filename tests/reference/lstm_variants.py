"""Variants of long short-term memory."""

import numpy as np

from reference.numerics import sigmoid


def peephole_lstm(params, carry, xs):
    """i and f look at c_{t-1}, o at c_t, each unit at its own; Gers, Schmidhuber 2000."""
    (h, c), ys = carry, []
    p_i, p_f, p_o = np.split(params.p, 3)
    for x in xs:
        i, f, g, o = np.split(x @ params.w_x + h @ params.w_h + params.b, 4, axis=-1)
        c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
        h = sigmoid(o + p_o * c) * np.tanh(c)
        ys.append(h)
    return (h, c), np.stack(ys)


def coupled_lstm(params, carry, xs):
    """c_t = f ⊙ c_{t-1} + (1 - f) ⊙ g; Greff et al. 2015."""
    (h, c), ys = carry, []
    for x in xs:
        f, g, o = np.split(x @ params.w_x + h @ params.w_h + params.b, 3, axis=-1)
        c = sigmoid(f) * c + (1 - sigmoid(f)) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        ys.append(h)
    return (h, c), np.stack(ys)
