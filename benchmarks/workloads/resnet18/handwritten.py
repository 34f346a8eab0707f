"""The same in JAX and optax alone, with running statistics in a tree of their own."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from benchmarks.trial_jax import Training, nested
from benchmarks.workload import Task

AXES = ("NHWC", "HWIO", "NHWC")
BLOCKS = "23456789"


def conv_norm(params: Any, stats: Any, x: jax.Array, stride: int = 1) -> tuple[jax.Array, Any]:
    """A convolution and its batch normalisation, with the statistics after it."""
    kernel, norm, old = params["conv"]["kernel"], params["norm"], stats["norm"]["stats"]
    pads = [(kernel.shape[0] // 2,) * 2] * 2
    x = lax.conv_general_dilated(x, kernel, (stride, stride), pads, dimension_numbers=AXES)
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    count = x.size // x.shape[-1]
    new = {"mean": mean, "var": var * (count / (count - 1))}
    new = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, old, new)
    x = (x - mean) * lax.rsqrt(var + 1e-5) * norm["scale"] + norm["bias"]
    return x, {"norm": {"stats": new}}


def block(params: Any, stats: Any, x: jax.Array) -> tuple[jax.Array, Any]:
    """Two convolutions and the way around them."""
    new, stride = {}, 2 if "short" in params else 1
    y, new["0"] = conv_norm(params["0"], stats["0"], x, stride)
    y, new["1"] = conv_norm(params["1"], stats["1"], jax.nn.relu(y))
    if stride == 2:
        x, new["short"] = conv_norm(params["short"], stats["short"], x, stride)
    return jax.nn.relu(x + y), new


def loss_fn(params: Any, stats: Any, batch: Any) -> tuple[jax.Array, Any]:
    """The cross-entropy, and the statistics after it."""
    new = {}
    x, new["0"] = conv_norm(params["0"], stats["0"], batch["x"])
    x = jax.nn.relu(x)
    for name in BLOCKS:
        x, new[name] = block(params[name], stats[name], x)
    logits = x.mean((1, 2)) @ params["11"]["kernel"] + params["11"]["bias"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]).mean(), new


def build(task: Task, variant: str) -> Training:
    """Its training."""
    tx = optax.sgd(0.01, momentum=0.9)

    def step(state: Any, batch: Any) -> tuple[Any, jax.Array]:
        params, stats, opt_state = state
        gradient = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, stats), grads = gradient(params, stats, batch)
        updates, opt_state = tx.update(grads, opt_state)
        return (optax.apply_updates(params, updates), stats, opt_state), loss

    weights = {path: jnp.asarray(x) for path, x in task.weights.items()}
    params = nested({path: x for path, x in weights.items() if "stats" not in path})
    stats = nested({path: x for path, x in weights.items() if "stats" in path})
    return Training(step, (params, stats, tx.init(params)), task.data)
