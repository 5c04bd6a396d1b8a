"""What is particular to a dense unit, beside the laws and the reference that all cells keep."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cases import D, H, assert_close, numbers, problem
from jaxrnn import (
    DelayedParams,
    ElmanParams,
    GRUParams,
    LeakyParams,
    LSTMParams,
    LSTMState,
    antisymmetric,
    antisymmetric_gated,
    clockwork,
    coupled_lstm,
    delayed,
    elman,
    gru,
    indrnn,
    irnn,
    layer_norm_gru,
    layer_norm_lstm,
    leak_of_time_constant,
    leaky,
    lstm,
    min_gru,
    min_lstm,
    minimal_gated,
    mod_relu,
    orthogonal,
    peephole_lstm,
    random_rotations,
    slstm,
    unroll,
)


def recurrent_kernel(cell, params):
    assert cell.dense is not None
    return cell.dense.recurrent_kernel(params)


def test_a_leak_of_one_is_the_elman_network(x64):
    params, carry, xs = problem(elman(D, H), 5, 2)
    expected = unroll(elman(D, H), params, carry, xs)
    assert_close(unroll(leaky(D, H, leak=1), LeakyParams(*params), carry, xs), expected)


def test_learned_leaks_start_where_they_are_asked_to(key):
    params = leaky(D, 3, leak=[0.5, 0.1, 0.99], learned=True).init(key())
    np.testing.assert_allclose(jax.nn.sigmoid(params.leak), [0.5, 0.1, 0.99], rtol=1e-6)
    assert leaky(D, 3, leak=0.5).init(key()).leak is None


@pytest.mark.parametrize("leak", [0.25, (0.25,) * H, np.full(H, 0.25), jnp.full(H, 0.25)])
def test_leaks_are_a_number_a_sequence_or_an_array(leak, key):
    cell = leaky(D, H, leak=leak)
    zeros = jax.tree.map(jnp.zeros_like, cell.init(key()))
    assert cell.step(zeros, jnp.ones(H), jnp.ones(D))[1].tolist() == [0.75] * H


def test_leaks_of_time_constants():
    assert leak_of_time_constant(4) == 0.25
    assert leak_of_time_constant(np.array([1.0, 8.0])) == [1.0, 0.125]
    # After τ steps about 1/e of the state is left.
    np.testing.assert_allclose((1 - leak_of_time_constant(1000)) ** 1000, np.exp(-1), rtol=1e-3)


def test_irnn_adds_up_its_inputs_at_the_start(key):
    params = irnn(D, D).init(key())
    assert (params.w_h == jnp.eye(D)).all() and not params.b.any()
    assert 3e-4 < jnp.std(irnn(40, 40).init(key()).w_x) < 3e-3
    xs = jnp.abs(numbers(jnp.zeros((6, D))))
    last, _ = unroll(irnn(D, D), params._replace(w_x=jnp.eye(D)), jnp.zeros(D), xs)
    np.testing.assert_allclose(last, xs.sum(0), rtol=1e-5)


def test_an_independent_unit_sees_no_other(x64):
    params, carry, xs = problem(indrnn(D, H), 1)
    jacobian = jax.jacobian(lambda h: indrnn(D, H, activation=jnp.tanh).step(params, h, xs[0])[1])
    jacobian = jacobian(carry)
    assert np.diagonal(jacobian).all() and not (jacobian - np.diag(np.diagonal(jacobian))).any()


def test_a_minimal_gated_unit_is_a_gru_whose_gates_are_one(x64):
    params, carry, xs = problem(minimal_gated(D, H), 5, 2)
    # Our GRU's z gates the old state: 1 - σ(a) = σ(-a).
    twice = lambda w: jnp.concatenate([w[..., :H], -w[..., :H], w[..., H:]], axis=-1)
    as_gru = (twice(params.w_x), twice(params.w_h), twice(params.b), params.b_hn)
    gru_params = GRUParams(*as_gru)
    assert_close(
        unroll(minimal_gated(D, H), params, carry, xs), unroll(gru(D, H), gru_params, carry, xs)
    )


def test_states_of_a_minimal_gru_are_prefix_sums_of_an_associative_operation(x64):
    params, carry, xs = problem(min_gru(D, H), 9, 2)
    z, n = jnp.split(xs @ params.w_x + params.b, 2, axis=-1)
    rate = jax.nn.sigmoid(z)
    then = lambda first, second: (second[0] * first[0], second[0] * first[1] + second[1])
    kept, added = jax.lax.associative_scan(then, (1 - rate, rate * n))
    assert_close(unroll(min_gru(D, H), params, carry, xs)[1], kept * carry + added)


def test_the_gates_of_a_minimal_lstm_share_one_whole_however_small_they_are():
    cell = min_lstm(1, 1)
    params = cell.init(jax.random.key(0))._replace(w_x=jnp.zeros((1, 3)))
    assert params.b.tolist() == [0, 1, 0]
    for i, f, kept in ((0, 0, 0.5), (-500, -501, 1 / (1 + np.e)), (-900, 0, 1), (80, 80, 0.5)):
        given = params._replace(b=jnp.array([i, f, 2.0]))
        step = lambda h, given=given: cell.step(given, h, jnp.ones(1))[1][0]
        h, slope = jax.value_and_grad(step)(jnp.array([10.0]))
        np.testing.assert_allclose((h, slope[0]), (10 * kept + 2 * (1 - kept), kept), rtol=1e-4)


def test_without_peepholes_it_is_the_lstm(x64):
    params, carry, xs = problem(peephole_lstm(D, H), 5, 2)
    params = params._replace(p=jnp.zeros_like(params.p))
    same = LSTMParams(*params[:3])
    assert_close(
        unroll(peephole_lstm(D, H), params, carry, xs), unroll(lstm(D, H), same, carry, xs)
    )


def test_a_coupled_cell_state_stays_between_minus_one_and_one():
    params, _, xs = problem(coupled_lstm(D, H), 50, 2)
    carry, _ = unroll(coupled_lstm(D, H), params, LSTMState(*jnp.ones((2, 2, H))), 9 * xs)
    assert jnp.abs(carry.c).max() <= 1


@pytest.mark.parametrize(
    ("make", "forget"),
    [
        (peephole_lstm, slice(H, 2 * H)),
        (coupled_lstm, slice(0, H)),
        (layer_norm_lstm, slice(H, 2 * H)),
        (slstm, slice(H, 2 * H)),
    ],
)
def test_the_forget_bias_is_that_of_the_forget_gate(make, forget, key):
    b = np.array(make(D, H, forget_bias=2.5).init(key()).b)
    assert (b[forget] == 2.5).all()
    b[forget] = 0
    assert not b.any()


@pytest.mark.parametrize("make", [antisymmetric, antisymmetric_gated])
def test_an_antisymmetric_kernel_has_eigenvalues_on_a_line(make, x64):
    cell = make(D, H, damping=0.3)
    params, _, _ = problem(cell, 1)
    values = np.linalg.eigvals(recurrent_kernel(cell, params))
    np.testing.assert_allclose(values.real, -0.3, atol=1e-12)
    assert np.abs(values.imag).max() > 0.1


@pytest.mark.parametrize("size", [4, 5])
def test_the_kernel_is_a_rotation_at_the_start_and_anywhere_else(size, key, x64):
    cell = orthogonal(D, size)
    start = cell.init(key())
    for a in (start.a, numbers(start.a), 20 * numbers(start.a)):
        kernel = recurrent_kernel(cell, start._replace(a=a))
        np.testing.assert_allclose(kernel.T @ kernel, np.eye(size), atol=1e-10)
        np.testing.assert_allclose(np.linalg.det(kernel), 1, rtol=1e-10)


def test_rotations_fill_the_circle(key):
    angles = random_rotations(key(), (4000, 4000))
    assert jnp.count_nonzero(angles) == 2000
    assert -3.1416 < angles.min() < -3.13 and 3.13 < angles.max() < 3.1416


def test_an_orthogonal_network_with_tanh_is_an_elman_network(x64):
    cell = orthogonal(D, H, activation=lambda v, b: jnp.tanh(v + b))
    params, carry, xs = problem(cell, 5, 2)
    kernel = recurrent_kernel(cell, params)
    same = ElmanParams(params.w_x, kernel, params.b)
    assert_close(unroll(cell, params, carry, xs), unroll(elman(D, H), same, carry, xs))


def test_mod_relu_keeps_the_sign():
    v, b = jnp.array([2.0, -2.0, 0.5, -0.5]), jnp.array([-1.0, -1.0, -1.0, 1.0])
    assert mod_relu(v, b).tolist() == [1.0, -1.0, 0.0, -1.5]


def test_a_clockwork_group_changes_when_it_is_due():
    cell = clockwork(D, 6, periods=(1, 2, 3))
    params, _, xs = problem(cell, 12, 2)
    _, ys = unroll(cell, params, cell.initial_carry((2,)), xs)
    changed = np.asarray(jnp.diff(ys, axis=0) != 0)
    for t in range(1, 12):
        due = np.repeat([t % period == 0 for period in (1, 2, 3)], 2)
        assert (changed[t - 1] == due).all(), t


def test_a_clockwork_counts_in_bfloat16():
    cell = clockwork(D, 4, periods=(1, 250))
    params, _, xs = problem(cell, 501)
    carry = cell.initial_carry((), jnp.bfloat16)
    _, ys = unroll(cell, params, carry, xs.astype(jnp.bfloat16))
    moves = np.flatnonzero((jnp.diff(ys[:, 2:], axis=0) != 0).any(-1)) + 1
    assert moves.tolist() == [250, 500]
    message = "`dtype` must count to 257 without rounding; got"
    with pytest.raises(ValueError, match=message):
        clockwork(D, 4, periods=(1, 257)).initial_carry((), jnp.bfloat16)


def test_a_faster_group_is_not_heard_by_a_slower_one():
    cell = clockwork(D, H)
    params, _, _ = problem(cell, 1)
    kernel = recurrent_kernel(cell, params)
    assert (kernel == jnp.tril(params.w_h)).all() and kernel.any()


def test_a_delay_of_one_is_the_elman_network(x64):
    params, carry, xs = problem(elman(D, H), 5, 2)
    cell = delayed(D, H, delays=(1,))
    after, ys = unroll(cell, DelayedParams(*params), carry[:, None], xs)
    assert_close((after[:, 0], ys), unroll(elman(D, H), params, carry, xs))


def test_a_delayed_state_arrives_when_it_is_due(key):
    cell = delayed(D, H, delays=(2, 5))
    params = cell.init(key())
    carry = cell.initial_carry()
    xs = numbers(jnp.zeros((8, D)))
    sees = jax.jacobian(lambda xs: unroll(cell, params, carry, xs, backend="scan")[1][7])(xs)
    # Ways back from step 7: none, 2, 2 + 2, 5, 2 + 2 + 2, 5 + 2.
    seen = np.flatnonzero(np.asarray(sees != 0).any((0, 2)))
    assert seen.tolist() == [0, 1, 2, 3, 5, 7]


@pytest.mark.parametrize("make", [layer_norm_lstm, layer_norm_gru])
def test_the_scale_of_a_normalised_kernel_does_not_matter(make, x64):
    cell = make(D, H, epsilon=1e-12)
    params, carry, xs = problem(cell, 5, 2)
    larger = params._replace(w_x=7 * params.w_x, w_h=0.1 * params.w_h)
    assert_close(
        unroll(cell, larger, carry, xs), unroll(cell, params, carry, xs), rtol=1e-8, atol=1e-8
    )


def unstabilised(params, xs, log_forget):
    """The sLSTM as the paper first writes it, c / n without m, from zeros."""
    h = c = n = np.zeros((xs.shape[1], H))
    ys = []
    for x in np.asarray(xs):
        i, f, g, o = np.split(x @ params.w_x + h @ params.w_h[0] + params.b, 4, axis=-1)
        keep, add = np.exp(log_forget(f)), np.exp(i)
        c, n = keep * c + add * np.tanh(g), keep * n + add
        h = c / n / (1 + np.exp(-o))
        ys.append(h)
    return np.stack(ys)


@pytest.mark.parametrize(
    ("name", "log_forget"),
    [("sigmoid", lambda f: -np.log1p(np.exp(-f))), ("exponential", lambda f: f)],
)
def test_the_stabiliser_of_slstm_cancels(name, log_forget, x64):
    cell = slstm(D, H, forget_gate=name)
    params, _, xs = problem(cell, 8, 2)
    _, ys = unroll(cell, params, cell.initial_carry((2,)), xs)
    expected = unstabilised(jax.tree.map(np.asarray, params), xs, log_forget)
    np.testing.assert_allclose(ys, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("backend", ["auto", "scan"])
@pytest.mark.parametrize("name", ["sigmoid", "exponential"])
@pytest.mark.parametrize("large", [-200.0, 200.0])
def test_slstm_is_finite_where_exp_is_not(large, name, backend):
    cell = slstm(D, H, forget_gate=name)
    params, _, xs = problem(cell, 6, 2)
    params = params._replace(b=params.b.at[:H].add(large))  # exp(±200) is not a float32
    carry = cell.initial_carry((2,))
    total = lambda params, carry: unroll(cell, params, carry, xs, backend=backend)[1].sum()
    outputs = jax.value_and_grad(total, argnums=(0, 1))(params, carry)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(outputs))
    after, ys = unroll(cell, params, carry, xs, backend=backend)
    assert (jnp.abs(ys) <= 1).all() and (after.n >= 1).all() and ys.any()


def test_heads_of_slstm_do_not_hear_each_other():
    cell = slstm(D, 6, heads=2)
    params, _, _ = problem(cell, 1)
    kernel = recurrent_kernel(cell, params).reshape(2, 3, 4, 2, 3)
    assert not kernel[0, :, :, 1].any() and not kernel[1, :, :, 0].any()
    for head in range(2):
        np.testing.assert_array_equal(kernel[head, :, :, head], params.w_h[head].reshape(3, 4, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(leaky, leak=0), r"`leak` must lie in \(0, 1\]; got 0"),
        (partial(leaky, leak=1, learned=True), r"`leak` must lie in \(0, 1\), ends excluded"),
        (partial(leaky, leak=[0.5, 0.5]), "`leak` must be a number or 4 numbers; got"),
        (partial(clockwork, periods=(2, 1)), r"`periods` must increase; got \(2, 1\)"),
        (partial(clockwork, periods=(1, 0)), "`periods` must be a positive integer; got 0"),
        (partial(clockwork, periods=(1, 2, 4)), "`hidden_size` must be a multiple of the number"),
        (partial(delayed, delays=()), r"`delays` must increase; got \(\)"),
        (partial(delayed, delays=(1, True)), "`delays` must be a positive integer; got True"),
        (partial(antisymmetric, step_size=0), "`step_size` must be greater than 0; got 0"),
        (partial(antisymmetric_gated, damping=-1), "`damping` must be at least 0; got -1"),
        (partial(layer_norm_lstm, epsilon=0), "`epsilon` must be greater than 0; got 0"),
        (partial(layer_norm_gru, epsilon=0), "`epsilon` must be greater than 0; got 0"),
        (partial(slstm, heads=3), "`heads` must divide `hidden_size`, 4; got 3"),
        (partial(slstm, forget_gate="relu"), '`forget_gate` must be "sigmoid" or'),  # type: ignore
    ],
)
def test_wrong_options(make, message):
    with pytest.raises(ValueError, match=message):
        make(D, H)


def test_wrong_time_constants():
    with pytest.raises(ValueError, match=r"`tau` must be at least 1 step, finite; got 0\.5"):
        leak_of_time_constant(0.5)


MAKERS = [antisymmetric, antisymmetric_gated, clockwork, coupled_lstm, delayed, indrnn, irnn]
MAKERS += [layer_norm_gru, layer_norm_lstm, partial(leaky, leak=0.5), minimal_gated, orthogonal]
MAKERS += [peephole_lstm, slstm]


@pytest.mark.parametrize("make", MAKERS)
def test_initialisers_are_the_ones_given(make, key):
    constant = jax.nn.initializers.constant
    options = {"kernel_init": constant(2), "recurrent_init": constant(3), "bias_init": constant(4)}
    params = make(D, H, **options).init(key())._asdict()
    assert (params["w_x"] == 2).all() and {4.0} <= set(params["b"].tolist()) <= {4.0, 5.0}
    recurrent = params.keys() & {"w_h", "u", "a"}
    assert len(recurrent) == 1 and (params[recurrent.pop()] == 3).all()


@pytest.mark.parametrize("make", [*MAKERS, min_gru, min_lstm])
def test_sizes_are_checked(make):
    with pytest.raises(ValueError, match="`in_size` must be a positive integer; got 0"):
        make(0, H)
    with pytest.raises(ValueError, match="`hidden_size` must be a positive integer; got True"):
        make(D, True)
