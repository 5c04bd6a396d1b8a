"""Sampling from a step function whose distribution is known."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrnn.generate import sample

LOGITS = jnp.log(jnp.array([0.5, 0.3, 0.15, 0.05]))


def independent(params, carry, symbols):
    """Every symbol has the same distribution whatever came before; the carry counts."""
    return carry + 1, jnp.broadcast_to(params, (*symbols.shape, 4))


def successor(params, carry, symbols):
    """After symbol s comes s + 1 mod 4; the carry remembers what was read, base 10."""
    return carry * 10 + symbols, 100.0 * jax.nn.one_hot((symbols + 1) % 4, 4)


def frequencies(**options):
    _, written = sample(
        independent,
        LOGITS,
        jnp.zeros(8000, int),
        jnp.zeros((1, 8000), int),
        length=2,
        key=jax.random.key(0),
        **options,
    )
    return np.bincount(written.ravel(), minlength=4) / written.size


def test_frequencies_are_the_softmax():
    # 16,000 draws: the standard error is below 0.004 in each place.
    np.testing.assert_allclose(frequencies(), [0.5, 0.3, 0.15, 0.05], atol=0.016)


def test_temperature():
    p = np.array([0.5, 0.3, 0.15, 0.05]) ** 2
    np.testing.assert_allclose(frequencies(temperature=0.5), p / p.sum(), atol=0.016)
    assert frequencies(temperature=0.0).tolist() == [1, 0, 0, 0]


def test_top_k():
    np.testing.assert_allclose(frequencies(top_k=2), [0.625, 0.375, 0, 0], atol=0.016)
    assert frequencies(top_k=1).tolist() == [1, 0, 0, 0]
    np.testing.assert_allclose(frequencies(top_k=9), frequencies(), atol=0)


def test_reads_the_prompt_and_then_itself():
    carry, written = sample(
        successor,
        None,
        jnp.zeros(2, int),
        jnp.array([[1, 0], [3, 2]]),
        length=3,
        key=jax.random.key(0),
    )
    assert written.T.tolist() == [[0, 1, 2], [3, 0, 1]]
    assert carry.tolist() == [1301, 230]  # prompt and all that was written but the last


def test_one_symbol_without_batch():
    _, written = sample(
        successor, None, jnp.zeros((), int), jnp.array([2]), length=2, key=jax.random.key(0)
    )
    assert written.tolist() == [3, 0]


def test_the_key_decides():
    def draw(seed):
        carry, prompt = jnp.zeros(50, int), jnp.zeros((1, 50), int)
        key = jax.random.key(seed)
        return sample(independent, LOGITS, carry, prompt, length=4, key=key)[1].tolist()

    assert draw(1) == draw(1) != draw(2)


def test_compiled_once_for_any_values():
    traced = chex.assert_max_traces(independent, n=2)  # once to read the prompt, once to write
    for seed in range(3):
        sample(
            traced,
            LOGITS * (seed + 1),
            jnp.zeros(2, int),
            jnp.full((5, 2), seed),
            length=6,
            key=jax.random.key(seed),
            temperature=0.5 + seed,
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "`length` must be a positive integer; got 0"),
        ({"top_k": 0}, "`top_k` must be a positive integer; got 0"),
        ({"temperature": -1.0}, "`temperature` must not be negative; got -1.0"),
        ({"prompt": jnp.zeros((0, 2), int)}, "`prompt` must hold at least one symbol"),
    ],
)
def test_wrong_arguments(options, message):
    arguments = {"prompt": jnp.zeros((1, 2), int), "length": 3, "key": jax.random.key(0)}
    arguments |= options
    with pytest.raises(ValueError, match=message):
        sample(independent, LOGITS, jnp.zeros(2, int), arguments.pop("prompt"), **arguments)
