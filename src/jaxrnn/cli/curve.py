"""The picture of a run: loss against updates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

from jaxrnn.losses import bits


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Reads the JSON lines of a run."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def plot_curve(metrics: list[dict[str, Any]], path: Path, symbol: str) -> None:
    """Writes the learning curve as a PNG."""
    training = [(m["step"], float(bits(m["loss"]))) for m in metrics if "loss" in m]
    validation = [(m["step"], m["validation_bits"]) for m in metrics if "validation_bits" in m]
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(*zip(*training, strict=True), color="#0072b2", alpha=0.6, label="training")
    axes.plot(*zip(*validation, strict=True), color="#d55e00", marker="o", label="validation")
    step, last = validation[-1]
    axes.annotate(
        f"{last:.3f}", (step, last), xytext=(0, 8), textcoords="offset points", ha="right"
    )
    axes.set(xlabel="updates", ylabel=f"bits per {symbol}", title="Learning curve")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
    plt.close(figure)
