"""Counting the launches of a program, and what is said where it cannot be compiled."""

import sys

import pytest

PROGRAM = """\
HloModule jit_f, is_scheduled=true

%fused_tanh (p: f32[2]) -> f32[2] {
  %copy.9 = f32[2]{0} copy(%p)
  ROOT %tanh.1 = f32[2]{0} tanh(%copy.9)
}

%body.1 (state: (s32[], f32[2])) -> (s32[], f32[2]) {
  %x = f32[2]{0} get-tuple-element(%state), index=1
  %gemm = (f32[2]{0}, s8[64]{0}) custom-call(%x, %x), custom_call_target="__cublas$gemm"
  %act = f32[2]{0} fusion(%x), kind=kLoop, calls=%fused_tanh
  ROOT %out = (s32[], f32[2]{0}) tuple(%x, %act)
}

%condition.1 (state: (s32[], f32[2])) -> pred[] {
  ROOT %less = pred[] compare(%x, %x), direction=LT
}

ENTRY %main.3 (a: f32[2]) -> f32[2] {
  %start = f32[2]{0} fusion(%a), kind=kLoop, calls=%fused_tanh
  %loop = (s32[], f32[2]{0}) while(%start), condition=%condition.1, body=%body.1, \
backend_config={"known_trip_count":{"n":"4"}}
  %again = (s32[], f32[2]{0}) while(%loop), condition=%condition.1, body=%body.1, \
backend_config={"known_trip_count":{"n":"8"}}
  ROOT %end = f32[2]{0} copy(%again)
}
"""


@pytest.fixture(scope="module")
def kernels(benchmarks):
    return benchmarks("kernels")


def run(kernels, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["kernels.py", *arguments])
    return kernels.main()


def test_launches_in_loops_count_for_each_turn_and_those_in_fusions_not_at_all(kernels):
    # Two kernels in 4 and again in 8 turns of two and of one step.
    assert kernels.launches(PROGRAM, length=8) == (2 * (4 + 8) / 8, 2)
    without_loops = "\n".join(line for line in PROGRAM.splitlines() if "while" not in line)
    assert kernels.launches(without_loops, length=8) == (0, 2)


def test_a_loop_in_a_loop_counts_for_each_turn_of_that(kernels):
    body, rest = PROGRAM.split("%condition.1 (", 1)
    inner = """\
%chunk.2 (state: (s32[], f32[2])) -> (s32[], f32[2]) {
  %steps = (s32[], f32[2]{0}) while(%state), condition=%condition.1, body=%body.1, \
backend_config={"known_trip_count":{"n":"4"}}
  ROOT %moved = (s32[], f32[2]{0}) copy(%steps)
}
"""
    nested = f"{body}{inner}\n%condition.1 ({rest.replace('body=%body.1', 'body=%chunk.2')}"
    assert kernels.launches(nested, length=48) == ((4 + 8) * (4 * 2 + 1) / 48, 2)


def test_a_loop_of_unknown_length_is_not_passed_over(kernels):
    with pytest.raises(ValueError, match="`program` must say how often each loop turns"):
        kernels.launches(PROGRAM.replace("known_trip_count", "other"), length=8)


def test_without_the_plugin_it_says_what_to_install(kernels, monkeypatch, capsys):
    def missing(**options):  # as JAX has it
        raise NotImplementedError("topology not implemented for cuda")

    monkeypatch.setattr(kernels.topologies, "get_topology_desc", missing)
    assert run(kernels, monkeypatch) == 2
    assert "pip install 'jax[cuda13]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", "1,2,3"), "must be four positive integers"),
        (("--size", "1,2,3,4;1,2,3,4"), "`size` must be one B,T,D,H; got 1,2,3,4;1,2,3,4"),
        (("--ways", "fast"), "`ways` must be among scan, "),
    ],
)
def test_wrong_options_are_one_line(options, message, kernels, monkeypatch, capsys):
    assert run(kernels, monkeypatch, *options) == 2
    out, err = capsys.readouterr()
    assert not out and message in err.splitlines()[-1]
