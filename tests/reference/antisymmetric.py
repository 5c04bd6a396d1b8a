"""Antisymmetric networks."""

import numpy as np

from reference.numerics import sigmoid


def _kernel(params, damping):
    return params.w_h - params.w_h.T - damping * np.eye(len(params.w_h))


def antisymmetric(params, carry, xs, step_size, damping):
    """h_t = h_{t-1} + ε tanh(x W_x + h (W - Wᵀ - γI) + b); Chang et al. 2019."""
    h, ys = carry, []
    for x in xs:
        h = h + step_size * np.tanh(x @ params.w_x + h @ _kernel(params, damping) + params.b)
        ys.append(h)
    return h, np.stack(ys)


def antisymmetric_gated(params, carry, xs, step_size, damping):
    """h_t = h_{t-1} + ε z ⊙ n, one recurrent kernel for z and n; Chang et al. 2019."""
    h, ys = carry, []
    for x in xs:
        x_n, x_z = np.split(x @ params.w_x + params.b, 2, axis=-1)
        turn = h @ _kernel(params, damping)
        h = h + step_size * sigmoid(x_z + turn) * np.tanh(x_n + turn)
        ys.append(h)
    return h, np.stack(ys)
