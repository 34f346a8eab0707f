"""What our training steps are made of on an H200, compiled in an environment without one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.hopper import target
from benchmarks.hopper.kernels import kernels

ROOT = Path(__file__).parents[2]


def test_kernels_are_counted_by_kind():
    text = """HloModule step
%fused_computation (p: bf16[8]) -> bf16[8] {
  %p = bf16[8]{0} parameter(0)
  %i = s32[1]{0} constant({0})
  ROOT %scatter.1 = bf16[8]{0} scatter(%p, %i, %p), to_apply=%add
}

%body (t: (s32[], bf16[8])) -> (s32[], bf16[8]) {
  %t = (s32[], bf16[8]{0}) parameter(0)
  %x = bf16[8]{0} get-tuple-element(%t), index=1
  %copy.2 = bf16[8]{0} copy(%x)
  %c = (bf16[8]{0}, u8[4]{0}) custom-call(%x, %x), custom_call_target="__cublas$lt$matmul"
  ROOT %r = (s32[], bf16[8]{0}) tuple(%c)
}

ENTRY %main (a: bf16[8]) -> bf16[8] {
  %a = bf16[8]{0} parameter(0)
  %f = (bf16[8]{0}, u8[0]{0}) custom-call(%a), custom_call_target="__cudnn$fmhaSoftmax"
  %b = (bf16[8]{0}, u8[0]{0}) custom-call(%a), custom_call_target="__cudnn$fmhaSoftmaxBackward"
  %v = (bf16[8]{0}, u8[0]{0}) custom-call(%a), custom_call_target="__cudnn$convForward"
  %while.1 = (s32[], bf16[8]{0}) while(%a), condition=%cond, body=%body
  ROOT %fusion = bf16[8]{0} fusion(%a), kind=kInput, calls=%fused_computation
}
"""
    assert kernels(text) == {
        "products": 1, "attention forward": 1, "attention backward": 1, "convolutions": 1,
        "fusion": 1, "scatter": 1, "copy": 1, "while": 1,
    }  # fmt: skip


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax_plugins", None)
    assert "scripts/hopper makes an environment" in (target.missing() or "")


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """All programs by name, made in a process of their own, for its settings are its own."""
    if problem := target.missing():
        pytest.skip(problem)
    out = tmp_path_factory.mktemp("hopper") / "hopper.json"
    command = [sys.executable, "-m", "benchmarks.hopper", "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    return {row["program"]: row for row in json.loads(out.read_text())["rows"]}


@pytest.mark.slow
def test_gpt2(rows):
    row = rows["GPT-2 124M, 64 x 1024"]
    found = row["kernels"]
    # By cuDNN in each block, and no block's is computed twice.
    assert found["attention forward"] == found["attention backward"] == 12
    # Those of the two tables of embeddings; the loss has none.
    assert found["scatter"] <= 2
    assert row["temporary_bytes"] < 30 * 2**30
    assert row["argument_bytes"] < 2 * 2**30


@pytest.mark.slow
def test_resnet(rows):
    found = rows["ResNet-50, 256 x 224 x 224"]["kernels"]
    # 53 convolutions, their kernels' gradients, and those of all inputs but the image.
    assert found["convolutions"] == 53 + 53 + 52
    assert not found["scatter"]


@pytest.mark.slow
def test_lstm(rows):
    found = rows["LSTM 2 x 512, 256 x 128"]["kernels"]
    # A loop for each layer and direction of differentiation.
    assert found["while"] == 4
    assert not found["scatter"]
