"""The cell of a user's own that the laws are tested on."""

import numpy as np


def fast_weights(params, carry, xs):
    """A_t = 0.9 A_{t-1} + 0.5 h_{t-1} h_{t-1}ᵀ, h_t = tanh(x W + h U + A_t h_{t-1}); Ba 2016."""
    h, a, ys = carry["h"], carry["a"], []
    for x in xs:
        a = 0.9 * a + 0.5 * np.einsum("bi,bj->bij", h, h)
        h = np.tanh(x @ params["w"] + h @ params["u"] + np.einsum("bij,bj->bi", a, h))
        ys.append(h)
    return {"a": a, "h": h}, np.stack(ys)
