"""What no implementation of a layer goes below: the time of its matrix products alone.

    forward:          once xs [T B, D] @ w_x [D, G]; T times, in turn, h [B, H] @ w_h [H, G]
    value_and_grad:   and T times dr [B, G] @ w_h.T [G, H]; once each xs.T @ dz and hs.T @ dr
    of the inputs:    and once dz @ w_x.T

The products over time depend on each other, so they cannot become one; those over all steps at once
can, and are one each, with operands that lie ready the way round they are read.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrnn.bench.contender import KINDS, Kind, Wrt
from jaxrnn.bench.sizes import Size
from jaxrnn.bench.timing import interleaved

GATES = {"elman": 1, "lstm": 4, "gru": 3}


def matmul_floor(cell: str, size: Size, *, rounds: int, wrt: Wrt = "params") -> dict[Kind, float]:
    """Measures the matrix products of a layer on one device.

    Returns:
      Seconds for each kind of computation.
    """
    arguments = jax.device_put(_operands(GATES[cell], size), jax.devices()[0])

    def call(kind: Kind) -> Any:
        function = _forward if kind == "forward" else _gradient if wrt == "params" else _all
        compiled = jax.jit(function).lower(arguments).compile()
        return lambda: jax.block_until_ready(compiled(arguments))

    calls = [call(kind) for kind in KINDS]
    for run in calls:
        run()
    return dict(zip(KINDS, interleaved(calls, rounds), strict=True))


def _operands(gates: int, size: Size) -> dict[str, np.ndarray]:
    """Returns random operands of the right shapes."""
    batch, length, inputs, hidden = size
    random = np.random.default_rng(0)
    normal = lambda *shape: random.standard_normal(shape, np.float32)
    # Keeps T products in a row from under- or overflowing, which would cost time of its own.
    orthogonal = np.linalg.qr(normal(hidden, hidden))[0]
    return {
        "xs": normal(length * batch, inputs),
        "xs_t": normal(inputs, length * batch),
        "hs_t": normal(hidden, length * batch),
        "dz": normal(length * batch, gates * hidden),
        "w_x": normal(inputs, gates * hidden),
        "w_x_t": normal(gates * hidden, inputs),
        "w_h": np.tile(orthogonal, (1, gates)),
        "w_h_t": np.tile(orthogonal / gates, (gates, 1)),
        "h": normal(batch, hidden),
        "steps": np.zeros(length, np.float32),
    }


def _forward(a: dict[str, jax.Array]) -> Any:
    hidden = a["h"].shape[-1]

    def step(h: jax.Array, _: Any) -> tuple[jax.Array, None]:
        # Behind the barrier all G columns are computed, though the next step reads only H.
        r = jax.lax.optimization_barrier(h @ a["w_h"])
        return r[:, :hidden], None

    return jax.lax.scan(step, a["h"], a["steps"])[0], a["xs"] @ a["w_x"]


def _gradient(a: dict[str, jax.Array]) -> Any:
    gates = a["w_h"].shape[1] // a["h"].shape[-1]

    def step(dr: jax.Array, _: Any) -> tuple[jax.Array, None]:
        dh = jax.lax.optimization_barrier(dr @ a["w_h_t"])
        return jnp.tile(dh, (1, gates)), None

    through_time = jax.lax.scan(step, jnp.tile(a["h"], (1, gates)), a["steps"])[0]
    return _forward(a), through_time, a["xs_t"] @ a["dz"], a["hs_t"] @ a["dz"]


def _all(a: dict[str, jax.Array]) -> Any:
    return _gradient(a), a["dz"] @ a["w_x_t"]
