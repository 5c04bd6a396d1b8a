"""Activations, and derivatives without a formula."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

Array = np.ndarray


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def relu(a: Array) -> Array:
    return np.where(np.real(a) > 0, a, 0)


# Derivatives of an activation, in terms of its value.
def tanh_slope(h: Array) -> Array:
    return 1 - h**2


def relu_slope(h: Array) -> Array:
    return (h > 0).astype(float)


def complex_step(reference: Callable, params: Any, carry: Any, xs: Array, d_carry: Any, d_ys: Any):
    """Differentiates a forward function, one number at a time: f'(a) = Im f(a + iε) / ε.

    Exact to rounding, since nothing is subtracted and ε can be as small as one likes.
    """
    leaves, structure = jax.tree.flatten((params, carry, xs))
    weights = jax.tree.leaves((d_carry, d_ys))
    gradients = [np.zeros(leaf.shape) for leaf in leaves]
    for position, leaf in enumerate(leaves):
        for index in np.ndindex(leaf.shape):
            nudged = leaf.astype(complex)
            nudged[index] += 1e-30j
            arguments = [*leaves[:position], nudged, *leaves[position + 1 :]]
            outputs = jax.tree.leaves(reference(*jax.tree.unflatten(structure, arguments)))
            total = sum((w * out).sum() for w, out in zip(weights, outputs, strict=True))
            gradients[position][index] = total.imag / 1e-30
    return jax.tree.unflatten(structure, gradients)
