"""Flax NNX: `nnx.RNN`, time-major, split once so that `jax.jit` sees plain arrays.

`nnx.jit` would compile the same program and walk the module's attributes in Python at every call;
its guide to performance advises this form.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
from flax import nnx

from jaxrnn.bench.contender import Contender
from jaxrnn.bench.jax_model import JaxModel
from jaxrnn.bench.sizes import Size

_CELLS = {"elman": "SimpleCell", "lstm": "LSTMCell", "gru": "GRUCell"}


def _build(names: dict[str, str], cell: str, size: Size, xs: jax.Array) -> JaxModel:
    rngs = nnx.Rngs(1)
    unit = getattr(nnx, names[cell])(size.inputs, size.hidden, rngs=rngs)
    network = nnx.RNN(unit, time_major=True, rngs=rngs)
    graph, params, rest = nnx.split(network, nnx.Param, ...)

    def apply(params: Any, xs: jax.Array) -> Any:
        # A copy, because the network counts how often its random stream was used.
        return nnx.merge(graph, params, rest, copy=True)(xs)

    return JaxModel(apply, nnx.to_pure_dict(params), xs, size.hidden)


PLAIN = Contender("flax-nnx", "flax", partial(_build, _CELLS))
OPTIMIZED = Contender(
    "flax-nnx-optimized", "flax", partial(_build, {"lstm": "OptimizedLSTMCell"}), ("lstm",)
)
