"""The scalar memory of xLSTM."""

import numpy as np

from reference.numerics import sigmoid


def _larger(a, b):
    return np.where(np.real(a) >= np.real(b), a, b)


def slstm(params, carry, xs, log_forget=lambda f: -np.log(1 + np.exp(-f))):
    """The stabilised equations, one head after the other; Beck et al. 2024."""
    (h, c, n, m), ys = carry, []
    heads = len(params.w_h)
    for x in xs:
        of_heads = [
            each @ w for each, w in zip(np.split(h, heads, axis=-1), params.w_h, strict=True)
        ]
        gates = [np.split(each, 4, axis=-1) for each in of_heads]
        r = [np.concatenate(gate, axis=-1) for gate in zip(*gates, strict=True)]
        z = np.split(x @ params.w_x + params.b, 4, axis=-1)
        i, f, g, o = (a + b for a, b in zip(z, r, strict=True))
        before, m = m, _larger(log_forget(f) + m, i)
        keep, add = np.exp(log_forget(f) + before - m), np.exp(i - m)
        c, n = keep * c + add * np.tanh(g), keep * n + add
        h = sigmoid(o) * c / _larger(n, 1)
        ys.append(h)
    return (h, c, n, m), np.stack(ys)
