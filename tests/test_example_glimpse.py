"""The example of glimpses, at reduced size."""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest


def main(example, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["glimpse.py", *map(str, arguments)])
    return example.main()


def test_it_learns_to_read_and_draws(example, monkeypatch, tmp_path, capsys):
    given = ["--steps", 100, "--glimpses", 3, "--field", 10, "--out", tmp_path / "out", "--json"]
    assert main(example, monkeypatch, *given) == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    assert 0.1 <= result["chance"] < 0.2
    assert min(result["accuracy"], result["at_random"]) > 2.5 * result["chance"]
    assert f"3 glimpses: {result['accuracy']:.1%}" in out
    assert f"at random places: {result['at_random']:.1%}" in out
    assert (tmp_path / "out" / "glimpse.png").read_bytes().startswith(b"\x89PNG")


def test_the_other_network_looks_around_the_centre_whatever_it_sees(example):
    training, _ = example.digits()
    model = example.trained(training, example.Options(steps=3, glimpses=4), chooses=False)
    assert not model.look(jnp.asarray(training.images[:5])).locations.any()
    drawn = model.look(jnp.asarray(training.images[:500]), key=jax.random.key(0)).locations[1:]
    np.testing.assert_allclose(drawn.std((0, 1)), 0.4, rtol=0.1)


def test_a_field_that_is_too_small_is_one_line(example, monkeypatch, tmp_path, capsys):
    assert main(example, monkeypatch, "--field", 7, "--out", tmp_path / "out") == 2
    assert (
        capsys.readouterr().err == "error: `field` must be at least 8, for a digit to fit; got 7\n"
    )


@pytest.mark.parametrize("name", ["steps", "glimpses"])
def test_bad_input_is_one_line(name, example, monkeypatch, tmp_path, capsys):
    assert main(example, monkeypatch, f"--{name}", 0, "--out", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: `{name}` must be a positive integer; got 0")
    assert len(error.splitlines()) == 1 and not (tmp_path / "out").exists()
