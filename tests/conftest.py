import itertools
from collections.abc import Callable, Iterator

import jax
import pytest
from hypothesis import settings

# Compiling takes longer than hypothesis' deadline; the same examples everywhere, every time.
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=20)
settings.load_profile("repeatable")


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
