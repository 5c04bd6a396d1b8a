"""On how many devices `jaxrnn train` runs."""

from __future__ import annotations

import contextlib

import jax
import numpy as np
from jax.sharding import Mesh

from jaxrnn.cells.checks import require, require_size
from jaxrnn.cli.config import TrainConfig
from jaxrnn.recurrence.choose import cores


def choose_devices(config: TrainConfig) -> int:
    """The number of devices that share the streams of a batch: what is asked for, or the faster.

    On a CPU of several cores two host devices train faster than one, because they share all the
    work and not only that of the recurrent layers. Measured on two cores, from 16 streams on, see
    `benchmarks/NOTES.md`. The choice is kept in the run folder, because another number of devices
    rounds otherwise.

    Raises:
      ValueError: if the number asked for is not positive, does not divide the batch, or cannot be
        had.
    """
    wanted = config.devices
    if wanted is None:
        suits = config.batch_size % 2 == 0 and config.batch_size >= 16
        wanted = 2 if cores() > 1 and suits else 1
    require_size("devices", wanted)
    divides = config.batch_size % wanted == 0
    require(divides, "devices", f"divide batch_size = {config.batch_size}", wanted)
    if wanted > 1:
        _ask_for_host_devices(wanted)
    if config.devices is None and (jax.default_backend() != "cpu" or jax.device_count() < wanted):
        return 1
    rule = f"be at most the {jax.device_count()} that JAX has in this process"
    require(wanted <= jax.device_count(), "devices", rule, wanted)
    return wanted


def mesh_of(devices: int) -> Mesh | None:
    """A mesh over the first devices; None for one."""
    return None if devices == 1 else Mesh(np.array(jax.devices()[:devices]), ("batch",))


def _ask_for_host_devices(count: int) -> None:
    """Makes the CPU so many devices, if JAX has not been started yet."""
    with contextlib.suppress(RuntimeError):  # it runs already, with as many as it has
        jax.config.update("jax_num_cpu_devices", count)
