"""The deep transition, deep output network."""

import numpy as np


def deep_transition(params, carry, xs):
    """Perceptrons from x to the state, from state to state past a shortcut, and to y; Pascanu 2014.

    With the first layer of the transition split by where its input comes from.
    """
    h, ys = carry, []
    for x in xs:
        for layer in params.inputs:
            x = np.tanh(x @ layer.w + layer.b)
        before, a = h, x @ params.w_x + h @ params.w_h + params.b
        for layer in params.transition:
            a = np.tanh(a) @ layer.w + layer.b
        h = np.tanh(a if params.w_s is None else a + before @ params.w_s)
        y = h
        for layer in params.outputs:
            y = np.tanh(y @ layer.w + layer.b)
        ys.append(y)
    return h, np.stack(ys)
