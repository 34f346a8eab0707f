"""Our optimizers and schedules against PyTorch's and Keras's in float64; see golden/make_*.py."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from jaxnet import optim, tree
from jaxnet.optim.average import AverageState

GOLDEN = Path(__file__).parents[1] / "golden"
with safe_open(GOLDEN / "optimizers.safetensors", framework="numpy") as file:
    CASES: dict[str, Any] = json.loads(file.metadata()["cases"])
ARRAYS = tree.unflatten(load_file(GOLDEN / "optimizers.safetensors"))
WEIGHTS = [name for name in CASES if "weights" in ARRAYS[name] and name != "lbfgs"]
OF_FUNCTIONS = {
    "scaled": lambda: optim.scaled(0.1, lambda i: 1 / (1 + i)),
    "multiplicative": lambda: optim.multiplicative(0.1, lambda i: 1 - 0.5 / i),
    "sequential": lambda: optim.sequential(parts(), [10]),
    "chained": lambda: optim.chained(0.1, parts()),
}
RATES = [name for name in CASES if "rates" in ARRAYS[name] and name != "plateau"]

KERAS = load_file(GOLDEN / "optim.safetensors")
EXACT: dict[str, Any] = {"b1": 1 - 2**-3, "b2": 1 - 2**-10}
OF_KERAS: dict[str, Callable[[], optax.GradientTransformation]] = {
    "keras_adam": lambda: optim.adam(0.01, preset="keras"),
    "keras_adam_exact": lambda: optim.adam(0.01, preset="keras", **EXACT),
    "keras_adamw": lambda: optim.adamw(0.01, preset="keras"),
}
# Keras rounds its default betas to float32, and so knows 1 - 0.999 to five digits.
TOLERANCES = {"keras_adam": 1e-4, "keras_adamw": 1e-3}


def parts() -> list[Any]:
    return [optim.constant(0.1, factor=0.5, steps=4), optim.exponential(0.1, 0.9)]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def made(name: str) -> Any:
    case = CASES[name]
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in case["options"].items()}
    return getattr(optim, case["call"].removeprefix("optim."))(**options)


@pytest.mark.parametrize("name", WEIGHTS)
def test_takes_the_steps_of_torch(name):
    start, expected = ARRAYS["start"], ARRAYS[name]["weights"]
    path, averages = follow(made(name), start, ARRAYS["grads"])
    # What was gone from the start, since some entries move by 1e-3 of their size in all.
    np.testing.assert_allclose(path - start, expected - start, rtol=1e-10, atol=1e-14)
    if "averages" in ARRAYS[name]:
        np.testing.assert_allclose(averages, ARRAYS[name]["averages"], rtol=1e-10)


@pytest.mark.parametrize("name", OF_KERAS)
def test_takes_the_steps_of_keras(name):
    path, _ = follow(OF_KERAS[name](), KERAS["start"], KERAS["grads"])
    expected = KERAS[name] - KERAS["start"]
    np.testing.assert_allclose(
        path - KERAS["start"], expected, rtol=TOLERANCES.get(name, 1e-10), atol=1e-14
    )


def test_lbfgs_takes_the_steps_of_torch():
    scale = jnp.arange(1.0, 13.0).reshape(4, 3)
    gradient = jax.grad(lambda w: (scale * w**4 / 4 + w**2 / 2).sum())
    path, _ = follow(made("lbfgs"), ARRAYS["start"], np.zeros((20, 1)), lambda w, _: gradient(w))
    np.testing.assert_allclose(path, ARRAYS["lbfgs"]["weights"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", RATES)
def test_has_the_rates_of_torch(name):
    schedule = OF_FUNCTIONS[name]() if name in OF_FUNCTIONS else made(name)
    rates = jax.jit(jax.vmap(schedule))(jnp.arange(60))
    np.testing.assert_allclose(rates, ARRAYS[name]["rates"], rtol=1e-10, atol=1e-15)


def test_a_plateau_shortens_the_steps_as_in_torch():
    tx: Any = optim.plateau(optim.sgd(0.1), factor=0.5, patience=3, cooldown=2, minimum=1e-3 / 0.1)
    params = {"w": jnp.zeros(())}

    def step(state, loss):
        updates, state = tx.update({"w": jnp.ones(())}, state, params, value=loss)
        return state, -updates["w"]

    rates = jax.lax.scan(step, tx.init(params), jnp.asarray(ARRAYS["plateau"]["losses"]))[1]
    np.testing.assert_allclose(rates, ARRAYS["plateau"]["rates"], rtol=1e-10)
    assert len(np.unique(rates)) > 3


def follow(
    tx: optax.GradientTransformation,
    start: np.ndarray,
    grads: np.ndarray,
    gradient: Callable[..., Any] = lambda w, grad: grad,
) -> Any:
    """Parameters after each step, and their averages (or themselves where there are none)."""

    def step(carry: Any, grad: jax.Array) -> Any:
        params, state = carry
        updates, state = tx.update({"w": gradient(params["w"], grad)}, state, params)
        params: Any = optax.apply_updates(params, updates)
        means = optim.averaged(state, params) if isinstance(state, AverageState) else params
        return (params, state), (params["w"], means["w"])

    first = {"w": jnp.asarray(start)}
    path = jax.lax.scan(step, (first, tx.init(first)), jnp.asarray(grads))[1]
    assert all(x.dtype == np.float64 for x in path)
    return tuple(map(np.asarray, path))
