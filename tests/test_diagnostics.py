"""Diagnostics against closed forms, explicit products and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cases import CASES, CELLS, D, H, assert_close, numbers, problem
from jaxrnn import Cell, ElmanParams, diagnostics, elman, gru, lstm, stack, unroll
from jaxrnn.diagnostics.trajectory import floating_parts

T = 6
# One state, two, a matrix, layers: the kinds of carry there are.
NAMES = ["elman", "lstm", "gru", "stack", "own"]
each_name = pytest.mark.parametrize("name", NAMES)


def linear(w: jax.Array) -> tuple[Cell, ElmanParams]:
    """The network h_t = h_{t-1} W + x_t."""
    size = len(w)
    cell = elman(size, size, activation=lambda a: a)
    return cell, ElmanParams(jnp.eye(size), w, jnp.zeros(size))


def with_eigenvalues(*values: float) -> jax.Array:
    """A matrix that is not symmetric, with these eigenvalues."""
    basis = np.random.default_rng(3).normal(size=(len(values), len(values)))
    return jnp.asarray(basis @ np.diag(values) @ np.linalg.inv(basis))


def weighted(states, ys):
    """A loss with a different weight on every number of every state and every output."""
    leaves = [*floating_parts(states), ys]
    sums = [jnp.sum(jnp.sin(numbers(leaf, i) * leaf)) for i, leaf in enumerate(leaves)]
    return jnp.stack(sums).sum()


@each_name
def test_states_are_those_of_the_steps(name, x64):
    cell = CELLS[name]
    params, carry, xs = problem(cell, T, 2)
    states, ys = diagnostics.states(cell, params, carry, xs)
    assert_close(jax.tree.map(lambda leaf: leaf[0], states), carry)
    for t, x in enumerate(xs):
        carry, y = cell.step(params, carry, x)
        assert_close((jax.tree.map(lambda leaf, t=t: leaf[t + 1], states), ys[t]), (carry, y))


def test_a_state_of_complex_numbers_and_a_counter_is_flat():
    states = {"z": jnp.ones((4, 2, 3), complex) * 2j, "t": jnp.arange(8).reshape(4, 2)}
    flat = diagnostics.flat_states(states, leading=2)
    assert flat.shape == (4, 2, 6) and flat.dtype == jnp.float32
    assert (flat[..., :3] == 0).all() and (flat[..., 3:] == 2).all()


@pytest.mark.parametrize("name", NAMES[:4])
def test_state_gradients_equal_finite_differences_of_the_reference(name, x64):
    cell, run = CELLS[name], CASES[name].reference
    params, carry, xs = jax.tree.map(np.asarray, problem(cell, T, 2))

    def tail(states, ys):
        return jnp.sum(jnp.sin(ys)) + sum(jnp.sum(s[-1] ** 2) for s in jax.tree.leaves(states))

    gradients = diagnostics.state_gradients(cell, params, carry, xs, tail)
    states, _ = diagnostics.states(cell, params, carry, xs)
    for t in range(T):  # the reference wants at least one step
        before, tree = jax.tree.flatten(jax.tree.map(lambda leaf, t=t: np.array(leaf[t]), states))

        def loss(leaves, t=t, tree=tree):
            after, ys = run(params, jax.tree.unflatten(tree, leaves), xs[t:])
            return np.sin(ys).sum() + sum((a**2).sum() for a in jax.tree.leaves(after))

        slopes = [np.zeros_like(leaf) for leaf in before]
        for leaf, slope in zip(before, slopes, strict=True):
            for index in np.ndindex(leaf.shape):
                value = leaf[index]
                leaf[index] = value + 1e-5
                above = loss(before)
                leaf[index] = value - 1e-5
                slope[index] = (above - loss(before)) / 2e-5
                leaf[index] = value
        actual = jax.tree.map(lambda leaf, t=t: leaf[t], gradients)
        assert_close(actual, slopes, rtol=1e-7, atol=1e-8)


@each_name
def test_state_gradients_equal_explicit_products_of_jacobians(name, x64):
    cell = CELLS[name]
    params, carry, xs = problem(cell, T, 2)
    weights = numbers(jnp.zeros(sum(leaf.size for leaf in jax.tree.leaves(carry)) // 2))
    last = lambda states, ys: jnp.sum(diagnostics.flat_states(states, 2)[-1] @ weights)
    gradients = diagnostics.state_gradients(cell, params, carry, xs, last)
    jacobians = diagnostics.step_jacobians(cell, params, carry, xs)
    row = jnp.broadcast_to(weights, jacobians.shape[1:-1])
    expected = [row]
    for jacobian in jacobians[::-1]:
        row = jnp.einsum("bi,bij->bj", row, jacobian)
        expected.append(row)
    expected = jnp.stack(expected[::-1])
    assert_close(diagnostics.flat_states(gradients, 2), expected)
    norms = diagnostics.gradient_norms(cell, params, carry, xs, last)
    assert_close(norms, jnp.linalg.norm(expected, axis=-1))


@each_name
def test_the_first_state_gradient_is_that_of_the_initial_carry(name, x64):
    cell = CELLS[name]
    params, carry, xs = problem(cell, T, 2)

    def loss(carry):
        return weighted(*diagnostics.states(cell, params, carry, xs))

    gradients = diagnostics.state_gradients(cell, params, carry, xs, weighted)
    assert_close(jax.tree.map(lambda leaf: leaf[0], gradients), jax.grad(loss)(carry))


def test_the_loss_of_an_output_reaches_the_state_before_it(x64):
    cell = CELLS["gru"]
    params, carry, xs = problem(cell, T, 2)
    norms = diagnostics.gradient_norms(cell, params, carry, xs, lambda states, ys: ys[2].sum())
    assert (norms[:3] > 0).all() and (norms[3:] == 0).all()


def test_a_batch_is_its_sequences(x64):
    cell = stack(lstm(D, 2), elman(2, 3))
    params, carry, xs = problem(cell, T, 2, 3)
    norms = diagnostics.gradient_norms(cell, params, carry, xs, weighted_sum)
    jacobians = diagnostics.step_jacobians(cell, params, carry, xs)
    assert norms.shape == (T + 1, 2, 3) and jacobians.shape == (T, 2, 3, 7, 7)
    for i, j in [(0, 0), (1, 2)]:
        alone = jax.tree.map(lambda leaf, i=i, j=j: leaf[i, j], carry)
        run = cell, params, alone, xs[:, i, j]
        assert_close(norms[:, i, j], diagnostics.gradient_norms(*run, weighted_sum))
        assert_close(jacobians[:, i, j], diagnostics.step_jacobians(*run))


def weighted_sum(states, ys):
    return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(states)) + jnp.sum(ys**2)


def counting(params, carry, x):
    """A step function with a complex state and a counter."""
    turned = carry["z"] * jnp.exp(1j * params) * jnp.tanh(x * carry["t"])
    return {"z": turned + x, "t": carry["t"] + 1}, turned.real


def test_complex_states_and_counters(x64):
    carry = {"z": jnp.array([0.3 + 0.4j]), "t": jnp.array(1)}
    run = counting, jnp.array(0.3), carry, jnp.linspace(0.5, 2, T)
    jacobians = diagnostics.step_jacobians(*run)
    angle = jnp.array([[jnp.cos(0.3), -jnp.sin(0.3)], [jnp.sin(0.3), jnp.cos(0.3)]])
    scales = jnp.tanh(run[-1] * (1 + jnp.arange(T)))
    assert_close(jacobians, scales[:, None, None] * angle)
    last = lambda states, ys: jnp.abs(states["z"][-1, 0]) ** 2
    end = jnp.abs(diagnostics.states(*run)[0]["z"][-1, 0])
    back = jnp.concatenate([jnp.cumprod(scales[::-1])[::-1], jnp.ones(1)])
    assert_close(diagnostics.gradient_norms(*run, last), 2 * end * back)


@pytest.mark.parametrize("largest", [0.8, 1.0, 1.25])
def test_products_of_a_linear_network_follow_its_largest_eigenvalue(largest, x64):
    cell, params = linear(with_eigenvalues(largest, -0.5, 0.3))
    xs = numbers(jnp.zeros((400, 3)))
    jacobians = diagnostics.step_jacobians(cell, params, jnp.zeros(3), xs)
    assert_close(jacobians, jnp.broadcast_to(params.w_h.T, (400, 3, 3)))
    for back in (False, True):
        products = diagnostics.product_spectrum(jacobians, back_from_end=back)
        spans = np.arange(400, 0, -1) if back else 1 + np.arange(400)
        assert_close(products.log_radius, spans * np.log(largest), atol=1e-9)
        growth = np.diff(products.log_norm)[200 - 100 * back]  # far from either end
        assert_close(growth, (-1 if back else 1) * np.log(largest), atol=1e-12)


def test_gradient_norms_of_a_linear_network_are_those_of_the_closed_form(x64):
    w = with_eigenvalues(0.9, -0.5, 0.3)
    cell, params = linear(w)
    v = jnp.array([1.0, -2.0, 0.5])
    last = lambda states, ys: states[-1] @ v
    norms = diagnostics.gradient_norms(cell, params, jnp.zeros(3), jnp.ones((40, 3)), last)
    closed = [np.linalg.norm(np.linalg.matrix_power(w, 40 - t) @ v) for t in range(41)]
    assert_close(norms, np.array(closed))


def test_products_leave_the_range_of_a_float_and_their_logarithms_do_not():
    jacobians = jnp.broadcast_to(with_eigenvalues(8.0, 1.0), (1000, 2, 2))
    products = diagnostics.product_spectrum(jacobians)
    assert_close(products.log_radius[-1], 1000 * np.log(8), rtol=1e-5)
    dead = diagnostics.product_spectrum(jacobians.at[500].set(0))
    assert np.isfinite(dead.log_norm[:500]).all() and (dead.log_norm[500:] == -np.inf).all()


def test_products_of_nonlinear_steps_are_the_derivative_of_the_last_state(x64):
    cell = CELLS["lstm"]
    params, carry, xs = problem(cell, T)
    jacobians = diagnostics.step_jacobians(cell, params, carry, xs)
    whole = jax.jacrev(lambda carry: unroll(cell, params, carry, xs)[0])(carry)
    whole = np.block([[whole.h.h, whole.h.c], [whole.c.h, whole.c.c]])
    expected = diagnostics.spectrum(whole)
    for back, at in ((False, -1), (True, 0)):
        products = diagnostics.product_spectrum(jacobians, back_from_end=back)
        assert_close([each[at] for each in products], list(expected), rtol=1e-9)


def test_norm_and_radius_of_a_matrix():
    shear = jnp.array([[1.0, 3.0], [0.0, 0.5]])
    found = diagnostics.spectrum(jnp.stack([shear, jnp.zeros((2, 2))]))
    assert_close(found.log_norm[0], np.log(np.linalg.svd(shear)[1][0]), rtol=1e-5)
    assert_close(found.log_radius[0], np.log(1.0), atol=1e-6)
    assert found.log_norm[1] == found.log_radius[1] == -np.inf


def test_lyapunov_exponents_of_a_linear_network_are_log_eigenvalues(x64, key):
    cell, params = linear(with_eigenvalues(1.1, -0.7, 0.2))
    xs = numbers(jnp.zeros((300, 2, 3)))
    run = cell, params, jnp.zeros((2, 3)), xs
    found = diagnostics.lyapunov_exponents(*run, 3, key=key(), skip=100)
    assert_close(found, jnp.broadcast_to(jnp.log(jnp.array([1.1, 0.7, 0.2])), (2, 3)), atol=1e-11)
    largest = diagnostics.lyapunov_exponents(*run, key=key(), skip=200)
    assert_close(largest, jnp.full((2, 1), jnp.log(1.1)), atol=1e-11)


@pytest.mark.parametrize("make", [gru, lstm], ids=["gru", "lstm"])
def test_expansion_rates_add_up_to_the_volume_of_the_product(make, x64, key):
    cell = make(D, H)
    params, carry, xs = problem(cell, T, 2)
    jacobians = diagnostics.step_jacobians(cell, params, carry, xs)
    size = jacobians.shape[-1]
    rates = diagnostics.expansion_rates(cell, params, carry, xs, size, key=key())
    assert_close(rates.sum(-1), jnp.linalg.slogdet(jacobians)[1], rtol=1e-8)


def test_the_largest_exponent_is_the_growth_of_the_norm(x64, key):
    cell = elman(1, 20, recurrent_init=jax.nn.initializers.normal(2 / 20**0.5))  # chaotic
    run = cell, cell.init(key()), jnp.full(20, 0.1), jnp.zeros((2000, 1))
    (found,) = diagnostics.lyapunov_exponents(*run, key=key())
    products = diagnostics.product_spectrum(diagnostics.step_jacobians(*run))
    assert found > 0.02
    assert abs(found - products.log_norm[-1] / 2000) < 5e-3


def test_principal_axes_of_a_plane_in_space(x64):
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(5, 2)))[0].T
    plane = rng.normal(size=(7, 4, 2)) * [3.0, 0.5]
    points = jnp.asarray(plane @ axes + 2.0)
    found = diagnostics.principal_axes(points)
    assert_close(found.explained.sum(), jnp.ones(()))
    assert found.explained[0] > found.explained[1] > 0
    assert_close(found.points @ found.axes + points.mean((0, 1)), points)
    assert_close(found.axes @ found.axes.T, jnp.eye(2))
    covariance = np.cov(points.reshape(-1, 5).T)
    assert_close(found.axes[0] @ covariance, found.axes[0] * np.linalg.eigvalsh(covariance)[-1])


def test_preactivations_are_the_arguments_of_the_gates(x64):
    cell = CELLS["lstm"]
    params, carry, xs = problem(cell, T, 2)
    i, f, g, o = diagnostics.preactivations(cell, params, carry, xs)
    states, ys = diagnostics.states(cell, params, carry, xs)
    sigmoid = jax.nn.sigmoid
    assert_close(states.c[1:], sigmoid(f) * states.c[:-1] + sigmoid(i) * jnp.tanh(g))
    assert_close(ys, sigmoid(o) * jnp.tanh(states.c[1:]))


def test_preactivations_of_a_gru(x64):
    cell = CELLS["gru"]
    params, carry, xs = problem(cell, T, 2)
    r, z, _ = diagnostics.preactivations(cell, params, carry, xs)
    h, _ = diagnostics.states(cell, params, carry, xs)
    x_n, h_n = xs @ params.w_x[:, 2 * H :], h[:-1] @ params.w_h[:, 2 * H :]
    n = jnp.tanh(x_n + params.b[2 * H :] + jax.nn.sigmoid(r) * (h_n + params.b_hn))
    assert_close(h[1:], (1 - jax.nn.sigmoid(z)) * n + jax.nn.sigmoid(z) * h[:-1])


@pytest.mark.parametrize("make", [lstm, gru], ids=["lstm", "gru"])
def test_a_gate_with_a_large_bias_is_saturated(make, key):
    cell = make(D, H)
    params = cell.init(key())
    b = params.b.at[H : 2 * H].set(jnp.array([-20.0, 20.0, 0.0, 0.0]))
    run = params._replace(b=b), cell.initial_carry((3,)), 0.1 * numbers(jnp.zeros((50, 3, D)))
    gates = jax.nn.sigmoid(diagnostics.preactivations(cell, *run))
    left, right = diagnostics.saturation(gates[1])
    assert left.tolist() == [1, 0, 0, 0] and right.tolist() == [0, 1, 0, 0]


def test_saturation_counts_steps_and_sequences():
    activations = jnp.array([[[0.05], [0.5]], [[0.95], [0.95]]])  # [T, B, H]
    left, right = diagnostics.saturation(activations)
    assert left.tolist() == [0.25] and right.tolist() == [0.5]
    left, right = diagnostics.saturation(2 * activations - 1, -0.8, 0.95)
    assert left.tolist() == [0.25] and right.tolist() == [0.0]


def test_the_cliff_is_the_unit_by_hand(x64):
    w, b = 5.0, -2.5
    h = 1 / (1 + np.exp(-0.5))
    for _ in range(50):
        h = 1 / (1 + np.exp(-(w * h + b)))
    points = jnp.array([[w, b], [1.0, 0.0]])
    losses = diagnostics.cliff()(points)
    assert losses.shape == (2,)
    assert_close(losses[0], np.asarray((h - 0.7) ** 2))


def test_at_the_cliff_clipping_bounds_the_step_and_plain_descent_leaps():
    loss, start = diagnostics.cliff(), jnp.array([4.638, -2.388])  # on the wall
    plain = diagnostics.descend(loss, start, optax.sgd(0.1), 1)
    clip = optax.clip_by_global_norm(1.0)
    clipped = diagnostics.descend(loss, start, optax.chain(clip, optax.sgd(0.1)), 1)
    assert plain.gradient_norms[0] > 100 and clipped.gradient_norms[0] > 100
    assert jnp.linalg.norm(plain.params[1] - plain.params[0]) > 10
    assert_close(jnp.linalg.norm(clipped.params[1] - start), jnp.array(0.1), rtol=1e-3)


def test_descent_of_a_quadratic_is_the_closed_form(x64):
    loss = lambda params: params["a"] ** 2 + 2 * jnp.sum(params["b"] ** 2)
    start = {"a": 3.0, "b": jnp.array([1.0, 2.0])}
    path = diagnostics.descend(loss, start, optax.sgd(0.1), 5)
    powers = jnp.arange(6)
    assert_close(path.params["a"], 3 * 0.8**powers)
    assert_close(path.params["b"], jnp.array([1.0, 2.0]) * 0.6 ** powers[:, None])
    assert_close(path.losses[0], jnp.array(19.0))
    assert_close(path.gradient_norms[0], jnp.sqrt(jnp.array(36.0 + 16 + 64)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.states(lstm(3, 2), None, None, jnp.ones((4, 5))), "`xs` must"),
        (lambda: diagnostics.principal_axes(jnp.ones((4, 2)), 3), "`count` must lie in"),
        (lambda: diagnostics.flat_states({"t": jnp.arange(4)}), "`states` must have a floating"),
        (lambda: diagnostics.flat_states(jnp.ones(4), 2), "`leading` must lie in"),
        (lambda: diagnostics.product_spectrum(jnp.ones((4, 2, 3))), "`jacobians` must have"),
        (lambda: diagnostics.saturation(jnp.ones((2, 2)), 0.9, 0.1), "`low` must be at most"),
        (lambda: diagnostics.saturation(jnp.ones((0, 2))), "`activations` must hold"),
        (lambda: diagnostics.cliff(steps=0), "`steps` must be a positive"),
        (lambda: diagnostics.cliff(target=1.5), "`target` must lie between"),
        (lambda: diagnostics.descend(jnp.sum, jnp.ones(1), optax.sgd(1), 0), "`updates` must"),
        (
            lambda: diagnostics.preactivations(stack(elman(2, 2)), None, None, jnp.ones((1, 2))),
            "`cell` must be dense",
        ),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_counts_of_exponents_are_named(key):
    halve = lambda params, h, x: (0.5 * h + x, h)
    exponents = partial(diagnostics.lyapunov_exponents, halve, None, jnp.zeros(2), jnp.ones((4, 2)))
    with pytest.raises(ValueError, match=r"`count` must lie in \[1, 2\]"):
        exponents(3, key=key())
    with pytest.raises(ValueError, match=r"`skip` must lie in \[0, T=4\)"):
        exponents(1, key=key(), skip=4)
