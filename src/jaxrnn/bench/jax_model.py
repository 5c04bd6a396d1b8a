"""A network of any library on JAX: the same loss, gradient, compilation and check for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jax.tree_util import keystr

from jaxrnn.bench.contender import Kind, Program, Wrt
from jaxrnn.cells.checks import require

Function = Callable[[Any, jax.Array], Any]


class JaxModel(NamedTuple):
    """A network as a pure function, with its parameters and inputs.

    Attributes:
      apply: `apply(params, xs) -> ys` from a carry of zeros, where `ys` has the layout of `xs`.
      params: the parameters, a pytree of arrays.
      xs: inputs in the library's best layout, `[T, B, D]` or `[B, T, D]`.
      hidden: H, the last axis of the outputs.
      batch_axis: where `xs` has its B.
      compiler_options: what XLA is told beside its defaults, by name.
    """

    apply: Function
    params: Any
    xs: jax.Array
    hidden: int
    batch_axis: int = 1
    compiler_options: dict[str, Any] | None = None

    def program(self, kind: Kind, *, wrt: Wrt = "params", devices: int = 1) -> Program:
        """Compiles the outputs, or the mean of their squares and its gradient.

        Args:
          kind: which of the two.
          wrt: "params", or "all" for the gradient of the inputs as well.
          devices: over how many devices the batch is split; it must be a multiple of that.

        Returns:
          The program; its arguments lie where it wants them, on device 0 for one device.
        """
        function = computation(self.apply, kind, wrt)
        if devices == 1:
            arguments = jax.device_put((self.params, self.xs), jax.devices()[0])
        else:
            function, arguments = self._split(function, kind, wrt, devices)
        started = time.perf_counter()
        compiled = jax.jit(function).lower(*arguments).compile(self.compiler_options or None)
        seconds = time.perf_counter() - started
        memory = compiled.memory_analysis()
        return Program(
            run=lambda: jax.block_until_ready(compiled(*arguments)),
            check=self._check_outputs if kind == "forward" else self._check_gradient,
            compile_seconds=seconds,
            temporary_bytes=None if memory is None else int(memory.temp_size_in_bytes),
        )

    def _split(self, function: Function, kind: Kind, wrt: Wrt, devices: int) -> tuple[Any, Any]:
        """Returns the function over a batch that is split, and its arguments where they belong."""
        mesh = Mesh(np.array(jax.devices()[:devices]), ("batch",))
        over_batch = P(*[None] * self.batch_axis, "batch")
        out_specs: Any = over_batch
        if kind == "value_and_grad":
            function = partial(_mean_over_devices, function, devices)
            out_specs = (P(), (P(),) if wrt == "params" else (P(), over_batch))
        split = jax.shard_map(
            function, mesh=mesh, in_specs=(P(), over_batch), out_specs=out_specs, check_vma=False
        )
        params = jax.device_put(self.params, NamedSharding(mesh, P()))
        return split, (params, jax.device_put(self.xs, NamedSharding(mesh, over_batch)))

    def _check_outputs(self, ys: jax.Array) -> None:
        check_outputs(ys, (*self.xs.shape[:2], self.hidden))

    def _check_gradient(self, result: tuple[jax.Array, tuple[Any, ...]]) -> None:
        _, gradients = result
        given = (self.params, self.xs)[: len(gradients)]
        same = jax.tree.map(jnp.shape, gradients) == jax.tree.map(jnp.shape, given)
        require(same, "gradient", "have a leaf of its shape for every parameter", gradients)
        check_gradient(jax.tree.leaves_with_path(gradients))


def check_outputs(ys: Any, shape: tuple[int, ...]) -> None:
    """Raises ValueError unless outputs have a shape and are finite and not all zero."""
    require(tuple(ys.shape) == shape, "outputs", f"have the shape {shape}", tuple(ys.shape))
    _check_leaf("outputs", ys)


def check_gradient(leaves: Iterable[tuple[Any, Any]]) -> None:
    """Raises ValueError unless every leaf, given with its name, is finite and not all zero."""
    for name, leaf in leaves:
        _check_leaf(f"gradient {name if isinstance(name, str) else keystr(name)}", leaf)


def _check_leaf(name: str, leaf: Any) -> None:
    leaf = np.asarray(leaf)
    require(bool(np.isfinite(leaf).all()), name, "be finite", "nan or inf")
    require(bool(leaf.any()), name, "not be all zero", "zeros")


def computation(apply: Function, kind: Kind, wrt: Wrt = "params") -> Function:
    """Returns what is compiled: the outputs, or the mean of their squares and its gradient."""

    def loss(params: Any, xs: jax.Array) -> jax.Array:
        return jnp.mean(apply(params, xs) ** 2)

    argnums = (0,) if wrt == "params" else (0, 1)
    return apply if kind == "forward" else jax.value_and_grad(loss, argnums)


def _mean_over_devices(function: Function, devices: int, params: Any, xs: jax.Array) -> Any:
    """A gradient over the whole batch, reduced once: within the loop it would cost every step."""
    value, (d_params, *d_xs) = function(params, xs)
    value, d_params = jax.lax.pmean((value, d_params), "batch")
    return value, (d_params, *(part / devices for part in d_xs))
