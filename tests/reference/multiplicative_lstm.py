"""Multiplicative long short-term memory."""

import numpy as np

from reference.numerics import sigmoid


def multiplicative_lstm(params, carry, xs):
    """m_t = (x W_mx) ⊙ (h_{t-1} W_mh), which the gates see in the place of h; Krause 2016."""
    (h, c), ys = carry, []
    for x in xs:
        m = (x @ params.w_mx) * (h @ params.w_mh)
        i, f, g, o = np.split(x @ params.w_x + m @ params.w_m + params.b, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        ys.append(h)
    return (h, c), np.stack(ys)
