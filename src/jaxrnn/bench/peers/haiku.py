"""dm-haiku: `hk.dynamic_unroll`, time-major. Its plain unit has relu where others have tanh."""

from __future__ import annotations

from typing import Any

import jax

from jaxrnn.bench.contender import Contender
from jaxrnn.bench.jax_model import JaxModel
from jaxrnn.bench.sizes import Size

_CELLS = {"elman": "VanillaRNN", "lstm": "LSTM", "gru": "GRU"}


def _build(cell: str, size: Size, xs: jax.Array) -> JaxModel:
    import haiku as hk

    def forward(xs: jax.Array) -> Any:
        core = getattr(hk, _CELLS[cell])(size.hidden)
        return hk.dynamic_unroll(core, xs, core.initial_state(xs.shape[1]))[0]

    network = hk.without_apply_rng(hk.transform(forward))
    return JaxModel(network.apply, network.init(jax.random.key(1), xs), xs, size.hidden)


CONTENDER = Contender("haiku", "dm-haiku", _build, ours={"elman": "elman-relu"})
