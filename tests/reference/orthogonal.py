"""The network whose recurrent kernel is the exponential of an antisymmetric matrix."""

import numpy as np


def _exponential(matrix):
    """Σ_k Mᵏ / k!, enough terms for a matrix of ordinary size."""
    total = power = np.eye(len(matrix))
    for k in range(1, 80):
        power = power @ matrix / k
        total = total + power
    return total


def _mod_relu(v, b):
    sign = np.sign(np.real(v))
    size = v * sign + b
    return sign * np.where(np.real(size) > 0, size, 0)


def orthogonal(params, carry, xs, activation=_mod_relu):
    """h_t = modReLU(x W_x + h exp(A - Aᵀ), b); Lezcano-Casado, Martínez-Rubio 2019."""
    h, ys, kernel = carry, [], _exponential(params.a - params.a.T)
    for x in xs:
        h = activation(x @ params.w_x + h @ kernel, params.b)
        ys.append(h)
    return h, np.stack(ys)
