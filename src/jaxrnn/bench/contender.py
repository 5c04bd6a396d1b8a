"""What takes part in a measurement: a contender, its model at one point, a program of that."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

import jax
import numpy as np

from jaxrnn.bench.sizes import Size

# What is computed: the outputs [T, B, H]; or the mean of their squares and its gradient.
Kind = Literal["forward", "value_and_grad"]
KINDS: tuple[Kind, ...] = ("forward", "value_and_grad")
# With respect to what: every parameter, or every parameter and the inputs.
Wrt = Literal["params", "all"]


class Program(NamedTuple):
    """One computation of one contender, compiled and ready to be timed.

    Attributes:
      run: computes once, waits for the result and returns it.
      check: `check(result)` raises ValueError if the result is not that of the real work.
      compile_seconds: tracing, lowering and compiling; None where nothing is compiled.
      temporary_bytes: peak memory beside arguments and results; None where nobody tells.
    """

    run: Callable[[], Any]
    check: Callable[[Any], None]
    compile_seconds: float | None
    temporary_bytes: int | None


class Model(Protocol):
    """A contender's network at one point, with its parameters and its inputs."""

    def program(self, kind: Kind, *, wrt: Wrt = "params", devices: int = 1) -> Program:
        """Compiles one computation."""
        ...


class Contender(NamedTuple):
    """A library, or one way to use it, that runs recurrent networks.

    Attributes:
      name: what tables and options call it.
      package: what it is installed as.
      build: `build(cell, size, xs) -> Model` with parameters by the library's own initialisation,
        for inputs `xs [T, B, D]`.
      cells: the names of the cells that it has.
      ours: what jaxrnn runs against a cell of another name than its own, so that both do the same.
      obstacle: says why the installed package cannot be used here; None if it can.
      on_jax: whether it runs on JAX.
    """

    name: str
    package: str
    build: Callable[[str, Size, jax.Array], Model]
    cells: tuple[str, ...] = ("elman", "lstm", "gru")
    ours: Mapping[str, str] = MappingProxyType({})
    obstacle: Callable[[], str | None] = lambda: None
    on_jax: bool = True

    def available(self) -> str | None:
        """Returns None if the contender can be measured here, else why not."""
        try:
            importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return "not installed"
        return self.obstacle()

    def why_not(self, cell: str) -> str | None:
        """Returns None if the contender can run a cell here, else why not."""
        return self.available() or (None if cell in self.cells else "no such cell")


def inputs(size: Size) -> jax.Array:
    """The inputs that all contenders share at a point: standard normal, `[T, B, D]`, float32."""
    # Not JAX's random numbers: their program would be compiled again at every point.
    shape = (size.length, size.batch, size.inputs)
    xs = np.random.default_rng(0).standard_normal(shape, np.float32)
    return jax.device_put(xs, jax.devices()[0])
