"""jaxrnn itself: `unroll` as a user would call it, with its default backend."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax

from jaxrnn.bench.contender import Contender
from jaxrnn.bench.jax_model import JaxModel
from jaxrnn.bench.sizes import CELLS, Size
from jaxrnn.cells import elman
from jaxrnn.recurrence import unroll

_CELLS = {**CELLS, "elman-relu": partial(elman, activation=jax.nn.relu)}


def _build(cell: str, size: Size, xs: jax.Array) -> JaxModel:
    unit = _CELLS[cell](size.inputs, size.hidden)

    def apply(params: Any, xs: jax.Array) -> jax.Array:
        return unroll(unit, params, unit.initial_carry(xs.shape[1:-1]), xs)[1]

    return JaxModel(apply, unit.init(jax.random.key(1)), xs, size.hidden)


CONTENDER = Contender("jaxrnn", "jaxrnn", _build, tuple(_CELLS))
