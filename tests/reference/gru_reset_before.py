"""The gated recurrent unit with the reset gate before the matmul."""

import numpy as np

from reference.numerics import sigmoid


def gru_reset_before(params, carry, xs):
    """n = tanh(x W_n + b_n + (r ⊙ h) W_hn), h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}; Cho 2014, v3."""
    w_xr, w_xz, w_xn = np.split(params.w_x, 3, axis=1)
    w_hr, w_hz, w_hn = np.split(params.w_h, 3, axis=1)
    b_r, b_z, b_n = np.split(params.b, 3)
    h, ys = carry, []
    for x in xs:
        r = sigmoid(x @ w_xr + h @ w_hr + b_r)
        z = sigmoid(x @ w_xz + h @ w_hz + b_z)
        n = np.tanh(x @ w_xn + (r * h) @ w_hn + b_n)
        h = (1 - z) * n + z * h
        ys.append(h)
    return h, np.stack(ys)
