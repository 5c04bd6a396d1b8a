"""The cells that every law is tested on. To add one is one line in `CASES`."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import reference
from jaxrnn import (
    Cell,
    antisymmetric,
    antisymmetric_gated,
    clockwork,
    conv_gru,
    conv_lstm,
    coupled_lstm,
    deep_transition,
    delayed,
    elman,
    gru,
    gru_reset_before,
    indrnn,
    jordan,
    layer_norm_gru,
    layer_norm_lstm,
    leaky,
    lstm,
    min_gru,
    min_lstm,
    minimal_gated,
    multiplicative_lstm,
    orthogonal,
    peephole_lstm,
    projected_lstm,
    slstm,
    stack,
    time_delay,
)

D, H = 3, 4


def fast_weights(in_size: int, hidden_size: int) -> Cell:
    """A user's own cell: no parts and no sizes, a matrix in the carry, a start that is not zero."""

    def init(key: jax.Array) -> dict[str, jax.Array]:
        w, u = jax.random.split(key)
        shape = (hidden_size, hidden_size)
        return {"w": jax.random.normal(w, (in_size, hidden_size)), "u": jax.random.normal(u, shape)}

    def initial_carry(batch_shape: tuple[int, ...] = (), dtype: Any = None) -> dict[str, jax.Array]:
        shape, dtype = (*batch_shape, hidden_size), dtype or float
        return {"h": jnp.full(shape, 0.3, dtype), "a": jnp.zeros((*shape, hidden_size), dtype)}

    def step(params: Any, carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        h = carry["h"]
        a = 0.9 * carry["a"] + 0.5 * h[..., :, None] * h[..., None, :]
        h = jnp.tanh(x @ params["w"] + h @ params["u"] + (a @ h[..., None])[..., 0])
        return {"h": h, "a": a}, h

    return Cell(init, initial_carry, step)


class Case(NamedTuple):
    make: Callable[..., Cell]  # (in_size, hidden_size, **options of a dense cell)
    reference: Callable  # in NumPy, see reference.py
    adjoint: Callable | None = None  # its derivative by hand; None takes the complex step


CASES = {
    "elman": Case(elman, reference.elman, reference.elman_adjoint),
    "elman-relu": Case(
        partial(elman, activation=jax.nn.relu),
        partial(reference.elman, activation=reference.relu),
        partial(reference.elman_adjoint, activation=reference.relu, slope=reference.relu_slope),
    ),
    "lstm": Case(lstm, reference.lstm, reference.lstm_adjoint),
    "gru": Case(gru, reference.gru, reference.gru_adjoint),
    "leaky": Case(
        partial(leaky, leak=(1.0, 0.5, 0.2, 0.05)),
        partial(reference.leaky, leak=(1.0, 0.5, 0.2, 0.05)),
    ),
    "leaky-learned": Case(partial(leaky, leak=0.5, learned=True), reference.leaky),
    "indrnn": Case(indrnn, reference.indrnn),
    "minimal-gated": Case(minimal_gated, reference.minimal_gated),
    "min-gru": Case(min_gru, reference.min_gru),
    "min-lstm": Case(min_lstm, reference.min_lstm),
    "jordan": Case(lambda d, h, **options: jordan(d, 5, h, **options), reference.jordan),
    "gru-reset-before": Case(gru_reset_before, reference.gru_reset_before),
    "projected-lstm": Case(
        lambda d, h, **options: projected_lstm(d, 5, h, **options), reference.projected_lstm
    ),
    "multiplicative-lstm": Case(multiplicative_lstm, reference.multiplicative_lstm),
    "time-delay": Case(
        lambda d, h, **options: time_delay(d, h, taps=3, **options), reference.time_delay
    ),
    "deep-transition": Case(
        lambda d, h, **options: deep_transition(
            d,
            5,
            input_layers=(2,),
            transition_layers=(3, 4),
            output_layers=(h,),
            shortcut=True,
            **options,
        ),
        reference.deep_transition,
    ),
    "conv-lstm": Case(
        lambda d, h, **options: conv_lstm((3,), d, h, 2, **options), reference.conv_lstm
    ),
    "conv-gru": Case(
        lambda d, h, **options: conv_gru((2, 3), d, h, (3, 2), **options), reference.conv_gru
    ),
    "peephole-lstm": Case(peephole_lstm, reference.peephole_lstm),
    "coupled-lstm": Case(coupled_lstm, reference.coupled_lstm),
    "antisymmetric": Case(
        partial(antisymmetric, step_size=0.3, damping=0.2),
        partial(reference.antisymmetric, step_size=0.3, damping=0.2),
    ),
    "antisymmetric-gated": Case(
        partial(antisymmetric_gated, step_size=0.3, damping=0.2),
        partial(reference.antisymmetric_gated, step_size=0.3, damping=0.2),
    ),
    "clockwork": Case(
        partial(clockwork, periods=(1, 3)), partial(reference.clockwork, periods=(1, 3))
    ),
    "delayed": Case(partial(delayed, delays=(1, 3)), partial(reference.delayed, delays=(1, 3))),
    "layer-norm-lstm": Case(layer_norm_lstm, reference.layer_norm_lstm),
    "layer-norm-gru": Case(layer_norm_gru, reference.layer_norm_gru),
    "orthogonal": Case(orthogonal, reference.orthogonal),
    "slstm": Case(partial(slstm, heads=2), reference.slstm),
    "slstm-exponential": Case(
        partial(slstm, forget_gate="exponential"),
        partial(reference.slstm, log_forget=lambda f: f),
    ),
    "stack": Case(
        lambda d, h, **options: stack(lstm(d, 5, **options), gru(5, h, **options)),
        reference.stacked(reference.lstm, reference.gru),
    ),
    "own": Case(fast_weights, reference.fast_weights),
    "stack-with-own": Case(
        lambda d, h: stack(fast_weights(d, 2), stack(elman(2, h))),
        reference.stacked(reference.fast_weights, reference.stacked(reference.elman)),
    ),
}


def is_dense(cell: Cell) -> bool:
    return cell.dense is not None or (bool(cell.layers) and all(map(is_dense, cell.layers)))


def has_dense(cell: Cell) -> bool:
    return cell.dense is not None or any(map(has_dense, cell.layers))


# Each cell is made once: compiled functions are found again by the identity of their cell.
CELLS = {name: case.make(D, H) for name, case in CASES.items()}
DENSE = [name for name, cell in CELLS.items() if is_dense(cell)]
# Each cell on each backend that runs it: one without dense parts runs on the scan alone.
RUNS = [
    (name, backend)
    for name, cell in CELLS.items()
    for backend in (["auto", "scan"] if has_dense(cell) else ["scan"])
]
each_cell = pytest.mark.parametrize("cell", [pytest.param(CELLS[n], id=n) for n in CELLS])
each_dense = pytest.mark.parametrize("make", [pytest.param(CASES[n].make, id=n) for n in DENSE])
each_direction = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


def numbers(like: Any, seed: int = 0) -> Any:
    """Random values, none of them zero, in the shapes and dtypes of `like`."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda a: jnp.asarray(0.6 * rng.normal(size=a.shape), a.dtype), like)


def problem(cell: Cell, length: int, *batch: int, seed: int = 0) -> tuple[Any, Any, jax.Array]:
    """Random params, carry and xs; a zero bias or a zero carry would hide a missing term."""
    params = jax.eval_shape(cell.init, jax.random.key(0))
    xs = jnp.zeros((length, *batch, *(cell.in_shape or (D,))))
    return numbers((params, cell.initial_carry(batch), xs), seed)


def assert_close(actual: Any, desired: Any, rtol: float = 1e-10, atol: float = 1e-12) -> None:
    """Compares two pytrees leaf by leaf: structure, shape, and finite values."""
    actual, desired = jax.tree.leaves(actual), jax.tree.leaves(desired)
    assert len(actual) == len(desired)
    for a, d in zip(actual, desired, strict=True):
        assert a.shape == d.shape
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, d, rtol, atol)
