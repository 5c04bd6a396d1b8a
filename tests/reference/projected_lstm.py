"""Long short-term memory with a recurrent projection."""

import numpy as np

from reference.numerics import sigmoid


def projected_lstm(params, carry, xs):
    """c_t = f ⊙ c_{t-1} + i ⊙ g, h_t = (o ⊙ tanh(c_t)) W_p; Sak, Senior, Beaufays 2014."""
    (h, c), ys = carry, []
    for x in xs:
        i, f, g, o = np.split(x @ params.w_x + h @ params.w_h + params.b, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = (sigmoid(o) * np.tanh(c)) @ params.w_p
        ys.append(h)
    return (h, c), np.stack(ys)
