"""Two devices give what one gives: batch split by `shard_map` and by the compiler."""

import subprocess
import sys
import textwrap

PROGRAM = """
    import jax, jax.numpy as jnp
    from jax.sharding import PartitionSpec as P
    from jaxrnn import Chunked, elman, gru, lstm, unroll

    jax.config.update("jax_num_cpu_devices", 2)
    jax.config.update("jax_enable_x64", True)
    mesh = jax.make_mesh((2,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
    xs, lengths = jax.random.normal(jax.random.key(1), (11, 4, 3)), jnp.array([11, 3, 0, 5])
    by_batch = (P(), P(None, "batch"), P("batch"))
    ways = [
        {"backend": "scan"}, {}, {"backend": Chunked(4, "carries")}, {"remat": 3},
        {"backend": "scan", "remat": 3},
    ]
    for make in (elman, lstm, gru):
        cell = make(3, 5)
        params = cell.init(jax.random.key(0))
        for options in ways:

            def loss(params, xs, lengths):
                carry = cell.initial_carry((xs.shape[1],))
                ys = unroll(cell, params, carry, xs, seq_lengths=lengths, **options)[1]
                return jnp.sum(ys**2)

            def total(params, xs, lengths):
                return jax.lax.psum(loss(params, xs, lengths), "batch")

            def inside(params, xs, lengths):
                value, gradients = jax.value_and_grad(loss, (0, 1))(params, xs, lengths)
                return jax.lax.psum(value, "batch"), gradients

            expected = jax.value_and_grad(loss, (0, 1))(params, xs, lengths)
            outside = jax.shard_map(total, mesh=mesh, in_specs=by_batch, out_specs=P())
            inside = jax.shard_map(
                inside, mesh=mesh, in_specs=by_batch, out_specs=(P(), (P(), P(None, "batch")))
            )
            shardings = tuple(jax.NamedSharding(mesh, spec) for spec in by_batch)
            compiler = jax.jit(jax.value_and_grad(loss, (0, 1)), in_shardings=shardings)
            for way in (jax.value_and_grad(outside, (0, 1)), inside, compiler):
                actual = jax.jit(way)(params, xs, lengths)
                pairs = zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True)
                assert all(jnp.allclose(a, e, 1e-10, 1e-12) for a, e in pairs), (make, options)
    print("equal on", jax.device_count(), "devices")
"""


def test_two_devices_equal_one():
    # The number of devices is fixed when JAX starts, so this takes a process of its own.
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(PROGRAM)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout == "equal on 2 devices\n", result.stderr
