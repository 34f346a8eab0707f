"""Optimizers against the update rules of PyTorch and Keras, written out in NumPy float64."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn, optim, train, tree

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


def test_own_states_can_be_mapped_like_parameters() -> None:
    for tx in (optim.adafactor(), optim.nadam(), optim.averaging(optim.rprop())):
        specs = tree.map_paths(lambda path, _: path, PARAMS)
        mapped = optax.tree.map_params(tx, lambda _, x: x, tx.init(PARAMS), specs)
        assert set(tree.flatten(PARAMS)) <= set(map(str, jax.tree.leaves(mapped)))


def test_patterns_may_name_frozen_leaves() -> None:
    tx = optim.freeze(optim.adamw(0.1, decay="body/**"), "body/**")
    updates, _ = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    assert not updates["body"]["kernel"].any()  # pyright: ignore


def test_each_path_has_its_optimizer_and_its_factor() -> None:
    tx = optim.by_path({"**/kernel": optim.muon(0.1), "**": optim.gradient_descent(1.0)})
    tx = optim.scale_by_path(tx, {"head/**": 0.5, "**": 1.0})
    updates: Any = tx.update(PARAMS, tx.init(PARAMS), PARAMS)[0]
    np.testing.assert_allclose(updates["body"]["bias"], -1)
    np.testing.assert_allclose(updates["head"]["bias"], -0.5)
    alone = optim.muon(0.1)
    kernels = {name: {"kernel": PARAMS[name]["kernel"]} for name in PARAMS}
    wanted: Any = alone.update(kernels, alone.init(kernels), kernels)[0]
    np.testing.assert_allclose(updates["body"]["kernel"], wanted["body"]["kernel"], rtol=1e-6)
    np.testing.assert_allclose(updates["head"]["kernel"], wanted["head"]["kernel"] / 2, rtol=1e-6)


@pytest.mark.parametrize("name", ["value", "norm", "leaf_norm", "ratio"])
def test_clips(name: str) -> None:
    rng = np.random.default_rng(0)
    grads = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32), PARAMS)
    tx = optim.clip(optim.gradient_descent(1.0), **{name: 0.3})
    updates = tree.flatten(tx.update(grads, tx.init(PARAMS), PARAMS)[0])
    whole = math.sqrt(sum(float((g**2).sum()) for g in jax.tree.leaves(grads)))
    for path, grad in tree.flatten(grads).items():
        norm = np.linalg.norm(grad)
        axes = 0 if grad.ndim == 2 else None
        unit = np.linalg.norm(grad, axis=axes, keepdims=True)
        weight = np.maximum(np.linalg.norm(np.ones_like(grad), axis=axes, keepdims=True), 1e-3)
        wanted = {
            "value": np.clip(grad, -0.3, 0.3),
            "norm": grad * min(1, 0.3 / whole),
            "leaf_norm": grad * min(1, 0.3 / norm),
            "ratio": grad * np.minimum(1, 0.3 * weight / unit),
        }[name]
        np.testing.assert_allclose(-updates[path], wanted, rtol=1e-5, err_msg=path)


def test_averages_are_their_closed_forms() -> None:
    def run(tx: Any, steps: int = 5) -> tuple[list[Array], Any]:
        params, state, path = {"w": jnp.zeros(2)}, tx.init({"w": jnp.zeros(2)}), []
        for i in range(steps):
            grads = {"w": jnp.array([1.0, -2.0]) * (i + 1)}
            updates, state = tx.update(grads, state, params)
            params = jax.tree.map(jnp.add, params, updates)
            path.append(np.asarray(params["w"]))
        return path, optim.averaged(state, params)["w"]

    path, mean = run(optim.averaging(optim.gradient_descent(0.1), start=2))
    np.testing.assert_allclose(mean, np.mean(path[2:], 0), rtol=1e-6)
    path, mean = run(optim.averaging(optim.gradient_descent(0.1), decay=0.9))
    wanted = path[0]
    for w in path[1:]:
        wanted = 0.9 * wanted + 0.1 * w
    np.testing.assert_allclose(mean, wanted, rtol=1e-6)


def test_looking_ahead_is_its_closed_form() -> None:
    tx = optim.lookahead(optim.gradient_descent(1.0), steps=3, rate=0.25)
    w, fast, slow, state = {"w": jnp.zeros(())}, 0.0, 0.0, tx.init({"w": jnp.zeros(())})
    for i in range(7):
        updates, state = tx.update({"w": jnp.ones(())}, state, w)
        w = jax.tree.map(jnp.add, w, updates)
        fast -= 1
        if i % 3 == 2:
            slow += 0.25 * (fast - slow)
            fast = slow
        np.testing.assert_allclose(w["w"], fast, rtol=1e-6)


def test_constraints_hold_after_each_step() -> None:
    rules = {"head/kernel": optim.non_negative, "body/kernel": optim.max_norm(0.5)}
    tx = optim.constrain(optim.gradient_descent(0.7), {**rules, "*/bias": optim.unit_norm})
    updates, _ = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    new: Any = optax.apply_updates(PARAMS, updates)
    assert (new["head"]["kernel"] >= 0).all()
    np.testing.assert_allclose(
        np.linalg.norm(new["body"]["kernel"], axis=0), 0.3 * 2**0.5, rtol=1e-5
    )
    np.testing.assert_allclose(new["head"]["bias"], 1, rtol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: optim.averaging(optim.adafactor()),
        lambda: optim.plateau(optim.asgd()),
        lambda: optim.lookahead(optim.clip(optim.nadam(), norm=1.0)),
        lambda: optax.contrib.schedule_free_adamw(0.1),
        lambda: optax.contrib.sam(
            optim.sgd(0.1), optim.sgd(0.05), opaque_mode=False, sync_period=2
        ),
        lambda: optim.lbfgs(),
        lambda: optim.by_path({"**/kernel": optim.muon(0.05), "**": optim.sparse_adam(0.1)}),
    ],
    ids=["averaging", "plateau", "lookahead", "schedule-free", "sam", "lbfgs", "by-path"],
)
def test_train_step_takes_every_optimizer(make: Any) -> None:
    net, x = nn.MLP(4, 1), jax.random.normal(jax.random.key(0), (8, 3))

    def loss_fn(params: Any, x: jax.Array, key: Any) -> jax.Array:
        return jnp.square(net(params, x, key=key) - x[:, :1]).mean()

    tx = make()
    state = train.TrainState.create(net.init(jax.random.key(1), x), tx, jax.random.key(2))
    step = train.train_step(loss_fn, tx)
    losses = []
    for _ in range(20):
        state, metrics = step(state, x)
        losses.append(metrics["loss"])
    assert losses[-1] < losses[0]
