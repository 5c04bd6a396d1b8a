"""The shape of the package: imports run downwards, and what is public is documented and runs."""

import ast
import doctest
import importlib
import inspect
import sys
from pathlib import Path

import pytest

import jaxrnn

# A room may import itself and the rooms before it. `__init__` is the face of the core;
# `__main__` is the command line.
ROOMS = ["cells", "recurrence", "losses", "__init__", "nn", "train", "data", "generate", "models"]
ROOMS += ["baselines", "diagnostics", "bench", "cli", "__main__"]
# Third parties, and the first room that may import them; what is not here is free.
FIRST = {"flax": "nn", "optax": "train"}
CORE = {"cells", "recurrence"}
ROOT = Path(jaxrnn.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


def room_of(module: tuple[str, ...]) -> str:
    """The room of `jaxrnn.<module>`; the package itself is its face."""
    return module[0] if module and module[0] in ROOMS else "__init__"


def imports(source: str, package: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Every name that is imported anywhere in a file, as a path; relative ones resolved."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            found += [(*base, alias.name) for alias in node.names]
    return found


def wrong_imports(source: str, path: tuple[str, ...]) -> list[str]:
    """The imports of the file `jaxrnn/<path>` that the house does not allow."""
    room = path[0].removesuffix(".py")
    wrong = []
    for name in imports(source, ("jaxrnn", *path[:-1])):
        target = room_of(name[1:])
        if name[0] == "jaxrnn":
            allowed = target == room or ROOMS.index(target) < ROOMS.index(room)
        elif room in CORE:
            allowed = name[0] in {"jax", "chex"} or name[0] in sys.stdlib_module_names
        else:
            allowed = ROOMS.index(FIRST.get(name[0], room)) <= ROOMS.index(room)
        if not allowed:
            wrong.append(".".join(name))
    return wrong


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_run_downwards(file):
    path = file.relative_to(ROOT).parts
    assert path[0].removesuffix(".py") in ROOMS, "a room that the house does not know"
    assert wrong_imports(file.read_text(), path) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("cells/new.py", "import jaxrnn.recurrence"),
        ("cells/new.py", "from jaxrnn import recurrence"),
        ("cells/new.py", "from jaxrnn import lstm"),
        ("cells/new.py", "import jaxrnn"),
        ("cells/new.py", "from ..recurrence import unroll"),
        ("cells/new.py", "from .. import recurrence"),
        ("cells/new.py", "def f():\n    from jaxrnn.nn.rnn import RNN"),
        ("cells/new.py", "import numpy as np"),
        ("cells/new.py", "import optax"),
        ("recurrence/new.py", "from flax import nnx"),
        ("recurrence/new.py", "import jaxrnn.losses"),
        ("losses.py", "import flax.nnx"),
        ("losses.py", "from jaxrnn.nn import RNN"),
        ("nn/new.py", "import optax"),
        ("nn/new.py", "from jaxrnn.train import fit"),
        ("models/new.py", "from jaxrnn.baselines.ngram import NGram"),
        ("__init__.py", "from jaxrnn import nn"),
        ("__init__.py", "import flax"),
    ],
)
def test_an_import_that_runs_up_is_seen(path, source):
    assert len(wrong_imports(source, tuple(path.split("/")))) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("cells/new.py", "import jax.numpy as jnp, chex\nfrom functools import partial"),
        ("cells/new.py", "from jaxrnn.cells.cell import Cell\nfrom . import cell"),
        ("recurrence/new.py", "from jaxrnn.cells import Cell\nfrom ..cells import lstm"),
        ("nn/new.py", "from flax import nnx\nimport numpy\nfrom jaxrnn import unroll"),
        ("train/new.py", "import optax\nimport flax"),
        ("__init__.py", "from jaxrnn import losses\nfrom jaxrnn.cells import Cell"),
    ],
)
def test_an_import_that_runs_down_is_allowed(path, source):
    assert wrong_imports(source, tuple(path.split("/"))) == []


@pytest.mark.parametrize("name", jaxrnn.__all__)
def test_public_names_exist_and_are_documented(name):
    doc = inspect.getdoc(getattr(jaxrnn, name))
    # A NamedTuple without a docstring gets one that only repeats its fields.
    assert doc and not doc.startswith(f"{name}(")


def test_public_names_are_sorted_and_complete():
    assert jaxrnn.__all__ == sorted(set(jaxrnn.__all__))
    rooms = {name for name in ROOMS if (ROOT / name).is_dir()}
    assert {name for name in vars(jaxrnn) if name[0] != "_"} - rooms == set(jaxrnn.__all__) - rooms


def module_of(file: Path) -> str:
    parts = ("jaxrnn", *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


MODULES = [module_of(file) for file in FILES if file.name != "__main__.py"]


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.startswith("jaxrnn"):
            raise
        # An extra that is not installed; says which.
        pytest.importorskip(missing.name)
        raise
    assert doctest.testmod(module).failed == 0


def test_there_are_doctests():
    finder = doctest.DocTestFinder()
    for name in ["elman", "lstm", "gru", "stack", "unroll", "length_mask"]:
        assert any(test.examples for test in finder.find(getattr(jaxrnn, name), name))
