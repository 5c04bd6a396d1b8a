"""Units with layer normalization."""

import numpy as np

from reference.numerics import sigmoid


def _normalized(a, epsilon=1e-5):
    centred = a - a.mean(-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + epsilon)


def layer_norm_lstm(params, carry, xs):
    """LN under the gates, of x's and h's part apart, and of c under the output; Ba et al. 2016."""
    (h, c), ys = carry, []
    for x in xs:
        of_x = _normalized(x @ params.w_x) * params.gain_x
        of_h = _normalized(h @ params.w_h) * params.gain_h
        i, f, g, o = np.split(of_x + of_h + params.b, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(_normalized(c) * params.gain_c + params.b_c)
        ys.append(h)
    return (h, c), np.stack(ys)


def layer_norm_gru(params, carry, xs):
    """One LN over r and z, one over the candidate, for x and for h; Ba et al. 2016."""
    h, ys = carry, []
    size = h.shape[-1]

    def parts(sums, gain):
        gates = _normalized(sums[..., : 2 * size]) * gain[: 2 * size]
        return gates, _normalized(sums[..., 2 * size :]) * gain[2 * size :]

    for x in xs:
        x_gates, x_n = parts(x @ params.w_x, params.gain_x)
        h_gates, h_n = parts(h @ params.w_h, params.gain_h)
        r, z = np.split(sigmoid(x_gates + h_gates + params.b[: 2 * size]), 2, axis=-1)
        n = np.tanh(x_n + params.b[2 * size :] + r * (h_n + params.b_hn))
        h = (1 - z) * n + z * h
        ys.append(h)
    return h, np.stack(ys)
