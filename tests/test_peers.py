"""Other libraries as outside references: their weights, imported, give their outputs."""

import os
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import peer_weights
from cases import D, H, assert_close, numbers
from jaxrnn import LSTMState, elman, gru, lstm, stack, unroll

pytestmark = pytest.mark.peer

PEERS = {"torch", "nnx", "linen", "keras", "haiku", "equinox"}
T, B = 5, 3
XS = numbers(jnp.zeros((T, B, D)))
START = numbers(jnp.zeros((B, H)), seed=1), numbers(jnp.zeros((B, H)), seed=2)

relu = partial(elman, activation=jax.nn.relu)
KINDS = {
    # name: (torch's class and options, our cell, how its weights are imported)
    "rnn-tanh": ("RNN", {"nonlinearity": "tanh"}, elman, peer_weights.torch_rnn),
    "rnn-relu": ("RNN", {"nonlinearity": "relu"}, relu, peer_weights.torch_rnn),
    "lstm": ("LSTM", {}, lstm, peer_weights.torch_lstm),
    "gru": ("GRU", {}, gru, peer_weights.torch_gru),
}
WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def through_both_directions(cells, params, carries, xs, seq_lengths):
    """A deep network each of whose layers sees both directions of the one below."""
    after = []
    for n, cell in enumerate(cells):
        forward, backward = (
            unroll(cell, params[m], carries[m], xs, seq_lengths=seq_lengths, reverse=m > 2 * n)
            for m in (2 * n, 2 * n + 1)
        )
        after += [forward[0], backward[0]]
        xs = jnp.concatenate([forward[1], backward[1]], axis=-1)
    return tuple(after), xs


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_torch(kind, layers, directions, x64):
    """Outputs, final carries and the gradients of every weight, over ragged lengths."""
    torch = pytest.importorskip("torch")
    name, options, make, rule = KINDS[kind]
    options = options | {"num_layers": layers, "bidirectional": directions == 2}
    network = getattr(torch.nn, name)(D, H, **options).double()
    weights = {key: np.asarray(leaf.detach()) for key, leaf in network.named_parameters()}
    weights = numbers(weights, seed=3)
    network.load_state_dict({key: torch.tensor(np.asarray(w)) for key, w in weights.items()})

    lengths = jnp.array([5, 1, 3])
    carries = [numbers(jnp.zeros((layers * directions, B, H)), seed) for seed in (1, 2)]
    xs, d_ys = numbers((jnp.zeros((T, B, D)), jnp.zeros((T, B, directions * H))), seed=4)
    given = [torch.tensor(np.asarray(c), requires_grad=True) for c in carries]
    xs_given = torch.tensor(np.asarray(xs), requires_grad=True)

    # Theirs: packed, and the outputs padded with zeros again.
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        xs_given, torch.tensor(np.asarray(lengths)), enforce_sorted=False
    )
    packed_ys, final = network(packed, tuple(given) if kind == "lstm" else given[0])
    their_ys, _ = torch.nn.utils.rnn.pad_packed_sequence(packed_ys, total_length=T)
    final = final if kind == "lstm" else (final,)
    # The outputs weighed at random, each final state by its initial one.
    loss = (their_ys * torch.tensor(np.asarray(d_ys))).sum()
    loss = loss + sum((last * first.detach()).sum() for last, first in zip(final, given))  # noqa: B905
    loss.backward()

    # Ours: the same number from the same weights, so that gradients are in torch's own weights.
    sizes = [D] + [directions * H] * (layers - 1)
    cells = [make(size, H) for size in sizes]
    suffixes = [f"_l{n}{way}" for n in range(layers) for way in ("", "_reverse")[:directions]]

    def run(weights, carries, xs):
        params = [rule(*(weights[key + suffix] for key in WEIGHTS)) for suffix in suffixes]
        starts = [
            LSTMState(carries[0][n], carries[1][n]) if kind == "lstm" else carries[0][n]
            for n in range(layers * directions)
        ]
        if directions == 2:
            return through_both_directions(cells, params, starts, xs, lengths)
        return unroll(stack(*cells), tuple(params), tuple(starts), xs, seq_lengths=lengths)

    @jax.jit
    def run_with_gradients(*arguments):
        (after, ys), pullback = jax.vjp(run, *arguments)
        states = jax.tree.map(lambda *leaves: jnp.stack(leaves), *after)
        return (states, ys), pullback((per_layer(arguments[1]), d_ys))

    def per_layer(carries):
        """The loss weighs each final state by its initial one."""
        if kind == "lstm":
            return tuple(LSTMState(h, c) for h, c in zip(*carries, strict=True))
        return tuple(carries[0])

    outputs, gradients = run_with_gradients(weights, carries, xs)
    detached = lambda leaf: leaf.detach().numpy()
    assert_close(outputs, (tuple(map(detached, final)), detached(their_ys)))
    theirs = {key: leaf.grad.numpy() for key, leaf in network.named_parameters()}
    assert_close(gradients[0], theirs)
    assert_close(gradients[1][0], given[0].grad.numpy())
    if kind == "lstm":
        assert_close(gradients[1][1], given[1].grad.numpy())
    assert_close(gradients[2], xs_given.grad.numpy())
    assert all(np.any(leaf != 0) for leaf in jax.tree.leaves(gradients[0]))


def compare(cell, params, ys, after, start=None):
    """Ours over `XS` from `START`, against a peer's outputs and final state."""
    if start is None:
        start = LSTMState(*START) if isinstance(after, tuple) else START[0]
    assert_close(unroll(cell, params, start, XS), (after, ys), rtol=1e-5, atol=1e-6)


def by_steps(step, carry):
    """Runs a peer's `step(carry, x) -> (carry, y)` over `XS`."""
    ys = []
    for x in XS:
        carry, y = step(carry, x)
        ys.append(y)
    return carry, jnp.stack(ys)


@pytest.mark.parametrize(
    ("name", "make", "rule"),
    [
        ("SimpleCell", elman, peer_weights.nnx_simple),
        ("LSTMCell", lstm, peer_weights.nnx_lstm),
        ("OptimizedLSTMCell", lstm, peer_weights.nnx_optimized_lstm),
        ("GRUCell", gru, peer_weights.nnx_gru),
    ],
)
def test_flax_nnx(name, make, rule):
    nnx = pytest.importorskip("flax.nnx")
    cell = getattr(nnx, name)(D, H, rngs=nnx.Rngs(0))
    weights = numbers(nnx.to_pure_dict(nnx.state(cell, nnx.Param)))
    nnx.update(cell, weights)
    # Flax's LSTM carries (c, h).
    after, ys = by_steps(cell, START[::-1] if make is lstm else START[0])
    compare(make(D, H), rule(weights), ys, after[::-1] if make is lstm else after)


@pytest.mark.parametrize(
    ("name", "make", "rule"),
    [
        ("SimpleCell", elman, peer_weights.linen_simple),
        ("LSTMCell", lstm, peer_weights.linen_lstm),
        ("OptimizedLSTMCell", lstm, peer_weights.linen_lstm),
        ("GRUCell", gru, peer_weights.linen_gru),
    ],
)
def test_flax_linen(name, make, rule):
    linen = pytest.importorskip("flax.linen")
    cell = getattr(linen, name)(features=H)
    start = START[::-1] if make is lstm else START[0]
    variables = numbers(cell.init(jax.random.key(0), start, XS[0]))
    after, ys = by_steps(partial(cell.apply, variables), start)
    compare(make(D, H), rule(variables["params"]), ys, after[::-1] if make is lstm else after)


@pytest.fixture
def keras(monkeypatch):
    # Keras reads its backend once, when it is imported.
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "jax"))
    return pytest.importorskip("keras")


@pytest.mark.parametrize(
    ("name", "options", "make", "rule"),
    [
        ("SimpleRNN", {}, elman, peer_weights.keras_simple),
        ("LSTM", {}, lstm, peer_weights.keras_lstm),
        ("GRU", {"reset_after": True}, gru, peer_weights.keras_gru),
    ],
)
def test_keras(name, options, make, rule, keras):
    layer = getattr(keras.layers, name)(H, return_sequences=True, return_state=True, **options)
    layer.build((B, T, D))
    # Not by get_weights, whose conversion to NumPy makes JAX's arrays warn.
    weights = numbers([variable.value for variable in layer.weights])
    for variable, weight in zip(layer.weights, weights, strict=True):
        variable.assign(weight)
    start = list(START) if make is lstm else START[0]
    ys, *after = layer(XS.swapaxes(0, 1), initial_state=start)
    compare(
        make(D, H), rule(*weights), ys.swapaxes(0, 1), tuple(after) if make is lstm else after[0]
    )


@pytest.mark.parametrize(
    ("name", "make", "rule"),
    [
        ("VanillaRNN", relu, peer_weights.haiku_vanilla),
        ("LSTM", lstm, partial(peer_weights.haiku_lstm, in_size=D)),
    ],
)
def test_haiku(name, make, rule):
    hk = pytest.importorskip("haiku")
    state = (lambda *leaves: hk.LSTMState(*leaves)) if make is lstm else (lambda h, c: h)

    def forward(xs):
        return hk.dynamic_unroll(getattr(hk, name)(H), xs, state(*START))

    network = hk.without_apply_rng(hk.transform(forward))
    weights = numbers(network.init(jax.random.key(0), XS))
    ys, after = network.apply(weights, XS)
    compare(make(D, H), rule(weights), ys, tuple(after) if make is lstm else after)


def test_equinox_lstm():
    eqx = pytest.importorskip("equinox")
    cell = numbers(eqx.nn.LSTMCell(D, H, key=jax.random.key(0)))
    step = lambda carry, x: (after := jax.vmap(cell)(x, carry), after[0])
    after, ys = by_steps(step, START)
    params = peer_weights.equinox_lstm(cell.weight_ih, cell.weight_hh, cell.bias)
    compare(lstm(D, H), params, ys, after)


def test_equinox_gru():
    eqx = pytest.importorskip("equinox")
    cell = numbers(eqx.nn.GRUCell(D, H, key=jax.random.key(0)))
    step = lambda carry, x: (after := jax.vmap(cell)(x, carry), after)
    after, ys = by_steps(step, START[0])
    params = peer_weights.equinox_gru(cell.weight_ih, cell.weight_hh, cell.bias, cell.bias_n)
    compare(gru(D, H), params, ys, after)


def test_every_rule_says_itself_in_one_line():
    rules = {name for name in dir(peer_weights) if name.split("_")[0] in PEERS}
    assert {name.split("_")[0] for name in rules} == PEERS
    for name in rules:
        doc = getattr(peer_weights, name).__doc__
        assert doc and "\n" not in doc and doc.endswith(".")
