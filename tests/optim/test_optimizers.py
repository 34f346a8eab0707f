"""Optimizers against the update rules of PyTorch and Keras, written out in NumPy float64."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import optim, tree

type Array = np.ndarray
type Rule = Callable[[Array, Array, int, dict[str, Any]], Array]  # (w, g, t from 1, memory) -> w

GRADS = np.random.default_rng(0).standard_normal((50, 4)) * np.array([1.0, 1e2, 1e-4, 1e-7])
START = np.array([1.0, -2.0, 0.5, 0.0])


def torch_sgd(rate: float, momentum: float, nesterov: bool) -> Rule:
    def step(w: Array, g: Array, t: int, memory: dict[str, Any]) -> Array:
        buffer = memory["m"] = g if t == 1 else momentum * memory["m"] + g
        return w - rate * (g + momentum * buffer if nesterov else buffer)

    return step


def moments(g: Array, memory: dict[str, Any]) -> tuple[Array, Array]:
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g**2
    return memory["m"], memory["v"]


def torch_adam(rate: float, eps: float = 1e-8, decay: float = 0) -> Rule:
    def step(w: Array, g: Array, t: int, memory: dict[str, Any]) -> Array:
        m, v = moments(g, memory)
        w = w * (1 - rate * decay)
        return w - rate / (1 - 0.9**t) * m / (np.sqrt(v) / np.sqrt(1 - 0.999**t) + eps)

    return step


def keras_adam(rate: float, decay: float = 0) -> Rule:
    def step(w: Array, g: Array, t: int, memory: dict[str, Any]) -> Array:
        m, v = moments(g, memory)
        w = w - w * decay * rate
        return w - m * rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) / (np.sqrt(v) + 1e-7)

    return step


def oracle(rule: Rule) -> Array:
    w, memory, path = START, {}, []
    for t, g in enumerate(GRADS, 1):
        w = rule(w, g, t, memory)
        path.append(w)
    return np.stack(path)


def follow(tx: optax.GradientTransformation) -> Array:
    """The weights after each step, in float64."""

    def step(carry: Any, g: jax.Array) -> Any:
        params, state = carry
        updates, state = tx.update({"w": g}, state, params)
        params: Any = optax.apply_updates(params, updates)
        return (params, state), params["w"]

    with jax.enable_x64(True):
        params = {"w": jnp.asarray(START)}
        path = jax.lax.scan(step, (params, tx.init(params)), jnp.asarray(GRADS))[1]
        assert path.dtype == jnp.float64
        return np.asarray(path)


CASES = {
    "gradient descent": (lambda: optim.gradient_descent(0.1), torch_sgd(0.1, 0, False)),
    "sgd": (lambda: optim.sgd(0.1), torch_sgd(0.1, 0, False)),
    "momentum": (lambda: optim.sgd(0.1, momentum=0.9), torch_sgd(0.1, 0.9, False)),
    "nesterov": (lambda: optim.sgd(0.1, momentum=0.9, nesterov=True), torch_sgd(0.1, 0.9, True)),
    "adam": (lambda: optim.adam(0.01), torch_adam(0.01)),
    "adam eps": (lambda: optim.adam(0.01, eps=1e-4), torch_adam(0.01, 1e-4)),
    "adam keras": (lambda: optim.adam(0.01, preset="keras"), keras_adam(0.01)),
    "adamw": (lambda: optim.adamw(0.01), torch_adam(0.01, decay=1e-2)),
    "adamw decay": (lambda: optim.adamw(0.01, weight_decay=0.5), torch_adam(0.01, decay=0.5)),
    "adamw keras": (lambda: optim.adamw(0.01, preset="keras"), keras_adam(0.01, 4e-3)),
}


@pytest.mark.parametrize("name", CASES)
def test_follows_the_rule(name: str) -> None:
    make, rule = CASES[name]
    np.testing.assert_allclose(follow(make()), oracle(rule), rtol=1e-9, atol=1e-12)


def test_the_presets_of_adam_differ_only_for_tiny_gradients() -> None:
    apart = np.abs(follow(optim.adam(0.01)) - follow(optim.adam(0.01, preset="keras"))).max(0)
    assert (apart[:2] < 1e-6).all()
    assert apart[2] < 1e-3
    assert apart[3] > 1e-2


@given(st.floats(1e-5, 10), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_a_step_of_gradient_descent(rate: float, seed: int) -> None:
    """w - rate * gradient, of the mean squared error of a linear map."""
    x, w, y = np.random.default_rng(seed).standard_normal((3, 4)).astype(np.float32)
    gradient = x * (x @ w - y[0])
    tx = optim.gradient_descent(rate)
    state = tx.init({"w": jnp.asarray(w)})
    assert not jax.tree.leaves(state)
    updates, _ = tx.update({"w": jnp.asarray(gradient)}, state)
    new: Any = optax.apply_updates({"w": jnp.asarray(w)}, updates)
    np.testing.assert_allclose(new["w"], w - np.float32(rate) * gradient, rtol=1e-5, atol=1e-5)


def test_schedules() -> None:
    schedule = optax.piecewise_constant_schedule(0.1, {25: 0.0})
    for make in (optim.gradient_descent, optim.sgd, optim.adam, optim.adamw):
        path = follow(make(schedule))
        assert (path[25:] == path[25]).all()
        assert not (path[23] == path[24]).all()
        np.testing.assert_allclose(path[:25], follow(make(0.1))[:25], rtol=1e-6)


def test_learning_rates_may_be_traced() -> None:
    """So that one program serves many of them, as in a sweep."""

    def step(rate: jax.Array) -> jax.Array:
        tx = optim.adam(rate)
        w = jnp.ones(2)
        return tx.update(w, tx.init(w), w)[0]  # pyright: ignore

    rates = jnp.array([0.1, 0.2])
    np.testing.assert_allclose(jax.vmap(step)(rates), [[-0.1] * 2, [-0.2] * 2], rtol=1e-4)
    tx = optax.inject_hyperparams(optim.sgd)(learning_rate=0.1, momentum=0.5)
    w = jnp.ones(2)
    np.testing.assert_allclose(tx.update(w, tx.init(w), w)[0], -0.1, rtol=1e-6)  # pyright: ignore


PARAMS = {
    "body": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)},
    "head": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)},
}


def test_decay_reaches_the_leaves_named() -> None:
    tx = optim.adamw(0.1, weight_decay=0.5, decay=("head/kernel", "*/bias"))
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    updates = tree.flatten(tx.update(zeros, tx.init(PARAMS), PARAMS)[0])
    found = {path: float(update.ravel()[0]) for path, update in updates.items()}
    decayed = pytest.approx(-0.05)
    assert found == {
        "body/kernel": 0, "body/bias": decayed, "head/kernel": decayed, "head/bias": decayed
    }  # fmt: skip


def test_frozen_leaves_stay_and_take_no_memory() -> None:
    tx = optim.freeze(optim.adam(0.1), "body/**", "head/bias")
    state = tx.init(PARAMS)
    shapes = [x.shape for x in jax.tree.leaves(state)]
    assert sorted(shapes) == [(), (2, 3), (2, 3)]
    step = jax.jit(lambda params, state: tx.update(params, state, params))
    updates, state = step(PARAMS, state)
    new = optax.apply_updates(PARAMS, updates)  # pyright: ignore
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), PARAMS, new)
    assert tree.flatten(moved) == tree.flatten(tree.select(PARAMS, "head/kernel"))


def test_frozen_leaves_do_not_enter_a_global_norm() -> None:
    inner = optax.chain(optax.clip_by_global_norm(1.0), optim.gradient_descent(1.0))
    tx = optim.freeze(inner, "body/**")
    grads = PARAMS | {"body": jax.tree.map(lambda x: 1e6 * x, PARAMS["body"])}
    updates, _ = tx.update(grads, tx.init(PARAMS), PARAMS)
    np.testing.assert_allclose(optax.tree.norm(updates), 1, rtol=1e-6)


def test_optimizer_states_can_be_mapped_like_parameters() -> None:
    """Which makes the shardings of a state from those of the parameters."""
    tx = optim.freeze(optim.adam(0.1), "body/**")
    specs = tree.map_paths(lambda path, _: path, PARAMS)
    masked = lambda x: isinstance(x, optax.MaskedNode)
    mapped = optax.tree.map_params(tx, lambda _, x: x, tx.init(PARAMS), specs, is_leaf=masked)
    assert {"head/kernel", "head/bias"} <= set(map(str, jax.tree.leaves(mapped)))


RATE = "learning_rate must be a positive number or an optax schedule, but is "
ERRORS = {
    RATE + r"-0.1; Adam often starts from 1e-3.*use freeze": lambda: optim.gradient_descent(-0.1),
    RATE + "0.0;": lambda: optim.sgd(0.0),
    RATE + "nan;": lambda: optim.adam(float("nan")),
    RATE + "inf;": lambda: optim.adamw(float("inf")),
    RATE + "True;": lambda: optim.sgd(True),
    RATE + "'0.1';": lambda: optim.sgd("0.1"),  # pyright: ignore[reportArgumentType]
    RATE + r"Array\(-1., dtype=float32\);": lambda: optim.sgd(jnp.float32(-1)),
    RATE + r"Array\(\[1., 1.\], dtype=float32\);": lambda: optim.sgd(jnp.ones(2)),
    "momentum must be at least 0 and below 1, but is 1.0": lambda: optim.sgd(0.1, momentum=1.0),
    "nesterov=True changes how momentum": lambda: optim.sgd(0.1, nesterov=True),
    "b1 must be at least 0 and below 1, but is -0.1": lambda: optim.adam(0.1, b1=-0.1),
    "b2 must be at least 0 and below 1, but is 1": lambda: optim.adamw(0.1, b2=1),
    "eps must be 0 or positive, but is -1": lambda: optim.adam(0.1, eps=-1),
    "weight_decay must be 0 or positive, but is -1": lambda: optim.adamw(0.1, weight_decay=-1),
    "no preset is called preset='kerras'; did you mean 'keras'":
        lambda: optim.adam(0.1, preset="kerras"),
    "'head/kernle' matches no path; did you mean 'head/kernel'":
        lambda: optim.adamw(0.1, decay="head/kernle").init(PARAMS),
    "'haed/.*' matches no path": lambda: optim.freeze(optim.sgd(0.1), "haed/**").init(PARAMS),
    "freeze needs the paths": lambda: optim.freeze(optim.sgd(0.1)),
}  # fmt: skip


@pytest.mark.parametrize("message", ERRORS)
def test_errors(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ERRORS[message]()
