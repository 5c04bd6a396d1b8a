"""Equinox: a cell in `lax.scan` for one sequence, `vmap` over the batch; it has no Elman cell.

The batch stands behind time, where `vmap` of a scan puts it anyway: batch first would only add two
transpositions.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxrnn.bench.contender import Contender
from jaxrnn.bench.jax_model import JaxModel
from jaxrnn.bench.sizes import Size

_CELLS = {"lstm": "LSTMCell", "gru": "GRUCell"}


def _build(cell: str, size: Size, xs: jax.Array) -> JaxModel:
    import equinox as eqx

    unit = getattr(eqx.nn, _CELLS[cell])(size.inputs, size.hidden, key=jax.random.key(1))
    params, static = eqx.partition(unit, eqx.is_array)

    def one_sequence(unit: Any, xs: jax.Array) -> jax.Array:
        def step(state: Any, x: jax.Array) -> tuple[Any, jax.Array]:
            state = unit(x, state)
            return state, state[0] if cell == "lstm" else state

        zeros = jnp.zeros(size.hidden)
        return jax.lax.scan(step, (zeros, zeros) if cell == "lstm" else zeros, xs)[1]

    def apply(params: Any, xs: jax.Array) -> jax.Array:
        over_batch = jax.vmap(one_sequence, in_axes=(None, 1), out_axes=1)
        return over_batch(eqx.combine(params, static), xs)

    return JaxModel(apply, params, xs, size.hidden)


CONTENDER = Contender("equinox", "equinox", _build, ("lstm", "gru"))
