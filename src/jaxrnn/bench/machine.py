"""What a figure was measured on; a figure without it says nothing."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from typing import Any

import jax

PACKAGES = ("jaxrnn", "jax", "jaxlib", "flax", "dm-haiku", "equinox", "keras", "torch")


def machine() -> dict[str, Any]:
    """Describes where a measurement begins: call it before the first.

    Returns:
      `versions`, None for what is not installed; `device` and the number of `devices`; `cpu`, the
      `cores` of it that this process may use, and its `load`, how many processes wanted one in the
      minute before (with others at work no figure is worth much); `date`, a day in UTC.
    """
    return {
        "versions": {"python": platform.python_version(), **{p: _version(p) for p in PACKAGES}},
        "device": jax.devices()[0].device_kind,
        "devices": len(jax.devices()),
        "cpu": _cpu(),
        "cores": cores(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def describe(machine: dict[str, Any]) -> str:
    """Puts what `machine()` returns into one line."""
    versions = [f"{name} {version}" for name, version in machine["versions"].items() if version]
    where = f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']}"
    return f"device {machine['device']}; {where}; {', '.join(versions)}; {machine['date']}"


def busy(machine: dict[str, Any]) -> str | None:
    """Returns a warning if others were at work when `machine()` was called, else None."""
    if machine["load"] is None or machine["load"] < 0.5:
        return None
    return (
        f"note: in the last minute {machine['load']} processes wanted a core; figures are worth "
        "little unless this one has the machine to itself"
    )


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    """The processor's name, where the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
