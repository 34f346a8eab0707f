import jax
import numpy as np
import pytest

from benchmarks.worker import write_arrays
from benchmarks.workload import Task, contender, find
from benchmarks.workloads.convolution import CASES as CONVOLUTIONS


def small(name, *slow):
    """Its cases in sizes for a CPU; those named slow take many seconds."""
    for case, settings in find(name).cases["small"].items():
        marks = [pytest.mark.slow] if case in slow else []
        yield pytest.param(name, settings, id=f"{name}-{case}", marks=marks)


def convolution(case):
    """With fewer pixels."""
    shape = case["x"]
    most = 4 if len(shape) == 5 else 8
    return case | {"x": [2, *(min(most, n) for n in shape[1:-1]), shape[-1]]}


VIT = {"network": (4, 16, 2, 2, 10), "size": 8, "batch": 2}
CASES = [
    pytest.param("mlp", {"batch": 2}, id="mlp"),
    pytest.param("cnn", {"batch": 2}, id="cnn"),
    pytest.param("vit", VIT, id="vit", marks=pytest.mark.slow),
    pytest.param("resnet18", {"batch": 2}, id="resnet18", marks=pytest.mark.slow),
    pytest.param("gpt", {"batch": 1}, id="gpt", marks=pytest.mark.slow),
    *(
        pytest.param("inference", {"network": network, "batch": 2}, id=f"inference-{network}")
        for network in ("mlp", "cnn", "gpt")
    ),
    *(
        pytest.param("convolution", convolution(case), id=f"convolution-{name}")
        for name, case in CONVOLUTIONS.items()
    ),
    *small("lstm"),
    *small("gru"),
    *small("decode", "bfloat16"),
    *small("vit_b", "float32", "bfloat16"),
    *small("resnet50", "float32", "bfloat16"),
    *small("gpt2", "float32", "bfloat16"),
    *small("memory", "GPT", "CNN"),
]


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_jaxnet_computes_what_the_handwritten_programs_do(name, settings, tmp_path):
    workload = find(name)
    task = Task(name, settings, "cpu", str(tmp_path / "arrays.npz"))
    write_arrays(task)
    with jax.numpy_rank_promotion("allow"):  # as the others are run
        right, *others = (
            (variant, contender(name, who).build(task, variant).check())
            for who in ("jaxnet", "handwritten")
            for variant in workload.contenders[who]
            if "steps" not in variant
        )
    assert np.isfinite(right[1]).all()
    most = workload.tolerance * np.abs(right[1]).max()
    for variant, numbers in others:
        np.testing.assert_allclose(numbers, right[1], rtol=0, atol=most, err_msg=variant)


@pytest.mark.parametrize("name", ["gpt2", "resnet50", "vit_b", "decode"])
def test_what_a_gpu_is_measured_by_is_its_16_bit_peak(name):
    assert {settings["dtype"] for settings in find(name).cases["gpu"].values()} == {"bfloat16"}
