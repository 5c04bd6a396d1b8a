"""Each cell against its NumPy reference; initialisation; dtypes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import reference
from cases import CASES, CELLS, D, H, assert_close, each_cell, each_dense, numbers, problem
from jaxrnn import Cell, LSTMParams, LSTMState, elman, gru, lstm, stack, unroll

each_name = pytest.mark.parametrize("name", CASES)


def numpy_problem(name):
    """A problem and random derivatives of some number in its final carry and outputs."""
    params, carry, xs = problem(CELLS[name], 5, 2)
    d_carry, d_ys = numbers(jax.eval_shape(partial(unroll, CELLS[name]), params, carry, xs), seed=1)
    return jax.tree.map(np.asarray, (params, carry, xs, d_carry, d_ys))


@each_name
def test_forward_equals_reference(name, x64):
    params, carry, xs, _, _ = numpy_problem(name)
    assert xs.dtype == np.float64
    assert_close(unroll(CELLS[name], params, carry, xs), CASES[name].reference(params, carry, xs))


@each_name
def test_gradient_equals_reference(name, x64):
    params, carry, xs, d_carry, d_ys = numpy_problem(name)
    _, pullback = jax.vjp(partial(unroll, CELLS[name]), params, carry, xs)
    gradients = pullback((d_carry, jnp.asarray(d_ys)))
    adjoint = CASES[name].adjoint or partial(reference.complex_step, CASES[name].reference)
    assert_close(gradients, adjoint(params, carry, xs, d_carry, d_ys))
    assert all(np.any(leaf != 0) for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.adjoint])
def test_adjoint_by_hand_is_the_derivative_of_the_reference(name, x64):
    case, arguments = CASES[name], numpy_problem(name)
    assert case.adjoint is not None
    assert_close(case.adjoint(*arguments), reference.complex_step(case.reference, *arguments))


def shapes(tree):
    return jax.tree.map(lambda leaf: leaf.shape, tree)


def test_shapes_of_parameters(key):
    assert shapes(elman(D, H).init(key())) == ((D, H), (H, H), (H,))
    assert shapes(lstm(D, H).init(key())) == ((D, 4 * H), (H, 4 * H), (4 * H,))
    assert shapes(gru(D, H).init(key())) == ((D, 3 * H), (H, 3 * H), (3 * H,), (H,))
    deep = stack(elman(D, 2), lstm(2, H))
    assert shapes(deep.init(key())) == (shapes(elman(D, 2).init(key())), ((2, 16), (4, 16), (16,)))


@each_cell
def test_init_depends_on_the_key_and_on_nothing_else(cell, key):
    one, other = key(), key()
    assert_close(cell.init(one), cell.init(one), rtol=0, atol=0)
    kernels = [leaf for leaf in jax.tree.leaves(cell.init(one)) if leaf.ndim > 1]
    others = [leaf for leaf in jax.tree.leaves(cell.init(other)) if leaf.ndim > 1]
    assert all(not np.allclose(a, b) for a, b in zip(kernels, others, strict=True))


def test_layers_of_a_stack_start_different(key):
    lower, upper = stack(elman(H, H), elman(H, H)).init(key())
    assert not np.allclose(lower.w_h, upper.w_h)


def test_biases_start_at_zero_but_for_the_forget_gate(key):
    assert lstm(D, 2).init(key()).b.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert lstm(D, 2, forget_bias=-2.5).init(key()).b.tolist() == [0, 0, -2.5, -2.5, 0, 0, 0, 0]
    ones = jax.nn.initializers.ones
    assert lstm(D, 1, bias_init=ones).init(key()).b.tolist() == [1, 2, 1, 1]
    params = gru(D, H).init(key())
    assert not params.b.any() and not params.b_hn.any() and not elman(D, H).init(key()).b.any()


def test_the_forget_bias_is_not_in_the_formula():
    zeros = LSTMParams(jnp.zeros((D, 4)), jnp.zeros((1, 4)), jnp.zeros(4))
    carry, _ = lstm(D, 1).step(zeros, LSTMState(jnp.ones(1), jnp.ones(1)), jnp.ones(D))
    assert carry.c.tolist() == [0.5]


@pytest.mark.parametrize("make", [elman, lstm, gru])
def test_initialisers_are_the_ones_given(make, key):
    constant = jax.nn.initializers.constant
    options = {"kernel_init": constant(2), "recurrent_init": constant(3), "bias_init": constant(4)}
    options |= {"forget_bias": 0.0} if make is lstm else {}
    w_x, w_h, *biases = make(D, H, **options).init(key())
    assert (w_x == 2).all() and (w_h == 3).all() and all((b == 4).all() for b in biases)


@pytest.mark.parametrize("make", [elman, lstm, gru])
def test_recurrent_kernels_start_orthogonal_in_each_gate(make, key):
    w_h = make(D, H).init(key()).w_h
    for gate in np.split(np.asarray(w_h), w_h.shape[1] // H, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(H), atol=1e-5)


@each_cell
def test_initial_carry_is_the_same_for_every_sequence(cell):
    alone = cell.initial_carry()
    for batch in [(), (2,), (2, 3)]:
        carry = cell.initial_carry(batch, jnp.bfloat16)
        assert jax.tree.structure(carry) == jax.tree.structure(alone)
        for leaf, one in zip(jax.tree.leaves(carry), jax.tree.leaves(alone), strict=True):
            assert leaf.shape == batch + one.shape and leaf.dtype == jnp.bfloat16
            assert (leaf == one.astype(jnp.bfloat16)).all()


@each_dense
def test_dense_cells_start_from_zeros_of_the_default_dtype(make):
    cell = make(D, H)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(cell.initial_carry((2,))))
    with jax.enable_x64(True):
        leaves = jax.tree.leaves(cell.initial_carry((2,)))
        params = jax.eval_shape(cell.init, jax.random.key(0))
    assert all(leaf.dtype == jnp.float64 and not leaf.any() for leaf in leaves)
    assert all(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(params))


@each_dense
def test_a_dense_cell_knows_its_shapes(make):
    assert (make(D, H).in_shape, make(D, H).out_shape) == ((D,), (H,))
    assert repr(make(D, H)).startswith("Cell((3,) -> (4,)")
    assert make(np.int64(D), np.int32(H)).out_shape == (H,)


@each_cell
def test_step_is_a_body_for_lax_scan(cell):
    params, carry, xs = problem(cell, 5, 2)
    scanned = jax.lax.scan(partial(cell.step, params), carry, xs)
    assert_close(scanned, unroll(cell, params, carry, xs), rtol=1e-6, atol=1e-6)


def dtypes(tree):
    return {leaf.dtype.name for leaf in jax.tree.leaves(tree)}


@each_dense
@pytest.mark.parametrize("state", [jnp.bfloat16, jnp.float32])
def test_bfloat16_in_bfloat16_out_and_the_carry_keeps_its_dtype(make, state):
    cell = make(D, H)
    params, carry, xs = problem(cell, 5, 2)
    start = jax.tree.map(lambda leaf: leaf.astype(state), carry)
    after, ys = unroll(cell, params, start, xs.astype(jnp.bfloat16))
    assert (dtypes(after), dtypes(ys)) == ({jnp.dtype(state).name}, {"bfloat16"})
    exact, exact_ys = unroll(cell, params, carry, xs)
    assert_close(ys.astype(jnp.float32), exact_ys, rtol=0, atol=0.1)
    if state == jnp.float32:
        # The state was never rounded on the way: it holds what bfloat16 cannot.
        rounded = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16).astype(state), after)
        leaves = zip(jax.tree.leaves(after), jax.tree.leaves(rounded), strict=True)
        assert all((leaf != coarse).any() for leaf, coarse in leaves)
        assert_close(after, exact, rtol=0, atol=0.1)


def test_a_float32_state_adds_up_what_bfloat16_loses():
    # i = f = o = 1 and g = 0.1: c grows by 0.1 a step, near 100 where bfloat16 has steps of 0.5.
    gates = jnp.array([40.0, 40.0, np.arctanh(0.1), 40.0])
    params = LSTMParams(jnp.zeros((1, 4)), jnp.zeros((1, 4)), gates)
    xs = jnp.zeros((50, 1), jnp.bfloat16)
    carry = LSTMState(jnp.zeros(1), jnp.full(1, 100.0))
    after, _ = unroll(lstm(1, 1), params, carry, xs)
    np.testing.assert_allclose(after.c, 105.0, atol=0.1)


@each_dense
@pytest.mark.parametrize("given", [jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize("asked", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_an_explicit_dtype_is_that_of_the_output(make, given, asked):
    cell = make(D, H, dtype=asked)
    params, carry, xs = problem(cell, 2)
    after, ys = jax.eval_shape(partial(unroll, cell), params, carry, xs.astype(given))
    assert (dtypes(after), dtypes(ys)) == ({"float32"}, {jnp.dtype(asked).name})


@each_dense
def test_float32_stays_float32_when_float64_is_on(make):
    cell = make(D, H)
    single = problem(cell, 2)
    with jax.enable_x64(True):
        params, carry, xs = single
        double = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), params)
        for given in (params, double):
            assert dtypes(jax.eval_shape(partial(unroll, cell), given, carry, xs)) == {"float32"}
            assert dtypes(jax.eval_shape(cell.step, given, carry, xs[0])) == {"float32"}


@each_dense
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_param_dtype_is_that_of_every_parameter_and_gradient(make, dtype):
    cell = make(D, H, param_dtype=dtype)
    params = jax.eval_shape(cell.init, jax.random.key(0))
    loss = lambda params, xs: unroll(cell, params, cell.initial_carry(), xs)[1].sum()
    gradients = jax.eval_shape(jax.grad(loss), params, jnp.ones((2, D)))
    assert dtypes(params) == dtypes(gradients) == {jnp.dtype(dtype).name}


def test_a_cell_of_three_functions_is_a_cell():
    cell = CELLS["own"]
    assert isinstance(cell, Cell) and cell.dense is None and cell.layers == ()
    assert repr(cell) == "Cell(None -> None, step)"
