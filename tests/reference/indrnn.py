"""Independently recurrent units."""

import numpy as np

from reference.numerics import relu


def indrnn(params, carry, xs):
    """h_t = relu(x W_x + u ⊙ h_{t-1} + b); Li et al. 2018."""
    h, ys = carry, []
    for x in xs:
        h = relu(x @ params.w_x + params.u * h + params.b)
        ys.append(h)
    return h, np.stack(ys)
