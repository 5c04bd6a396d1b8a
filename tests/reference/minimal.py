"""Minimal GRU and LSTM, whose gates do not see the past."""

import numpy as np

from reference.numerics import sigmoid


def min_gru(params, carry, xs):
    """z = σ(Linear(x)), h_t = (1 - z) ⊙ h_{t-1} + z ⊙ Linear(x); Feng et al. 2024, 3.1."""
    w_z, w_n = np.split(params.w_x, 2, axis=-1)
    b_z, b_n = np.split(params.b, 2)
    h, ys = carry, []
    for x in xs:
        z = sigmoid(x @ w_z + b_z)
        h = (1 - z) * h + z * (x @ w_n + b_n)
        ys.append(h)
    return h, np.stack(ys)


def min_lstm(params, carry, xs):
    """h_t = f' ⊙ h_{t-1} + i' ⊙ Linear(x), f' = f / (f + i), i' = i / (f + i); the same, 3.2."""
    w_i, w_f, w_g = np.split(params.w_x, 3, axis=-1)
    b_i, b_f, b_g = np.split(params.b, 3)
    h, ys = carry, []
    for x in xs:
        i, f = sigmoid(x @ w_i + b_i), sigmoid(x @ w_f + b_f)
        h = f / (f + i) * h + i / (f + i) * (x @ w_g + b_g)
        ys.append(h)
    return h, np.stack(ys)
