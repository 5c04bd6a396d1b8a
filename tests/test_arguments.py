"""A wrong argument is a ValueError of one line: its name, the rule, the value; nothing compiled."""

import sys
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrnn import Cell, LSTMState, elman, gru, initializers, losses, lstm, nn, stack, unroll

LSTM, GRU = lstm(3, 4), gru(3, 4)
PARAMS, CARRY, XS = LSTM.init(jax.random.key(0)), LSTM.initial_carry((2,)), jnp.zeros((5, 2, 3))
RESETS = jnp.zeros((5, 2), bool)
DEEP = stack(LSTM, gru(4, 2))
DEEP_PARAMS = DEEP.init(jax.random.key(0))

run: Any = partial(unroll, LSTM, PARAMS, CARRY, XS)


def own(step):
    """A user's own cell that takes anything."""
    return Cell(lambda key: (), lambda batch=(), dtype=None: jnp.zeros((*batch, 4), dtype), step)


def run_own(step, xs: Any = XS, carry=CARRY.h, **options):
    return unroll(step, (), carry, xs, **options)


def same(params, carry, x):
    return carry, carry


def narrow(params, carry, x):
    return carry[..., :3], carry


def rounded(params, carry, x):
    return carry.astype(jnp.bfloat16), carry


def rnn(cell=LSTM, **options):
    return nn.RNN(cell, rngs=nnx.Rngs(0), **options)


WRONG = {
    # id: (call, words that the message must contain)
    "size: zero": (lambda: lstm(0, 4), "`in_size` positive integer; got 0"),
    "size: negative": (lambda: elman(3, -3), "`hidden_size` positive integer; got -3"),
    "size: float": (lambda: gru(3, 4.0), "`hidden_size` positive integer; got 4.0"),  # type: ignore
    "size: bool": (lambda: gru(True, 4), "`in_size` positive integer; got True"),
    "size: text": (lambda: lstm("3", 4), "`in_size` positive integer; got '3'"),  # type: ignore
    "stack: nothing": (lambda: stack(), "`cells` at least one cell; got ()"),
    "stack: misfit": (lambda: stack(lstm(3, 4), gru(5, 4)), "`cells` fit together (4,); got (5,)"),
    "stack: list": (lambda: stack([LSTM]), "`cells` Cell"),  # type: ignore
    "stack: number": (lambda: stack(LSTM, 3), "`cells` Cell 3"),  # type: ignore
    "initial_carry: number": (lambda: LSTM.initial_carry(32), "`batch_shape` tuple; got 32"),
    "step: x of another size": (
        lambda: LSTM.step(PARAMS, CARRY, jnp.zeros((2, 5))),
        "`x` input size 3; got (2, 5)",
    ),
    "step: symbols": (lambda: LSTM.step(PARAMS, CARRY, XS[0].astype(int)), "`x` floating int32"),
    "step: scalar": (lambda: LSTM.step(PARAMS, CARRY, jnp.float32(1)), "`x` 3; got ()"),
    "cell: not a cell": (lambda: unroll("lstm", PARAMS, CARRY, XS), "`cell` lstm"),  # type: ignore
    "cell: returns no pair": (lambda: run_own(lambda p, c, x: c), "`cell` pair (carry, y); got"),
    "cell: carry of another shape": (lambda: run_own(narrow), "`cell` carry float32[2, 3]"),
    "cell: carry of another dtype": (lambda: run_own(rounded), "`cell` carry float32 bfloat16"),
    "cell: own, the same": (lambda: run_own(own(rounded)), "`cell` carry float32 bfloat16"),
    "cell: in a stack, the same": (
        lambda: unroll(stack(LSTM, own(rounded)), (PARAMS, ()), (CARRY, CARRY.h), XS),
        "`cell` carry float32 bfloat16",
    ),
    "params: of another size": (
        lambda: unroll(LSTM, lstm(3, 5).init(jax.random.key(0)), CARRY, XS),
        "`params shape (3, 16) (3, 20)",
    ),
    "params: of another cell": (
        lambda: unroll(LSTM, GRU.init(jax.random.key(0)), CARRY, XS),
        "`params` structure",
    ),
    "xs: another size": (
        lambda: unroll(LSTM, PARAMS, CARRY, jnp.zeros((5, 2, 7))),
        "`xs` [T, *B, 3]; got (5, 2, 7)",
    ),
    "xs: no time": (lambda: unroll(LSTM, PARAMS, CARRY, jnp.zeros(3)), "`xs` [T, *B, 3]; got (3,)"),
    "xs: symbols": (
        lambda: unroll(LSTM, PARAMS, CARRY, jnp.zeros((5, 2, 3), int)),
        "`xs` floating-point; got int32",
    ),
    "xs: a list of arrays": (lambda: unroll(LSTM, PARAMS, CARRY, [XS, XS]), "`xs` one array"),
    "xs: nothing": (lambda: run_own(same, xs=()), "`xs` at least one array; got ()"),
    "xs: times differ": (
        lambda: run_own(same, xs=(XS, XS[:4])),
        "`xs` one time axis; got (4, 2, 3)",
    ),
    "carry: another batch": (
        lambda: unroll(LSTM, PARAMS, LSTM.initial_carry((3,)), XS),
        "`carry.h` shape (2, 4); got (3, 4)",
    ),
    "carry: one leaf of another size": (
        lambda: unroll(LSTM, PARAMS, CARRY._replace(c=jnp.zeros((2, 5))), XS),
        "`carry.c` shape (2, 4); got (2, 5)",
    ),
    "carry: structure": (
        lambda: unroll(LSTM, PARAMS, CARRY.h, XS),
        "`carry` structure LSTMState; got PyTreeDef(*)",
    ),
    "carry: integers": (
        lambda: unroll(LSTM, PARAMS, LSTM.initial_carry((2,), int), XS),
        "`carry floating int32",
    ),
    "carry: of a stack": (
        lambda: unroll(DEEP, DEEP_PARAMS, (CARRY, jnp.zeros((2, 3))), XS),
        "`carry[1]` shape (2, 2); got (2, 3)",
    ),
    "seq_lengths: floats": (
        lambda: run(seq_lengths=jnp.array([1.0, 2.0])),
        "`seq_lengths` integers; got float32",
    ),
    "seq_lengths: booleans": (
        lambda: run(seq_lengths=jnp.array([True, False])),
        "`seq_lengths` integers; got bool",
    ),
    "seq_lengths: another batch": (
        lambda: run(seq_lengths=jnp.array([1, 2, 3])),
        "`seq_lengths` batch shape (2,); got (3,)",
    ),
    "seq_lengths: one number": (
        lambda: run(seq_lengths=jnp.array(3)),
        "`seq_lengths` (2,); got ()",
    ),
    "seq_lengths: negative": (
        lambda: run(seq_lengths=jnp.array([-1, 2])),
        "`seq_lengths` [0, T=5]; got [-1, 2]",
    ),
    "seq_lengths: too long": (
        lambda: run(seq_lengths=np.array([5, 6])),
        "`seq_lengths` [0, T=5]; got [5, 6]",
    ),
    "seq_lengths: another batch than a bare step's": (
        lambda: run_own(same, seq_lengths=jnp.array([1, 2, 3])),
        "`seq_lengths` (3,)",
    ),
    "resets: integers": (lambda: run(resets=RESETS.astype(int)), "`resets` booleans; got int32"),
    "resets: another length": (lambda: run(resets=RESETS[1:]), "`resets` (5, 2); got (4, 2)"),
    "resets: batch first": (lambda: run(resets=RESETS.T), "`resets` shape (5, 2); got (2, 5)"),
    "resets: no time": (lambda: run(resets=jnp.array(True)), "`resets` shape (5, 2); got ()"),
    "resets: another batch than a bare step's": (
        lambda: run_own(same, resets=jnp.zeros((5, 3), bool), reset_carry=0.0),
        "`resets` (5, 3)",
    ),
    "reset_carry: a bare step has none": (
        lambda: run_own(same, resets=RESETS),
        "`reset_carry` given with `resets` bare step function; got None",
    ),
    "reset_carry: structure": (
        lambda: run(resets=RESETS, reset_carry=jnp.zeros((2, 4))),
        "`reset_carry` structure LSTMState",
    ),
    "reset_carry: shape": (
        lambda: run(resets=RESETS, reset_carry=LSTMState(jnp.zeros((2, 4)), jnp.zeros((2, 3)))),
        "`reset_carry` (2, 4); got (2, 3)",
    ),
    "orthogonal: not whole gates": (
        lambda: initializers.orthogonal_per_gate(gates=3)(jax.random.key(0), (2, 8)),
        "`shape` 3 gates; got (2, 8)",
    ),
    "orthogonal: a bias": (
        lambda: initializers.orthogonal_per_gate()(jax.random.key(0), (8,)),
        "`shape` got (8,)",
    ),
    "orthogonal: no gates": (lambda: initializers.orthogonal_per_gate(gates=0), "`gates` got 0"),
    "identity: not square": (
        lambda: initializers.identity()(jax.random.key(0), (2, 8)),
        "`shape` square; got (2, 8)",
    ),
    "losses: targets": (
        lambda: losses.nll(jnp.zeros((3, 8)), jnp.zeros(4, int)),
        "`targets` shape (3,); got (4,)",
    ),
    "losses: one-hot targets": (
        lambda: losses.cross_entropy(jnp.zeros((3, 8)), jnp.zeros(3)),
        "`targets` integers; got float32",
    ),
    "losses: mask": (
        lambda: losses.nll(jnp.zeros((3, 8)), jnp.zeros(3, int), jnp.ones(1, bool)),
        "`mask` shape (3,); got (1,)",
    ),
    "RNN: cell": (lambda: rnn(lstm), "`cell` Cell; got function"),  # type: ignore
    "RNN: rank": (lambda: rnn()(jnp.zeros(3)), "`xs` [*B, T, D]; got (3,)"),
    "RNN: rank, time first": (lambda: rnn(time_major=True)(jnp.zeros(3)), "`xs` [T, *B, D]; (3,)"),
    "RNN: symbols": (lambda: rnn()(jnp.zeros((2, 5, 3), int)), "`xs` floating-point; got int32"),
    "RNN: lengths": (
        lambda: rnn()(XS, seq_lengths=jnp.array([1, 2])),
        "`seq_lengths` batch shape (5,); got (2,)",
    ),
    "RNN: carry": (lambda: rnn()(XS, initial_carry=CARRY), "`carry.h` (5, 4); got (2, 4)"),
    "Bidirectional: mixed": (
        lambda: nn.Bidirectional(rnn(), rnn(time_major=True)),
        "`time_major` same in both directions; got (False, True)",
    ),
}


@pytest.fixture
def no_scan(monkeypatch):
    """The complaint must come before there is anything to compile."""

    def scan(*arguments, **options):
        raise AssertionError("the scan was reached")

    monkeypatch.setattr(jax.lax, "scan", scan)
    # By its module, because `jaxrnn.recurrence.unroll` is the function.
    monkeypatch.setattr(sys.modules["jaxrnn.recurrence.unroll"], "chunked_compiled", scan)


@pytest.mark.parametrize(("call", "words"), WRONG.values(), ids=WRONG)
def test_wrong_argument(call, words, no_scan):
    with pytest.raises(ValueError) as error:
        call()
    message = str(error.value)
    assert "\n" not in message
    for word in words.split():
        assert word.rstrip(";") in message


def test_the_whole_message():
    with pytest.raises(ValueError) as error:
        lstm(3, -3)
    assert str(error.value) == "`hidden_size` must be a positive integer; got -3"


@pytest.mark.parametrize("backend", ["auto", "scan"])
def test_right_arguments_reach_the_scan(no_scan, backend):
    # The fixture above is worth nothing if the scan is found under another name. A new cell,
    # because one that has run before is compiled.
    with pytest.raises(AssertionError, match="the scan was reached"):
        masks: Any = {"seq_lengths": jnp.array([5, 0]), "resets": RESETS}
        unroll(lstm(3, 4), PARAMS, CARRY, XS, backend=backend, **masks)


def test_lengths_that_are_traced_cannot_be_checked_and_are_not():
    jitted = jax.jit(lambda lengths: run(seq_lengths=lengths)[0])
    np.testing.assert_array_equal(jitted(jnp.array([9, 2])).h, run(seq_lengths=[5, 2])[0].h)
