"""What does `flax.nnx.RNN` do, and what does jaxrnn do, in the cases that users trip over?

    python benchmarks/flax_differences.py [--json]

Every cell of the table is observed, not remembered: run it on the versions that you have.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from rich.console import Console
from rich.table import Table

from jaxrnn import gru, lstm, nn

B, T, D, H = 2, 5, 3, 4
XS = jnp.asarray(np.random.default_rng(0).normal(size=(B, T, D)), jnp.float32)


def flax_rnn(cell: Any = nnx.LSTMCell, **options: Any) -> Any:
    """A Flax layer; it takes batch-major sequences, as ours does."""
    return nnx.RNN(cell(D, H, rngs=nnx.Rngs(0), **options), rngs=nnx.Rngs(0))


def our_rnn(cell: Any = lstm, **options: Any) -> Any:
    """The same layer of ours."""
    return nn.RNN(cell(D, H, **options), rngs=nnx.Rngs(0))


def length_zero(ours: bool) -> str:
    """The carry of a sequence of no steps."""
    lengths = jnp.array([T, 0])
    if ours:
        carry, _ = our_rnn()(XS, seq_lengths=lengths)
    else:
        carry, _ = flax_rnn()(XS, seq_lengths=lengths, return_carry=True)
    moved = any(bool(jnp.any(leaf[1] != 0)) for leaf in jax.tree.leaves(carry))
    return "has run over the padding" if moved else "the initial carry"


def nan_in_padding(ours: bool) -> str:
    """The gradient of a masked loss when the padding holds NaN."""
    xs = XS.at[1, 3:].set(jnp.nan)
    lengths = jnp.array([T, 3])
    mask = jnp.arange(T) < lengths[:, None]

    def loss(rnn):
        ys = rnn(xs, seq_lengths=lengths)
        ys = ys[1] if ours else ys
        return jnp.sum(jnp.where(mask[..., None], ys, 0) ** 2)

    grads = nnx.grad(loss)(our_rnn() if ours else flax_rnn())
    finite = all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(grads))
    return "finite" if finite else "NaN"


def too_long(ours: bool) -> str:
    """A length of 9 where there are 5 steps."""
    (our_rnn() if ours else flax_rnn())(XS, seq_lengths=jnp.array([T, 9]))
    return "accepted"


def bfloat16(ours: bool) -> str:
    """Output of a bfloat16 layer with float32 parameters."""
    if ours:
        return str(our_rnn(dtype=jnp.bfloat16)(XS)[1].dtype)
    return str(flax_rnn(dtype=jnp.bfloat16, param_dtype=jnp.float32)(XS).dtype)


def closed_over(ours: bool) -> str:
    """The module closed over by `jax.jit`."""
    rnn = our_rnn() if ours else flax_rnn()
    jax.jit(lambda xs: rnn(xs))(XS)
    return "works"


def gru_bias(ours: bool) -> str:
    """The bias inside the reset gate of the GRU, which its equation has."""
    rnn = our_rnn(gru) if ours else flax_rnn(nnx.GRUCell)
    vectors = [leaf.shape for leaf in jax.tree.leaves(nnx.state(rnn, nnx.Param)) if leaf.ndim == 1]
    return "there" if sum(shape[0] for shape in vectors) == 4 * H else "missing"


def zero_padding(ours: bool) -> str:
    """Outputs at padded steps."""
    lengths = jnp.array([T, 3])
    ys = our_rnn()(XS, seq_lengths=lengths)[1] if ours else flax_rnn()(XS, seq_lengths=lengths)
    return "zero" if bool(jnp.all(ys[1, 3:] == 0)) else "computed from the padding"


CASES: list[tuple[str, Callable[[bool], str]]] = [
    ("final carry of a sequence of length 0", length_zero),
    ("outputs at padded steps", zero_padding),
    ("gradient of a masked loss, NaN in the padding", nan_in_padding),
    ("length 9 for 5 steps", too_long),
    ("outputs for dtype=bfloat16, float32 parameters", bfloat16),
    ("module closed over by jax.jit", closed_over),
    ("bias b_hn of the GRU", gru_bias),
]


def observe(case: Callable[[bool], str], ours: bool) -> str:
    """Runs a case; an exception is an observation too."""
    try:
        return case(ours)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"


def main() -> None:
    """Prints the table."""
    versions = {name: importlib.metadata.version(name) for name in ("jax", "flax", "jaxrnn")}
    rows = [(name, observe(case, ours=False), observe(case, ours=True)) for name, case in CASES]
    table = Table("case", f"flax.nnx {versions['flax']}", f"jaxrnn {versions['jaxrnn']}")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    if "--json" in sys.argv[1:]:
        named = [dict(zip(("case", "flax", "jaxrnn"), row, strict=True)) for row in rows]
        print(json.dumps({"versions": versions, "rows": named}))


if __name__ == "__main__":
    main()
