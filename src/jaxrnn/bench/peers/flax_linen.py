"""Flax Linen: `linen.RNN`, time-major."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
from flax import linen

from jaxrnn.bench.contender import Contender
from jaxrnn.bench.jax_model import JaxModel
from jaxrnn.bench.sizes import Size

_CELLS = {"elman": "SimpleCell", "lstm": "LSTMCell", "gru": "GRUCell"}


def _build(names: dict[str, str], cell: str, size: Size, xs: jax.Array) -> JaxModel:
    network = linen.RNN(getattr(linen, names[cell])(size.hidden), time_major=True)

    def apply(params: Any, xs: jax.Array) -> Any:
        return network.apply(params, xs)

    return JaxModel(apply, network.init(jax.random.key(1), xs), xs, size.hidden)


PLAIN = Contender("flax-linen", "flax", partial(_build, _CELLS))
OPTIMIZED = Contender(
    "flax-linen-optimized", "flax", partial(_build, {"lstm": "OptimizedLSTMCell"}), ("lstm",)
)
