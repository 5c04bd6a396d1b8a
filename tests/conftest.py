import importlib
import importlib.util
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# The tests spend their time compiling small programs, so these are not optimised, which is several
# times faster. `XLA_FLAGS= make test` compiles as users do. jaxlib 0.11 has lost the second flag.
if "XLA_FLAGS" not in os.environ:
    from jaxlib.version import __version_info__ as jaxlib_version

    quick = ["--xla_backend_optimization_level=0"]
    quick += ["--xla_cpu_use_fusion_emitters=false"] if jaxlib_version < (0, 11) else []
    os.environ["XLA_FLAGS"] = " ".join(quick)

import jax
import pytest
from hypothesis import settings

# Compiling takes longer than hypothesis' deadline; the same examples everywhere, every time.
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=20)
settings.load_profile("repeatable")

BASIC = {"elman", "elman-relu", "lstm", "gru", "stack", "own", "stack-with-own"}
OF_FURTHER_UNITS = {"test_dense_units.py", "test_scanned.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of all units but the basic ones, so that a run can leave them out."""
    from cases import CASES

    further = CASES.keys() - BASIC
    for item in items:
        case = getattr(item, "callspec", None)
        named = case is not None and any(f"-{name}-" in f"-{case.id}-" for name in further)
        if named or item.path.name in OF_FURTHER_UNITS:
            item.add_marker("further")


@pytest.fixture(autouse=True, scope="module")
def no_programs_of_other_modules() -> Iterator[None]:
    """Thousands of compiled programs would fill the memory."""
    yield
    jax.clear_caches()


@pytest.fixture
def key() -> Callable[[], jax.Array]:
    """A fresh key at every call, the same ones in every run."""
    calls = itertools.count()
    return lambda: jax.random.fold_in(jax.random.key(20), next(calls))


@pytest.fixture
def x64() -> Iterator[None]:
    """Float64, so that a comparison holds to rounding and not to a tolerance."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def example(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The file `examples/NAME.py` as a module, for the tests in `test_example_NAME.py`."""
    name = request.path.stem.removeprefix("test_example_")
    path = Path(__file__).parents[1] / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"example_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def benchmarks() -> Iterator[Callable[[str], Any]]:
    """Imports a file of `benchmarks` by its name."""
    yield from _importer("benchmarks")


@pytest.fixture(scope="module")
def paper() -> Iterator[Callable[[str], Any]]:
    """Imports a file of `benchmarks/papers` by its name."""
    yield from _importer("benchmarks/papers")


def _importer(name: str) -> Iterator[Callable[[str], Any]]:
    """What imports from a folder, for as long as a module of tests runs."""
    folder = str(Path(__file__).parents[1] / name)
    sys.path.insert(0, folder)
    before = set(sys.modules)
    yield importlib.import_module
    sys.path.remove(folder)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(folder):
            del sys.modules[name]
