"""The time-delay neural network."""

import numpy as np


def time_delay(params, carry, xs):
    """h_t = tanh(Σ_k x_{t-k} W_k + b), over the whole signal with its past; Waibel 1989."""
    past = carry.shape[1]  # the latest first
    signal = [*(carry[:, past - 1 - n] for n in range(past)), *xs]
    ys = []
    for t in range(past, len(signal)):
        taps = (signal[t - k] @ params.w_x[k] for k in range(past + 1))
        ys.append(np.tanh(sum(taps) + params.b))
    return np.stack(signal[len(signal) - past :][::-1], axis=1), np.stack(ys)
