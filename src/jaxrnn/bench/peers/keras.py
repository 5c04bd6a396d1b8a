"""Keras 3 on JAX: a recurrent layer by `stateless_call`; batch-major, which is all that it has."""

from __future__ import annotations

import os
from typing import Any

import jax

from jaxrnn.bench.contender import Contender
from jaxrnn.bench.jax_model import JaxModel
from jaxrnn.bench.sizes import Size

_CELLS = {"elman": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}


def _import() -> Any:
    # Keras reads its backend once, when it is imported.
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    return keras


def _obstacle() -> str | None:
    backend = _import().backend.backend()
    return None if backend == "jax" else f"runs on {backend}: set KERAS_BACKEND=jax"


def _build(cell: str, size: Size, xs: jax.Array) -> JaxModel:
    keras = _import()
    layer = getattr(keras.layers, _CELLS[cell])(size.hidden, return_sequences=True)
    layer.build((size.batch, size.length, size.inputs))
    fixed = [variable.value for variable in layer.non_trainable_variables]

    def apply(params: Any, xs: jax.Array) -> jax.Array:
        return layer.stateless_call(params, fixed, xs)[0]

    params = [variable.value for variable in layer.trainable_variables]
    return JaxModel(apply, params, xs.swapaxes(0, 1), size.hidden, batch_axis=0)


CONTENDER = Contender("keras", "keras", _build, obstacle=_obstacle)
