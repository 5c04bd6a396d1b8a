"""The ways to run a recurrent layer that `backends.py` sets side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import rnn as cudnn

from few_kernels import few_kernels
from jaxrnn import Cell, Chunked, LSTMParams, bench, slstm, unroll
from jaxrnn.bench.contender import Model, inputs
from jaxrnn.bench.jax_model import JaxModel
from jaxrnn.bench.peers.torch import TorchModel
from jaxrnn.bench.sizes import CELLS as COMMON
from jaxrnn.bench.sizes import Size
from jaxrnn.cells.rules import cast, recurrent_product

# Loops of several kernels a step become one graph that the GPU launches by itself.
GRAPH = {
    "xla_gpu_enable_command_buffer": "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,"
    "DYNAMIC_SLICE_FUSION,CONDITIONAL,WHILE",
    "xla_gpu_graph_min_graph_size": 1,
}
GRAPH_UNROLLED = {**GRAPH, "xla_gpu_command_buffer_unroll_loops": True}

# Beside the cells that other libraries have, one with a kernel for each head of 64 units.
CELLS = {**COMMON, "slstm": lambda d, h: slstm(d, h, heads=max(1, h // 64))}

Layer = Callable[[Cell, Any, jax.Array], jax.Array]  # cell, params, xs [T, B, D] -> ys [T, B, H]


class Way(NamedTuple):
    """A way to run any dense cell, from a carry of zeros."""

    layer: Layer
    compiler_options: Mapping[str, Any] = MappingProxyType({})
    gpu_only: bool = False


def by_unroll(backend: Any) -> Layer:
    """`unroll` on one of its backends."""

    def layer(cell: Cell, params: Any, xs: jax.Array) -> jax.Array:
        carry = cell.initial_carry(xs.shape[1:-1], xs.dtype)
        return unroll(cell, params, carry, xs, backend=backend)[1]

    return layer


def by_scan(steps: int, *, hoisted: bool) -> Layer:
    """`lax.scan` over `steps` steps a turn; if `hoisted` all inputs are projected before it."""

    def layer(cell: Cell, params: Any, xs: jax.Array) -> jax.Array:
        parts = cell.dense
        assert parts is not None
        kernel = parts.recurrent_kernel(params)

        def step(carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
            z = x if hoisted else parts.project(params, x)
            r = recurrent_product(parts.hidden(carry), kernel, z.dtype)
            return parts.pointwise(params, carry, z, r)

        given = parts.project(params, xs) if hoisted else xs
        carry = cell.initial_carry(xs.shape[1:-1], xs.dtype)
        return jax.lax.scan(step, carry, given, unroll=steps)[1]

    return layer


def by_cudnn(cell: Cell, params: LSTMParams, xs: jax.Array) -> jax.Array:
    """The LSTM of cuDNN that comes with JAX: float32, batch-major, weights in one vector."""
    del cell
    length, batch, width = xs.shape
    hidden = params.w_h.shape[0]
    zeros = jnp.zeros((1, batch, hidden), xs.dtype)
    lengths = jnp.full((batch,), length, jnp.int32)
    weights = cudnn_weights(params)
    batch_major = xs.swapaxes(0, 1)
    given = (batch_major, zeros, zeros, weights, lengths)
    outputs: Any = cudnn.lstm(*given, width, hidden, 1, 0.0, False)
    return outputs[0].swapaxes(0, 1)


def by_fused(cell: Cell, params: Any, xs: jax.Array) -> jax.Array:
    """The candidate in `fused/`: the whole loop in one kernel, made from `pointwise`."""
    from fused.layer import fused  # here, because Pallas takes a while to import

    heads = params.w_h.shape[0] if params.w_h.ndim == 3 else 1
    return fused(cell, params, cell.initial_carry(xs.shape[1:-1], xs.dtype), xs, heads=heads)[1]


def by_few_kernels(steps: int) -> Layer:
    """The candidate in `few_kernels.py`, with `steps` steps a turn."""

    def layer(cell: Cell, params: Any, xs: jax.Array) -> jax.Array:
        carry = cell.initial_carry(xs.shape[1:-1], xs.dtype)
        return few_kernels(cell, params, carry, xs, steps=steps)[1]

    return layer


def cudnn_weights(params: LSTMParams) -> jax.Array:
    """Our parameters as cuDNN's: the same gates, weights transposed, a second bias of zeros."""
    leaves = params.w_x.T, params.w_h.T, params.b, jnp.zeros_like(params.b)
    return jnp.concatenate([leaf.ravel() for leaf in leaves])


WAYS: dict[str, Way] = {
    "scan": Way(by_unroll("scan")),
    "scan-4": Way(by_scan(4, hoisted=False)),
    "hoisted": Way(by_scan(1, hoisted=True)),
    "hoisted-4": Way(by_scan(4, hoisted=True)),
    "hoisted-16": Way(by_scan(16, hoisted=True)),
    "gates": Way(by_unroll(Chunked())),
    "gates-1-share": Way(by_unroll(Chunked(shares=1))),
    "gates-2-shares": Way(by_unroll(Chunked(shares=2))),
    "carries": Way(by_unroll(Chunked(keep="carries"))),
    "borders": Way(by_unroll(Chunked(keep="borders"))),
    "few": Way(by_few_kernels(1)),
    "few-8": Way(by_few_kernels(8)),
    "scan-graph": Way(by_unroll("scan"), GRAPH, gpu_only=True),
    "hoisted-graph": Way(by_scan(1, hoisted=True), GRAPH, gpu_only=True),
    "hoisted-graph-unrolled": Way(by_scan(1, hoisted=True), GRAPH_UNROLLED, gpu_only=True),
    "few-8-graph": Way(by_few_kernels(8), GRAPH, gpu_only=True),
    "gates-graph": Way(by_unroll(Chunked()), GRAPH, gpu_only=True),
    "gates-graph-unrolled": Way(by_unroll(Chunked()), GRAPH_UNROLLED, gpu_only=True),
    "cudnn": Way(by_cudnn, gpu_only=True),
    "fused": Way(by_fused, gpu_only=True),
}
NAMES = (*WAYS, "flax-nnx", "torch")


def parameters(cell: str, size: Size, dtype: Any) -> Any:
    """What all ways but those of other libraries compute with."""
    return cast(CELLS[cell](size.inputs, size.hidden).init(jax.random.key(1)), dtype)


def why_not(name: str, cell: str, dtype: str) -> str | None:
    """Says why a way cannot run a cell in a dtype here; None if it can."""
    if name not in WAYS:
        return bench.PEERS[name].why_not(cell)
    if WAYS[name].gpu_only and jax.default_backend() != "gpu":
        return "only on a GPU"
    if name == "cudnn" and (cell, dtype) != ("lstm", "float32"):
        return "only lstm in float32"
    if name == "fused" and dtype == "float32":
        return "only in 16 bits"
    return None


def model(name: str, cell: str, size: Size, dtype: str) -> Model:
    """The layer, run in one of the ways `NAMES`."""
    xs = inputs(size)
    if name in WAYS:
        way, unit = WAYS[name], CELLS[cell](size.inputs, size.hidden)
        layer, options = partial(way.layer, unit), dict(way.compiler_options)
        given = parameters(cell, size, dtype), xs.astype(dtype)
        return JaxModel(layer, *given, size.hidden, compiler_options=options)
    network = bench.PEERS[name].build(cell, size, xs)
    if isinstance(network, JaxModel):
        return network._replace(params=cast(network.params, dtype), xs=xs.astype(dtype))
    assert isinstance(network, TorchModel)
    import torch

    kind = getattr(torch, dtype)
    return network._replace(network=network.network.to(kind), xs=network.xs.to(kind))
