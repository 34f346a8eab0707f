"""Our layers against PyTorch's, values and gradients in float64; see golden/make_torch.py."""

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

from jaxnet import nn, tree
from jaxnet.core import stats
from jaxnet.nn import activation

FILE = Path(__file__).parent / "golden" / "layers.safetensors"
with safe_open(FILE, framework="numpy") as file:
    CASES: dict[str, Any] = json.loads(file.metadata()["cases"])
ARRAYS = tree.unflatten(load_file(FILE))


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", CASES)
def test_equals_torch(name: str) -> None:
    case, arrays = CASES[name], ARRAYS[name]
    grads = dict(arrays["grads"])
    x_grad = grads.pop("x", None)
    y, got, x_got = run(case, arrays.get("params", {}), arrays["x"], arrays["cotangent"])
    assert y.dtype == np.float64
    close(y, arrays["y"])
    if x_grad is not None:
        close(x_got, x_grad)
    weights, running = stats.divide(got)
    close(weights, grads)
    if case["train"]:
        close(stats.update(arrays["params"]["stats"], running["stats"]), arrays["new"]["stats"])


def test_every_activation_is_covered() -> None:
    assert set(activation.__all__) <= {case["call"] for case in CASES.values()}


def run(case: dict[str, Any], params: Any, x: np.ndarray, cotangent: np.ndarray) -> Any:
    """The value, and the gradients of parameters and (if it has one) of the input."""
    options = hashable(case["options"])
    call: Any = getattr(nn, case["call"])
    if case["call"][0].isupper():
        key = jax.random.key(0) if case["train"] else None
        layer = call(**options)
    else:
        key, layer = None, nn.layer(lambda params, x, *, key: call(x, **options))

    # Most of the time goes to compiling; without LLVM's optimizations it is half as much.
    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def pulled(params: Any, x: jax.Array) -> Any:
        y, pull = jax.vjp(lambda *args: layer(*args, key=key), params, x)
        params_grad, x_grad = pull(cotangent)
        return y, params_grad, x_grad if np.issubdtype(x.dtype, np.floating) else None

    return pulled(params, x)


def hashable(options: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    if isinstance(options, dict):
        return {name: hashable(value) for name, value in options.items()}
    return tuple(map(hashable, options)) if isinstance(options, list) else options


def close(actual: Any, expected: Any) -> None:
    actual, expected = tree.flatten({"": actual}), tree.flatten({"": expected})
    assert set(actual) == set(expected)
    for path, x in expected.items():
        np.testing.assert_allclose(actual[path], x, rtol=1e-10, atol=1e-12, err_msg=path)
