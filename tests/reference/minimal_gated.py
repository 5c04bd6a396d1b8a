"""The minimal gated unit, gate after the matmul."""

import numpy as np

from reference.numerics import sigmoid


def minimal_gated(params, carry, xs):
    """h_t = (1 - f) ⊙ h_{t-1} + f ⊙ tanh(x W_n + b_n + f ⊙ (h W_hn + b_hn)); Zhou et al. 2016."""
    h, ys = carry, []
    for x in xs:
        x_f, x_n = np.split(x @ params.w_x + params.b, 2, axis=-1)
        h_f, h_n = np.split(h @ params.w_h, 2, axis=-1)
        f = sigmoid(x_f + h_f)
        h = (1 - f) * h + f * np.tanh(x_n + f * (h_n + params.b_hn))
        ys.append(h)
    return h, np.stack(ys)
