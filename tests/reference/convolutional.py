"""Convolutional units."""

import numpy as np

from reference.numerics import sigmoid


def same_convolution(image, kernel):
    """out[p] = Σ_k image[p + k - (K - 1) // 2] kernel[k], zero outside; image [B, *S, C]."""
    window = kernel.shape[:-2]
    sides = [((size - 1) // 2, size - 1 - (size - 1) // 2) for size in window]
    padded = np.pad(image, [(0, 0), *sides, (0, 0)])
    out = np.zeros(())
    for offset in np.ndindex(window):
        cut = (slice(k, k + size) for k, size in zip(offset, image.shape[1:-1], strict=True))
        out = out + padded[:, *cut] @ kernel[offset]
    return out


def conv_lstm(params, carry, xs):
    """The LSTM with a convolution for each matmul; Shi 2015, without peepholes."""
    (h, c), ys = carry, []
    for x in xs:
        gates = same_convolution(x, params.w_x) + same_convolution(h, params.w_h) + params.b
        i, f, g, o = np.split(gates, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        ys.append(h)
    return (h, c), np.stack(ys)


def conv_gru(params, carry, xs):
    """The GRU with a convolution for each matmul, the reset gate before it; Ballas 2016."""
    w_xr, w_xz, w_xn = np.split(params.w_x, 3, axis=-1)
    w_hr, w_hz, w_hn = np.split(params.w_h, 3, axis=-1)
    b_r, b_z, b_n = np.split(params.b, 3)
    h, ys = carry, []
    for x in xs:
        r = sigmoid(same_convolution(x, w_xr) + same_convolution(h, w_hr) + b_r)
        z = sigmoid(same_convolution(x, w_xz) + same_convolution(h, w_hz) + b_z)
        n = np.tanh(same_convolution(x, w_xn) + same_convolution(r * h, w_hn) + b_n)
        h = (1 - z) * n + z * h
        ys.append(h)
    return h, np.stack(ys)
