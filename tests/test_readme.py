"""What the README says to type works."""

import inspect
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import jaxrnn

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=["functional", "flax", "diagnostics", "shapes"])
def test_code_runs(block):
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)
    result = names["loss"] if "loss" in names else names["norms"]
    assert jnp.isfinite(result).all() and jnp.all(result > 0)


def test_code_is_about_twenty_lines():
    for block in BLOCKS:
        assert len([line for line in block.splitlines() if line.strip()]) <= 24


def rows(heading):
    """The cells of the table under a heading."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


SIZES = {"D": 3, "H": 4, "O": 2, "P": 2, "N": 2, "K": 3, "S": 5}


def number(size):
    """A size such as `4H/N`."""
    return eval(re.sub(r"(\d)([A-Z])", r"\1*\2", size).replace("/", "//"), {}, dict(SIZES))


@pytest.mark.parametrize("row", rows("Units"), ids=lambda row: row[1])
def test_each_unit_is_what_its_row_says(row):
    _, factory, source, engine, parameters, equation = row
    assert re.search(r"\d{4}", source) and equation
    name = factory.strip("`").split("(")[0]
    cell = eval(factory.strip("`"), {name: getattr(jaxrnn, name), **SIZES})
    assert engine == ("scan" if cell.dense is None else "dense")
    params = cell.init(jax.random.key(0))
    listed = dict(re.findall(r"`(\w+) \[([^]]+)\]`", parameters))
    shapes = {name: tuple(map(number, shape.split(", "))) for name, shape in listed.items()}
    fields = {name: leaf for name, leaf in params._asdict().items() if hasattr(leaf, "shape")}
    assert {name: leaf.shape for name, leaf in fields.items()} == shapes
    xs = jnp.ones((6, 2, *cell.in_shape))
    _, ys = jaxrnn.unroll(cell, params, cell.initial_carry((2,)), xs)
    assert ys.shape == (6, 2, *cell.out_shape) and jnp.isfinite(ys).all()


def test_every_unit_has_a_row():
    named = {row[1].strip("`").split("(")[0] for row in rows("Units")}
    combinators = "dense input_dropout output_dropout recurrent_dropout scanned stack weight_drop"
    functions = {name: getattr(jaxrnn, name) for name in jaxrnn.__all__}
    functions = {n: f for n, f in functions.items() if inspect.isfunction(f)}
    makers = {n for n, f in functions.items() if f.__annotations__.get("return") == "Cell"}
    assert named == makers - {*combinators.split(), "zoneout"}


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
    order = [
        "Two commands",
        "A functional cell",
        "Flax modules",
        "Units",
        "Conventions",
        "How it differs",
    ]
    found = [next(i for i, h in enumerate(headings) if h.startswith(name)) for name in order]
    assert found == sorted(found)
