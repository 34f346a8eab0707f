"""Our losses against PyTorch's and Keras's in float64; see golden/make_torch.py."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from jaxnet import losses, tree

FILE = Path(__file__).parent / "golden" / "losses.safetensors"
with safe_open(FILE, framework="numpy") as file:
    CASES: dict[str, Any] = json.loads(file.metadata()["cases"])
ARRAYS = tree.unflatten(load_file(FILE))
# PyTorch's bound of 1e-12 on p (1 - p) is a float32 even at float64.
TOLERANCES = {"bce_sure": 1e-8}


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient(name: str) -> None:
    arrays = ARRAYS[name]
    inputs = (jax.numpy.asarray(arrays["predictions"]), jax.numpy.asarray(arrays["targets"]))
    # Not under jit, so that what a loss checks where it sees values is happy, too.
    value, grad = jax.value_and_grad(loss_of(name))(*inputs)
    assert value.dtype == grad.dtype == np.float64
    close(value, arrays["mean"])
    close(grad, arrays["grad"], TOLERANCES.get(name, 1e-10))


@pytest.mark.parametrize("name", CASES)
def test_each_example(name: str) -> None:
    # One by one, lest the largest hide all others in the mean.
    arrays = ARRAYS[name]
    actual = jax.jit(jax.vmap(loss_of(name)))(arrays["predictions"], arrays["targets"])
    close(actual, arrays["each"].reshape(len(actual), -1).mean(1))


def loss_of(name: str) -> Any:
    case = CASES[name]
    return functools.partial(getattr(losses, case["call"]), **case["options"])


def close(actual: Any, expected: Any, tolerance: float = 1e-10) -> None:
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=1e-14)
