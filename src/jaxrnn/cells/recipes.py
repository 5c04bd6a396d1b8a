"""How the recurrent layers of PyTorch and Keras start, so that a published result can be repeated.

A recipe is given to a factory by name, `lstm(D, H, **recipes.keras()._asdict())`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import glorot_uniform
from jax.nn.initializers import zeros as zeros_init

from jaxrnn.cells.checks import require, require_size
from jaxrnn.cells.initializers import Initializer, orthogonal_per_gate


class Recipe(NamedTuple):
    """The three initialisers that the factories take."""

    kernel_init: Initializer  # of w_x [D, G]
    recurrent_init: Initializer  # of w_h [H, G]
    bias_init: Initializer  # of b [G]


def pytorch(hidden_size: int) -> Recipe:
    """What `torch.nn.RNN` and `torch.nn.LSTM` start from: U(-1/√H, 1/√H) everywhere.

    PyTorch has two biases for each gate, which add up; ours is one, so it starts as the sum of two
    draws: triangular on (-2/√H, 2/√H). PyTorch has no forget bias, so for an LSTM write
    `lstm(D, H, forget_bias=0.0, **pytorch(H)._asdict())`. For a GRU see `pytorch_gru`.

    Source: the documentation of `torch.nn.LSTM`, PyTorch 2.13, section "Note".

    Args:
      hidden_size: H.

    Raises:
      ValueError: if `hidden_size` is not a positive integer.

    >>> from jaxrnn.cells.elman import elman
    >>> params = elman(3, 16, **pytorch(16)._asdict()).init(jax.random.key(0))
    >>> bool(jnp.abs(params.w_x).max() <= 0.25), bool(jnp.abs(params.b).max() <= 0.5)
    (True, True)
    """
    weights = _uniform(hidden_size)
    return Recipe(weights, weights, _sum_of_two(weights))


def pytorch_gru(hidden_size: int) -> Recipe:
    """What `torch.nn.GRU` starts from: U(-1/√H, 1/√H) everywhere.

    Its two biases add up for the gates r and z, where ours is one and starts as the sum of two
    draws; for n the second one is inside the reset gate's product, as our `b_hn`, and each is one
    draw.

    Source: the documentation of `torch.nn.GRU`, PyTorch 2.13, section "Note".

    Args:
      hidden_size: H.

    Raises:
      ValueError: if `hidden_size` is not a positive integer, or a bias is neither `[3H]` nor `[H]`.

    >>> from jaxrnn.cells.gru import gru
    >>> params = gru(3, 16, **pytorch_gru(16)._asdict()).init(jax.random.key(0))
    >>> bool(jnp.abs(params.b[32:]).max() <= 0.25), bool(jnp.abs(params.b_hn).max() <= 0.25)
    (True, True)
    """
    weights = _uniform(hidden_size)

    def biases(key: jax.Array, shape: Any, dtype: Any = float) -> jax.Array:
        rule = f"be that of a bias of a GRU, ({3 * hidden_size},) or ({hidden_size},)"
        fits = tuple(shape) in [(3 * hidden_size,), (hidden_size,)]
        require(fits, "shape", rule, tuple(shape))
        if shape[0] == hidden_size:
            return weights(key, shape, dtype)
        key_gates, key_n = jax.random.split(key)
        gates = _sum_of_two(weights)(key_gates, (2 * hidden_size,), dtype)
        return jnp.concatenate([gates, weights(key_n, (hidden_size,), dtype)])

    return Recipe(weights, weights, biases)


def keras() -> Recipe:
    """What the recurrent layers of Keras start from: Glorot uniform, orthogonal, zeros.

    Both matrices are drawn as a whole, all gates together: the orthogonal one has orthonormal rows
    of length G, so that a gate of an LSTM has only half of the norm that `orthogonal_per_gate`
    gives it. The forget bias of Keras, 1, is that of `lstm`.

    Source: the documentation of `keras.layers.LSTM`, Keras 3; Glorot, Bengio 2010, for the first;
    Saxe, McClelland, Ganguli 2013, arXiv:1312.6120, for the second.

    >>> kernel = keras().recurrent_init(jax.random.key(0), (3, 12), float)
    >>> bool(jnp.allclose(kernel @ kernel.T, jnp.eye(3), atol=1e-6))
    True
    """
    return Recipe(glorot_uniform(), orthogonal_per_gate(gates=1), zeros_init)


def _uniform(hidden_size: int) -> Initializer:
    require_size("hidden_size", hidden_size)
    bound = hidden_size**-0.5

    def initializer(key: jax.Array, shape: Any, dtype: Any = float) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return initializer


def _sum_of_two(one: Initializer) -> Initializer:
    def initializer(key: jax.Array, shape: Any, dtype: Any = float) -> jax.Array:
        first, second = jax.random.split(key)
        return one(first, shape, dtype) + one(second, shape, dtype)

    return initializer
