"""PyTorch: `nn.LSTM` and its siblings, time-major, eager, on every core or on the GPU.

Forward runs in `inference_mode`, its fastest; the gradient is `backward()` on a network in training
mode. Nothing is compiled, and nobody tells how much memory is needed in between.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxrnn.bench.contender import Contender, Kind, Program, Wrt
from jaxrnn.bench.jax_model import check_gradient, check_outputs
from jaxrnn.bench.machine import cores
from jaxrnn.bench.sizes import Size

_CELLS = {"elman": "RNN", "lstm": "LSTM", "gru": "GRU"}


class TorchModel(NamedTuple):
    """A network and its inputs `[T, B, D]`."""

    network: Any
    xs: Any
    hidden: int

    def program(self, kind: Kind, *, wrt: Wrt = "params", devices: int = 1) -> Program:
        """Returns the outputs or the gradient to be run; all cores work for it in any case."""
        del devices
        if kind == "forward":
            shape = (*self.xs.shape[:2], self.hidden)
            return Program(self._forward, lambda ys: check_outputs(ys, shape), None, None)
        xs = self.xs.clone().requires_grad_(wrt == "all")

        def run() -> dict[str, Any]:
            self.network.zero_grad(set_to_none=True)
            xs.grad = None
            self.network(xs)[0].square().mean().backward()
            gradients = {name: leaf.grad for name, leaf in self.network.named_parameters()}
            _wait(xs)
            return gradients if wrt == "params" else gradients | {"inputs": xs.grad}

        return Program(run, lambda gradients: check_gradient(gradients.items()), None, None)

    def _forward(self) -> Any:
        import torch

        with torch.inference_mode():
            ys = self.network(self.xs)[0]
            _wait(ys)
        return ys


def _wait(array: Any) -> None:
    """Waits for a GPU; on a CPU the eager call has returned with its result."""
    if array.is_cuda:
        import torch

        torch.cuda.synchronize()


def _obstacle() -> str | None:
    import torch

    lacks_gpu = jax.default_backend() != "cpu" and not torch.cuda.is_available()
    return f"no {jax.default_backend()} in this build" if lacks_gpu else None


def _build(cell: str, size: Size, xs: jax.Array) -> TorchModel:
    import torch

    torch.set_num_threads(cores())
    device = "cpu" if jax.default_backend() == "cpu" else "cuda"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = getattr(torch.nn, _CELLS[cell])(size.inputs, size.hidden)
    # A copy of its own: NumPy's view of a JAX array may not be written to.
    return TorchModel(network.to(device), torch.tensor(np.array(xs), device=device), size.hidden)


CONTENDER = Contender("torch", "torch", _build, obstacle=_obstacle, on_jax=False)
