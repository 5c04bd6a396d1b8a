"""What the README says to type works."""

import re
from pathlib import Path

import jax.numpy as jnp
import pytest

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=["functional", "flax"])
def test_code_runs(block):
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    assert jnp.isfinite(names["loss"]) and names["loss"] > 0


def test_code_is_about_twenty_lines():
    for block in BLOCKS:
        assert len([line for line in block.splitlines() if line.strip()]) <= 24


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    for link in links:
        assert (README.parent / link).exists(), link


def test_make_targets_exist():
    makefile = (README.parent / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", TEXT, re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_sections_come_in_order():
    headings = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    order = ["Two commands", "A functional cell", "Flax modules", "Conventions", "How it differs"]
    found = [next(i for i, h in enumerate(headings) if h.startswith(name)) for name in order]
    assert found == sorted(found)
