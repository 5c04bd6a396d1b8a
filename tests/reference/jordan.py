"""The network of Jordan."""

import numpy as np


def jordan(params, carry, xs):
    """h_t = tanh(x_t W_x + y_{t-1} W_y + b), y_t = h_t W_o + b_o; Jordan 1986."""
    y, ys = carry, []
    for x in xs:
        h = np.tanh(x @ params.w_x + y @ params.w_y + params.b)
        y = h @ params.w_o + params.b_o
        ys.append(y)
    return y, np.stack(ys)
