"""Leaky integrator units."""

import numpy as np

from reference.numerics import sigmoid


def leaky(params, carry, xs, leak=None):
    """h_t = (1 - α) h_{t-1} + α tanh(x W_x + h W_h + b), α fixed or σ(a); Jaeger et al. 2007."""
    alpha = sigmoid(params.leak) if leak is None else np.asarray(leak)
    h, ys = carry, []
    for x in xs:
        h = (1 - alpha) * h + alpha * np.tanh(x @ params.w_x + h @ params.w_h + params.b)
        ys.append(h)
    return h, np.stack(ys)
