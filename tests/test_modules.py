"""The Flax modules: `unroll` with the batch first, in every way in which JAX runs a module."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from cases import CELLS, D, H, assert_close, each_cell, numbers
from jaxrnn import LSTMState, elman, gru, lstm, stack, unroll
from jaxrnn.nn import RNN, Bidirectional

B, T = 3, 6
XS = numbers(jnp.zeros((B, T, D)))
LENGTHS = jnp.array([6, 0, 4])
RESETS = jnp.zeros((B, T), bool).at[jnp.array([0, 0, 2, 2]), jnp.array([0, 3, 1, 4])].set(True)
MASKS: dict[str, Any] = {"seq_lengths": LENGTHS, "resets": RESETS}


def make(cell=CELLS["lstm"], seed=0, **options):
    """A module with random values in every parameter: a zero bias would hide a missing one."""
    rnn = RNN(cell, rngs=nnx.Rngs(0), **options)
    nnx.update(rnn, numbers(nnx.state(rnn), seed + 1))
    return rnn


def make_both(seed=0, **options):
    return Bidirectional(make(seed=seed), make(CELLS["gru"], seed=seed + 1), **options)


each_module = pytest.mark.parametrize("module", [make(), make_both()], ids=["RNN", "Bidirectional"])


def close(actual, desired):
    assert_close(actual, desired, rtol=2e-5, atol=1e-6)


def by_unroll(rnn, xs=XS, carry=None, start=None, reverse=False, masks=MASKS):
    """What the module must give, from the functional core."""
    masks = masks | {"resets": masks["resets"].T}
    initial = rnn.cell.initial_carry((B,)) if start is None else start
    after, ys = unroll(
        rnn.cell,
        nnx.as_pure(rnn.params),
        initial if carry is None else carry,
        xs.swapaxes(0, 1),
        reset_carry=initial,
        reverse=reverse,
        **masks,
    )
    return after, ys.swapaxes(0, 1)


@pytest.mark.parametrize("reverse", [False, True])
@each_cell
def test_rnn_is_unroll_with_the_batch_first(cell, reverse):
    rnn = make(cell)
    xs = numbers(jnp.zeros((B, T, *(cell.in_shape or (D,)))))
    outputs = rnn(xs, reverse=reverse, **MASKS)
    close(outputs, by_unroll(rnn, xs, reverse=reverse))
    assert type(outputs[0]) is type(cell.initial_carry())


def test_time_major_moves_every_time_axis():
    rnn, turned = make(), make(time_major=True)
    carry, ys = turned(XS.swapaxes(0, 1), seq_lengths=LENGTHS, resets=RESETS.T)
    close((carry, ys.swapaxes(0, 1)), rnn(XS, **MASKS))


def test_no_batch_axis_and_two():
    rnn = make()
    carry, ys = rnn(XS, **MASKS)
    for b in range(B):
        one = rnn(XS[b], seq_lengths=LENGTHS[b], resets=RESETS[b])
        close(one, (jax.tree.map(lambda leaf, b=b: leaf[b], carry), ys[b]))
    double = lambda leaf: jnp.stack([leaf, leaf])
    two = rnn(double(XS), **jax.tree.map(double, MASKS))
    close(two, (jax.tree.map(double, carry), double(ys)))


def test_a_given_carry_is_the_start_but_not_the_state_at_a_reset():
    rnn = make()
    carry = numbers(rnn.cell.initial_carry((B,)), seed=3)
    close(rnn(XS, initial_carry=carry, **MASKS), by_unroll(rnn, carry=carry))
    assert not np.allclose(rnn(XS, initial_carry=carry)[1], rnn(XS)[1])


@pytest.mark.parametrize("cell", [CELLS["lstm"], CELLS["stack"]], ids=["lstm", "stack"])
def test_a_learned_initial_carry_is_the_start_and_the_state_at_a_reset(cell):
    rnn = make(cell, learn_initial_carry=True)
    learned = nnx.as_pure(rnn.initial_carry)
    start = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (B, *leaf.shape)), learned)
    close(rnn(XS, **MASKS), by_unroll(rnn, start=start))
    carry = numbers(start, seed=9)
    close(rnn(XS, initial_carry=carry, **MASKS), by_unroll(rnn, carry=carry, start=start))


def test_a_learned_initial_carry_starts_at_zero_and_receives_a_gradient():
    rnn = RNN(CELLS["lstm"], rngs=nnx.Rngs(0), learn_initial_carry=True)
    start = jax.tree.leaves(nnx.as_pure(rnn.initial_carry))
    assert [(leaf.shape, bool(leaf.any())) for leaf in start] == [((H,), False)] * 2
    through_start = nnx.grad(lambda rnn: rnn(XS)[1].sum())(rnn)
    # With a carry given, only a reset can let the learned one in.
    given = LSTMState(jnp.ones((B, H)), jnp.ones((B, H)))
    loss = lambda rnn, masks: rnn(XS, initial_carry=given, **masks)[1].sum()
    through_resets, through_nothing = (nnx.grad(loss)(rnn, masks) for masks in (MASKS, {}))
    gradients = [through_start, through_resets, through_nothing]
    reached = [[bool(leaf.any()) for leaf in jax.tree.leaves(g.initial_carry)] for g in gradients]
    assert reached == [[True, True], [True, True], [False, False]]


@pytest.mark.parametrize("masks", [{}, MASKS], ids=["plain", "masked"])
def test_bidirectional_is_one_pass_each_way(masks):
    both = make_both()
    carries = (
        numbers(both.forward.cell.initial_carry((B,)), seed=1),
        numbers(both.backward.cell.initial_carry((B,)), seed=2),
    )
    (forward, backward), ys = both(XS, initial_carry=carries, **masks)
    forwards = both.forward(XS, initial_carry=carries[0], **masks)
    backwards = both.backward(XS, initial_carry=carries[1], reverse=True, **masks)
    close((forward, backward), (forwards[0], backwards[0]))
    close(ys, jnp.concatenate([forwards[1], backwards[1]], axis=-1))


def test_bidirectional_over_packed_rows_equals_the_sequences_alone():
    # A row of 2 + 4 and a row of 1 + 3 with padding; each piece alone, from fresh states.
    both = make_both()
    packed = jnp.zeros((2, T), bool).at[jnp.array([0, 1]), jnp.array([2, 1])].set(True)
    _, ys = both(XS[:2], seq_lengths=jnp.array([6, 4]), resets=packed)
    for b, start, end in [(0, 0, 2), (0, 2, 6), (1, 0, 1), (1, 1, 4)]:
        close(ys[b, start:end], both(XS[b, start:end])[1])
    assert not ys[1, 4:].any()


def test_any_merge():
    both = make_both(merge=jnp.add)
    _, ys = both(XS)
    close(ys, both.forward(XS)[1] + both.backward(XS, reverse=True)[1])


def test_deep_bidirectional_layers_see_both_directions():
    layers = nnx.List([make_both(), Bidirectional(make(lstm(2 * H, 2)), make(lstm(2 * H, 2)))])
    xs = XS
    for layer in layers:
        _, xs = layer(xs, **MASKS)
    assert xs.shape == (B, T, 4)
    # Through the layer below, the forward half of the top has seen the last input at step 0.
    first = lambda inputs: layers[1](layers[0](inputs)[1])[1][0, 0, :2].sum()
    assert jax.grad(first)(XS)[0, -1].all()


def test_deep_stacks_in_two_directions():
    deep = lambda: make(stack(lstm(D, 5), gru(5, H)))
    both = Bidirectional(deep(), deep())
    ((lower, upper), _), ys = both(XS, **MASKS)
    assert (lower.h.shape, upper.shape, ys.shape) == ((B, 5), (B, H), (B, T, 2 * H))


@each_module
def test_under_jit_and_nnx_jit(module):
    expected = module(XS, **MASKS)
    call = lambda module, xs, masks: module(xs, **masks)
    close(jax.jit(call)(module, XS, MASKS), expected)
    close(nnx.jit(call)(module, XS, MASKS), expected)
    close(jax.jit(lambda xs, masks: module(xs, **masks))(XS, MASKS), expected)
    close(nnx.jit(lambda xs, masks: module(xs, **masks))(XS, MASKS), expected)


@each_module
def test_masks_and_module_closed_over_in_jit(module):
    close(jax.jit(lambda xs: module(xs, **MASKS))(XS), module(XS, **MASKS))


@each_module
def test_under_scan(module):
    many = numbers(jnp.zeros((2, B, T, D)), seed=7)
    expected = [module(xs)[1] for xs in many]
    closed = jax.lax.scan(lambda total, xs: (total + 1, module(xs)[1]), 0, many)
    carried = jax.lax.scan(lambda module, xs: (module, module(xs)[1]), module, many)
    assert closed[0] == 2
    close(list(closed[1]), expected)
    close(list(carried[1]), expected)
    close(nnx.state(carried[0]), nnx.state(module))


@each_module
def test_under_vmap_over_inputs(module):
    expected = module(XS, **MASKS)
    alone = lambda xs, masks: module(xs, **masks)
    given = lambda module, xs, masks: module(xs, **masks)
    close(jax.vmap(alone)(XS, MASKS), expected)
    close(jax.vmap(given, in_axes=(None, 0, 0))(module, XS, MASKS), expected)
    close(nnx.vmap(given, in_axes=(None, 0, 0))(module, XS, MASKS), expected)


@pytest.mark.parametrize("make_one", [make, make_both], ids=["RNN", "Bidirectional"])
def test_under_vmap_over_seeds(make_one):
    ones = [make_one(seed=seed) for seed in (0, 10)]
    graph = nnx.graphdef(ones[0])
    many = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(nnx.state, ones))
    call = lambda module, xs: module(xs, **MASKS)[1]
    expected = [call(one, XS) for one in ones]
    close(list(nnx.vmap(call, in_axes=(0, None))(nnx.merge(graph, many), XS)), expected)
    mapped = jax.vmap(lambda state, xs: call(nnx.merge(graph, state), xs), in_axes=(0, None))
    close(list(mapped(many, XS)), expected)


def test_modules_are_made_under_vmap_over_keys():
    keys = jax.random.split(jax.random.key(0), 2)
    many = nnx.vmap(lambda key: RNN(lstm(D, H), rngs=nnx.Rngs(key)))(keys)
    assert nnx.as_pure(many.params).w_x.shape == (2, D, 4 * H)
    one = RNN(lstm(D, H), rngs=nnx.Rngs(keys[1]))
    ys = nnx.vmap(lambda rnn, xs: rnn(xs)[1], in_axes=(0, None))(many, XS)
    close(ys[1], one(XS)[1])
    assert not np.allclose(ys[0], ys[1])


@each_module
def test_an_optimizer_step_lowers_a_loss(module):
    module = nnx.clone(module)
    optimizer = nnx.Optimizer(module, optax.sgd(0.01), wrt=nnx.Param)

    @nnx.jit
    def update(module, optimizer, masks):
        loss = lambda module: (module(XS, **masks)[1] ** 2).sum()
        value, gradient = nnx.value_and_grad(loss)(module)
        optimizer.update(module, gradient)
        return value, gradient

    before, gradient = update(module, optimizer, MASKS)
    assert all(leaf.any() for leaf in jax.tree.leaves(gradient))
    assert update(module, optimizer, MASKS)[0] < before


@pytest.mark.parametrize("learn", [False, True])
def test_the_state_is_params_and_nothing_else(learn):
    cell = CELLS["stack"]
    rnn = RNN(cell, rngs=nnx.Rngs(0), learn_initial_carry=learn)
    leaves = jax.tree.leaves(nnx.state(rnn), is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))
    assert {type(leaf) for leaf in leaves} == {nnx.Param}
    expected = jax.eval_shape(cell.init, jax.random.key(0))
    count = len(jax.tree.leaves((expected, cell.initial_carry() if learn else None)))
    assert len(leaves) == count
    close(nnx.as_pure(rnn.params), cell.init(nnx.Rngs(0).params()))


def test_calling_a_module_changes_nothing():
    rnn = make()
    before = nnx.to_pure_dict(nnx.state(rnn))
    close(rnn(XS), rnn(XS))
    assert_close(nnx.to_pure_dict(nnx.state(rnn)), before, rtol=0, atol=0)


@each_module
def test_split_and_merge(module):
    graph, state = nnx.split(module)
    close(nnx.merge(graph, state)(XS, **MASKS), module(XS, **MASKS))
    doubled = nnx.merge(graph, jax.tree.map(lambda leaf: 2 * leaf, state))
    assert not np.allclose(doubled(XS)[1], module(XS)[1])


def dtypes(tree):
    return {leaf.dtype.name for leaf in jax.tree.leaves(tree)}


@pytest.mark.parametrize(
    ("dtype", "given"), [(jnp.bfloat16, jnp.float32), (None, jnp.bfloat16)], ids=["asked", "given"]
)
def test_bfloat16_compute_with_float32_parameters_and_state(dtype, given):
    rnn = make(lstm(D, H, dtype=dtype), learn_initial_carry=True)

    @nnx.jit
    def run(rnn, xs, masks):
        loss = lambda rnn: rnn(xs, **masks)[1].astype(jnp.float32).sum()
        return rnn(xs, **masks), nnx.grad(loss)(rnn)

    (carry, ys), gradient = run(rnn, XS.astype(given), MASKS)
    assert dtypes(ys) == {"bfloat16"}
    assert dtypes((carry, nnx.state(rnn), gradient)) == {"float32"}
    exact = make(learn_initial_carry=True)(XS, **MASKS)[1]
    assert_close(ys.astype(jnp.float32), exact, rtol=0, atol=0.05)


def test_float32_stays_float32_when_float64_is_on(x64):
    assert dtypes(make()(jnp.ones((2, T, D), jnp.float32))) == {"float32"}
    assert dtypes(make()(jnp.ones((2, T, D), jnp.float64))) == {"float64"}


def test_two_modules_of_the_same_seed_are_the_same_and_share_nothing():
    one, other = RNN(elman(D, H), rngs=nnx.Rngs(0)), RNN(elman(D, H), rngs=nnx.Rngs(0))
    rngs = nnx.Rngs(0)
    first, second = RNN(elman(D, H), rngs=rngs), RNN(elman(D, H), rngs=rngs)
    close(one(XS), other(XS))
    assert not np.allclose(first(XS)[1], second(XS)[1])
