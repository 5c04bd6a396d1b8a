"""Cells with a step of their own: dtypes and arguments, and what is particular to each unit."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import reference
from cases import CASES, CELLS, D, H, assert_close, numbers, problem
from jaxrnn import (
    conv_gru,
    conv_lstm,
    deep_transition,
    elman,
    explain,
    gru_reset_before,
    jordan,
    jordan_teacher_forced,
    lstm,
    multiplicative_lstm,
    projected_lstm,
    scanned,
    time_delay,
    unroll,
)
from jaxrnn.cells.convolution import convolve

NAMES = [
    "jordan",
    "gru-reset-before",
    "projected-lstm",
    "multiplicative-lstm",
    "time-delay",
    "deep-transition",
    "conv-lstm",
    "conv-gru",
]
each_make = pytest.mark.parametrize("make", [pytest.param(CASES[n].make, id=n) for n in NAMES])


def shapes(tree):
    return jax.tree.map(lambda leaf: leaf.shape, tree)


def dtypes(tree):
    return {leaf.dtype.name for leaf in jax.tree.leaves(tree)}


def test_shapes_of_parameters(key):
    of = lambda cell: tuple(shapes(jax.eval_shape(cell.init, key())))
    assert of(jordan(D, 5, H)) == ((D, 5), (H, 5), (5,), (5, H), (H,))
    assert of(gru_reset_before(D, H)) == ((D, 12), (H, 12), (12,))
    assert of(projected_lstm(D, 5, H)) == ((D, 20), (H, 20), (20,), (5, H))
    assert of(multiplicative_lstm(D, H)) == ((D, H), (H, H), (D, 16), (H, 16), (16,))
    assert of(time_delay(D, H, 6)) == ((6, D, H), (H,))
    assert of(deep_transition(D, H)) == ((), (D, H), (H, H), (H,), (), None, ())
    deep = deep_transition(
        D, H, input_layers=(5, 6), transition_layers=(7, 8), output_layers=(9,), shortcut=True
    )
    inputs, *middle, outputs = of(deep)
    assert (inputs, outputs) == ((((D, 5), (5,)), ((5, 6), (6,))), (((H, 9), (9,)),))
    between = (((7, 8), (8,)), ((8, H), (H,)))
    assert middle == [(6, 7), (H, 7), (7,), between, (H, H)]
    assert of(conv_lstm((9, 8), D, H, (3, 2))) == ((3, 2, D, 16), (3, 2, H, 16), (16,))
    assert of(conv_gru((9,), D, H, 5)) == ((5, D, 12), (5, H, 12), (12,))


@pytest.mark.parametrize("name", NAMES)
def test_the_scan_runs_them_and_says_why(name):
    (choice,) = explain(CELLS[name], *problem(CELLS[name], 40, 2))
    assert (choice.backend, choice.reason) == ("scan", "the cell is not made of dense parts")


@each_make
def test_start_is_zeros_of_the_default_dtype(make):
    cell = make(D, H)
    assert dtypes(cell.initial_carry((2,))) == {"float32"}
    with jax.enable_x64(True):
        params, carry = jax.eval_shape(cell.init, jax.random.key(0)), cell.initial_carry((2,))
    assert dtypes((params, carry)) == {"float64"}
    assert not any(leaf.any() for leaf in jax.tree.leaves(carry))


@each_make
def test_biases_start_at_zero_but_for_the_forget_gate(make, key):
    params = make(D, H).init(key())
    biases = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim == 1]
    assert biases
    if not hasattr(make(D, H).initial_carry(), "c"):
        assert not any(b.any() for b in biases)
    else:
        (b,) = biases
        forget = np.repeat([0, 1, 0, 0], b.size // 4)
        assert b.tolist() == forget.tolist()
        (b,) = (x for x in jax.tree.leaves(make(D, H, forget_bias=0.0).init(key())) if x.ndim == 1)
        assert not b.any()


@each_make
def test_initialisers_are_the_ones_given(make, key):
    constant = jax.nn.initializers.constant
    options: dict[str, Any] = {"kernel_init": constant(2.0), "bias_init": constant(4.0)}
    if make is not CASES["time-delay"].make:
        options["recurrent_init"] = constant(3.0)
    if hasattr(make(D, H).initial_carry(), "c"):
        options["forget_bias"] = 0.0
    leaves = jax.tree.leaves_with_path(make(D, H, **options).init(key()))
    recurrent = {".w_h", ".w_y", ".w_mh", ".w_m", ".w_s"}
    for path, leaf in leaves:
        name = jax.tree_util.keystr(path)
        expected = 4 if leaf.ndim == 1 else 3 if name in recurrent else 2
        assert (leaf == expected).all(), name


@each_make
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
        assert_close(after, exact, rtol=0, atol=0.1)
        # The state was not rounded on the way, but where it is inputs, which were given rounded.
        rounded = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16).astype(state), after)
        leaves = zip(jax.tree.leaves(after), jax.tree.leaves(rounded), strict=True)
        wide = make is not CASES["time-delay"].make
        assert all((leaf != coarse).any() == wide for leaf, coarse in leaves)


def products(jaxpr):
    """The dtypes that go into every matmul and convolution, inner programs included."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            yield {variable.aval.dtype.name for variable in equation.invars}
        for inner in equation.params.values():
            if hasattr(inner, "jaxpr"):
                yield from products(inner.jaxpr)


@each_make
def test_every_product_is_in_the_compute_dtype(make):
    cell = make(D, H, dtype=jnp.bfloat16)
    params, carry, xs = problem(cell, 2, 3)
    found = list(products(jax.make_jaxpr(cell.step)(params, carry, xs[0]).jaxpr))
    assert found and all(each == {"bfloat16"} for each in found)


@each_make
@pytest.mark.parametrize("given", [jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize("asked", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_an_explicit_dtype_is_that_of_the_output(make, given, asked):
    cell = make(D, H, dtype=asked)
    params, carry, xs = problem(cell, 2)
    after, ys = jax.eval_shape(partial(unroll, cell), params, carry, xs.astype(given))
    assert (dtypes(after), dtypes(ys)) == ({"float32"}, {jnp.dtype(asked).name})


@each_make
def test_float32_stays_float32_when_float64_is_on(make):
    cell = make(D, H)
    single = problem(cell, 2)
    with jax.enable_x64(True):
        params, carry, xs = single
        double = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), params)
        for given in (params, double):
            assert dtypes(jax.eval_shape(partial(unroll, cell), given, carry, xs)) == {"float32"}


@each_make
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_param_dtype_is_that_of_every_parameter_and_gradient(make, dtype):
    cell = make(D, H, param_dtype=dtype)
    params = jax.eval_shape(cell.init, jax.random.key(0))
    xs = jnp.ones((2, *cell.in_shape))
    loss = lambda params: unroll(cell, params, cell.initial_carry(), xs)[1].sum()
    assert dtypes(params) == dtypes(jax.eval_shape(jax.grad(loss), params)) == {dtype.dtype.name}


@pytest.mark.parametrize("given", [jnp.bfloat16, jnp.float32])
@each_make
def test_gradients_in_bfloat16_are_near_those_in_float32(make, given):
    params, carry, xs = problem(make(D, H), 3, 2)

    def gradients(dtype):
        run = partial(unroll, make(D, H, dtype=dtype))
        loss = lambda params, carry, xs: (run(params, carry, xs)[1].astype(jnp.float32) ** 2).sum()
        return jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(params, carry, xs.astype(given))

    for rough, exact in zip(
        *map(jax.tree.leaves, map(gradients, (jnp.bfloat16, None))), strict=True
    ):
        rough, exact = rough.astype(jnp.float32), exact.astype(jnp.float32)
        assert jnp.linalg.norm(rough - exact) <= 0.06 * jnp.linalg.norm(exact)


def step_of(name, x):
    cell = CELLS[name]
    return lambda: cell.step(cell.init(jax.random.key(0)), cell.initial_carry(x.shape[:1]), x)


wrong: Any = {"half": 2.5, "number": 5}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (step_of("jordan", jnp.ones((2, 5))), "`x` must end in the input size of the cell, 3; got"),
        (step_of("jordan", jnp.ones((2, 3), int)), "`x` must have a floating-point dtype"),
        (
            step_of("conv-gru", jnp.ones((2, 3, 2, 3))),
            "`x` must end in the input shape of the cell",
        ),
        (step_of("conv-lstm", jnp.ones(3)), "`x` must end in the input shape of the cell, (3, 3)"),
        (lambda: CELLS["jordan"].initial_carry(3), "`batch_shape` must be a tuple"),
        (lambda: jordan(D, H, 0), "`out_size` must be a positive integer; got 0"),
        (lambda: gru_reset_before(0, H), "`in_size` must be a positive integer; got 0"),
        (lambda: projected_lstm(D, H, -1), "`projection_size` must be a positive integer; got -1"),
        (
            lambda: multiplicative_lstm(D, wrong["half"]),
            "`hidden_size` must be a positive integer; got 2.5",
        ),
        (lambda: time_delay(D, H, taps=0), "`taps` must be a positive integer; got 0"),
        (
            lambda: deep_transition(D, H, output_layers=wrong["number"]),
            "`output_layers` must be a tuple of sizes",
        ),
        (lambda: deep_transition(D, H, input_layers=(0,)), "`input_layers` must be a positive"),
        (
            lambda: deep_transition(D, H, shortcut=True),
            "`shortcut` must be False where there are no",
        ),
        (
            lambda: conv_lstm(wrong["number"], D, H, 3),
            "`spatial_shape` must be a tuple of one to three sizes",
        ),
        (lambda: conv_lstm((), D, H, 3), "`spatial_shape` must be a tuple of one to three sizes"),
        (lambda: conv_lstm((8, 0), D, H, 3), "`spatial_shape` must be a positive integer; got 0"),
        (lambda: conv_gru((8, 8), D, H, (3,)), "`kernel_size` must be one size, or one for each"),
        (lambda: conv_gru((8, 8), D, H, 0), "`kernel_size` must be a positive integer; got 0"),
        (lambda: conv_gru((8, 8), 0, H, 3), "`in_channels` must be a positive integer; got 0"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_step_sees_params_and_input_in_the_compute_dtype_and_the_carry_as_it_came():
    seen = []

    def step(params, carry, x):
        seen.append((params.dtype.name, carry.dtype.name, x.dtype.name))
        return carry + x, (params * x).astype(jnp.float32)

    options = {"init": lambda key: jnp.ones(3), "in_shape": (3,), "out_shape": (3,)}
    cell = scanned(step, **options, dtype=jnp.bfloat16)
    after, y = cell.step(jnp.ones(3), jnp.zeros(3), jnp.ones(3))
    assert seen == [("bfloat16", "float32", "bfloat16")]
    assert (after.dtype, y.dtype) == (jnp.float32, jnp.bfloat16)


class TestJordan:
    cell = jordan(D, 5, H, output_activation=jax.nn.softmax)

    def problem(self, length=6):
        params, carry, xs = problem(self.cell, length, 2)
        return params, carry, xs, numbers(jnp.zeros((length, 2, H)), seed=4)

    def by_scan(self, params, carry, xs, targets):
        def body(carry, given):
            x, target = given
            return target, self.cell.step(params, carry, x)[1]

        return jax.lax.scan(body, carry, (xs, targets))

    def test_teacher_forced_equals_a_scan_fed_the_true_outputs(self, x64):
        given = self.problem()
        assert_close(jordan_teacher_forced(self.cell, *given), self.by_scan(*given))
        loss = lambda run: lambda *given: jnp.sum(jnp.sin(run(*given)[1]))
        ours, theirs = (
            jax.grad(loss(run), argnums=(0, 1, 2, 3))(*given)
            for run in (partial(jordan_teacher_forced, self.cell), self.by_scan)
        )
        assert_close(ours, theirs)

    def test_teacher_forced_has_no_loop(self):
        run = jax.jit(partial(jordan_teacher_forced, self.cell))
        assert "while" not in run.lower(*self.problem()).as_text()
        assert "while" in jax.jit(self.by_scan).lower(*self.problem()).as_text()

    def test_a_sequence_cut_in_two_equals_the_whole(self, x64):
        params, carry, xs, targets = self.problem()
        whole = jordan_teacher_forced(self.cell, params, carry, xs, targets)
        carry, first = jordan_teacher_forced(self.cell, params, carry, xs[:4], targets[:4])
        carry, second = jordan_teacher_forced(self.cell, params, carry, xs[4:], targets[4:])
        assert_close((carry, jnp.concatenate([first, second])), whole)

    def test_fed_its_own_outputs_it_is_the_network(self, x64):
        params, carry, xs, _ = self.problem()
        free = unroll(self.cell, params, carry, xs)
        assert_close(jordan_teacher_forced(self.cell, params, carry, xs, free[1]), free)

    def test_no_steps(self):
        params, carry, xs, targets = self.problem()
        after, ys = jordan_teacher_forced(self.cell, params, carry, xs[:0], targets[:0])
        assert_close(after, carry, rtol=0, atol=0)
        assert ys.shape == (0, 2, H)

    def test_targets_of_another_shape(self):
        params, carry, xs, targets = self.problem()
        with pytest.raises(ValueError, match="`targets` must have the shape"):
            jordan_teacher_forced(self.cell, params, carry, xs, targets[1:])

    def test_the_last_outputs_are_the_memory(self):
        # Two states that gave the same output go on alike.
        params, carry, xs, _ = self.problem()
        assert self.cell.initial_carry((2,)).shape == carry.shape == (2, H)
        after, ys = unroll(self.cell, params, carry, xs)
        assert_close(after, ys[-1], rtol=0, atol=0)
        assert_close(ys.sum(-1), jnp.ones((6, 2)), rtol=1e-6)


def test_a_time_delay_layer_of_one_tap_has_no_memory():
    cell = time_delay(D, H, taps=1)
    params, carry, xs = problem(cell, 5, 2)
    assert carry.shape == (2, 0, D)
    after, ys = unroll(cell, params, carry, xs)
    assert after.shape == (2, 0, D)
    assert_close(ys, jnp.tanh(xs @ params.w_x[0] + params.b), rtol=1e-5)


def test_a_time_delay_layer_forgets_after_its_taps():
    cell = time_delay(D, H, taps=3)
    params, carry, xs = problem(cell, 6)
    reach = jax.jacrev(lambda xs: unroll(cell, params, carry, xs)[1])(xs)
    seen = jnp.any(reach != 0, axis=(1, 3))  # [t, s]: whether output t sees input s
    age = jnp.arange(6)[:, None] - jnp.arange(6)
    assert (seen == ((age >= 0) & (age < 3))).all()


def test_a_deep_transition_without_layers_is_an_elman_network():
    flat, deep = elman(D, H), deep_transition(D, H)
    params, carry, xs = problem(flat, 5, 2)
    same = deep.init(jax.random.key(0))._replace(**params._asdict())
    assert_close(unroll(deep, same, carry, xs), unroll(flat, params, carry, xs), rtol=1e-5)


def test_the_shortcut_adds_to_the_last_layer_only(x64):
    plain = deep_transition(D, H, transition_layers=(5,))
    short = deep_transition(D, H, transition_layers=(5,), shortcut=True)
    params, h, xs = problem(short, 1, 2)
    ours, _ = short.step(params, h, xs[0])
    without, _ = plain.step(params._replace(w_s=None), h, xs[0])
    assert_close(jnp.arctanh(ours) - jnp.arctanh(without), h @ params.w_s)


def test_conv_lstm_in_two_dimensions_equals_the_reference(x64):
    cell = conv_lstm((4, 5), D, H, (2, 3))
    params, carry, xs = problem(cell, 3, 2)
    given = jax.tree.map(np.asarray, (params, carry, xs))
    assert_close(unroll(cell, params, carry, xs), reference.conv_lstm(*given))


def test_a_convolution_in_three_dimensions_equals_the_reference(x64):
    x, kernel = numbers((jnp.zeros((2, 3, 4, 5, D)), jnp.zeros((3, 2, 1, D, H))))
    expected = reference.same_convolution(*map(np.asarray, (x, kernel)))
    assert_close(convolve(x, kernel), expected)
    assert_close(convolve(x[:, None], kernel)[:, 0], expected)
    assert_close(convolve(x[0], kernel), expected[0])


def test_conv_lstm_on_one_pixel_is_an_lstm(x64):
    pixel, flat = conv_lstm((1, 1), D, H, 1), lstm(D, H)
    params, carry, xs = problem(flat, 5, 2)
    image = lambda leaf: leaf[..., None, None, :]
    kernels = params._replace(w_x=params.w_x[None, None], w_h=params.w_h[None, None])
    carry_there = jax.tree.map(image, carry)
    there = unroll(pixel, type(pixel.init(jax.random.key(0)))(*kernels), carry_there, image(xs))
    assert_close(there, jax.tree.map(image, unroll(flat, params, carry, xs)))


@pytest.mark.parametrize("make", [conv_lstm, conv_gru])
def test_what_is_far_away_needs_steps_to_arrive(make):
    # A kernel of 3 pixels carries the state by one pixel a step.
    cell = make((9,), 1, 2, 3)
    params, _, _ = problem(cell, 1)
    xs = numbers(jnp.zeros((4, 9, 1)))
    ys = [unroll(cell, params, cell.initial_carry(), x)[1] for x in (xs, xs.at[0, 0].add(1.0))]
    changed = jnp.any(ys[0] != ys[1], axis=-1)
    reach = jnp.arange(9) <= jnp.arange(1, 5)[:, None] * (2 if make is conv_gru else 1)
    assert not (changed & ~reach).any()
    assert changed[-1, 3]
