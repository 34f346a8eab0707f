"""Our optimizers against PyTorch's and Keras's, 20 steps in float64; see golden/make_torch.py."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest
from safetensors.numpy import load_file

from jaxnet import optim

ARRAYS = load_file(Path(__file__).parent / "golden" / "optim.safetensors")
EXACT = {"b1": 1 - 2**-3, "b2": 1 - 2**-10}
OPTIMIZERS: dict[str, Callable[[], optax.GradientTransformation]] = {
    "torch_sgd": lambda: optim.sgd(0.1),
    "torch_momentum": lambda: optim.sgd(0.1, momentum=0.9),
    "torch_nesterov": lambda: optim.sgd(0.1, momentum=0.9, nesterov=True),
    "torch_adam": lambda: optim.adam(0.01),
    "torch_adamw": lambda: optim.adamw(0.01),
    "keras_adam": lambda: optim.adam(0.01, preset="keras"),
    "keras_adam_exact": lambda: optim.adam(0.01, preset="keras", **EXACT),
    "keras_adamw": lambda: optim.adamw(0.01, preset="keras"),
}
# Keras rounds its default betas to float32, and so knows 1 - 0.999 to five digits.
TOLERANCES = {"keras_adam": 1e-4, "keras_adamw": 1e-3}


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def test_every_path_is_followed() -> None:
    assert set(OPTIMIZERS) == set(ARRAYS) - {"start", "grads"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_takes_the_same_steps(name: str) -> None:
    # What was gone from the start, since some entries move by 1e-3 of their size in all.
    actual = follow(OPTIMIZERS[name]()) - ARRAYS["start"]
    expected = ARRAYS[name] - ARRAYS["start"]
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCES.get(name, 1e-10), atol=1e-14)


def follow(optimizer: optax.GradientTransformation) -> np.ndarray:
    """Parameters ``[20, n]`` after each step."""

    def step(carry: Any, grad: jax.Array) -> Any:
        params, state = carry
        updates, state = optimizer.update({"w": grad}, state, params)
        params: Any = optax.apply_updates(params, updates)
        return (params, state), params["w"]

    start = {"w": jax.numpy.asarray(ARRAYS["start"])}
    path = jax.lax.scan(step, (start, optimizer.init(start)), jax.numpy.asarray(ARRAYS["grads"]))[1]
    assert path.dtype == np.float64
    return np.asarray(path)
