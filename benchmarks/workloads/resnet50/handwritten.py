"""The same in JAX and optax alone, with running statistics in a tree of their own."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from benchmarks.parts_jax import cast, linear
from benchmarks.trial_jax import Training, nested
from benchmarks.workload import Task

AXES = ("NHWC", "HWIO", "NHWC")
# The first blocks of a stage, but for the first stage, halve the image.
BLOCKS, HALVING, HEAD = range(3, 19), (6, 10, 16), "20"


def conv_norm(params: Any, stats: Any, x: jax.Array, stride: int = 1) -> tuple[jax.Array, Any]:
    """A convolution and its batch normalisation, with the statistics after it."""
    kernel, norm, old = params["conv"]["kernel"], params["norm"], stats["norm"]["stats"]
    pads = [(kernel.shape[0] // 2,) * 2] * 2
    x = lax.conv_general_dilated(x, kernel, (stride, stride), pads, dimension_numbers=AXES)
    wide = x.astype(jnp.float32)
    mean, var = wide.mean((0, 1, 2)), wide.var((0, 1, 2))
    count = x.size // x.shape[-1]
    new = {"mean": mean, "var": var * (count / (count - 1))}
    new = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, old, new)
    wide = (wide - mean) * (lax.rsqrt(var + 1e-5) * norm["scale"]) + norm["bias"]
    return wide.astype(x.dtype), {"norm": {"stats": new}}


def block(params: Any, stats: Any, x: jax.Array, stride: int) -> tuple[jax.Array, Any]:
    """Three convolutions and the way around them."""
    new = {}
    y, new["0"] = conv_norm(params["0"], stats["0"], x)
    y, new["1"] = conv_norm(params["1"], stats["1"], jax.nn.relu(y), stride)
    y, new["2"] = conv_norm(params["2"], stats["2"], jax.nn.relu(y))
    if "short" in params:
        x, new["short"] = conv_norm(params["short"], stats["short"], x, stride)
    return jax.nn.relu(x + y), new


def logits_of(params: Any, stats: Any, x: jax.Array) -> tuple[jax.Array, Any]:
    """``[B, H, W, 3]`` to ``[B, classes]``, and the statistics after it."""
    new = {}
    x, new["0"] = conv_norm(params["0"], stats["0"], x, 2)
    pads = [(0, 0), (1, 1), (1, 1), (0, 0)]
    x = lax.reduce_window(jax.nn.relu(x), -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), pads)
    for i in BLOCKS:
        x, new[str(i)] = block(params[str(i)], stats[str(i)], x, 2 if i in HALVING else 1)
    return linear(params[HEAD], x.mean((1, 2))), new


def build(task: Task, variant: str) -> Training:
    """Its training."""
    tx, dtype = optax.sgd(1e-3, momentum=0.9), task.settings["dtype"]

    def loss_fn(params: Any, stats: Any, batch: Any) -> tuple[jax.Array, Any]:
        params, images = cast((params, batch["x"]), dtype)
        logits, stats = logits_of(params, stats, images)
        each = optax.softmax_cross_entropy_with_integer_labels(
            logits.astype(jnp.float32), batch["y"]
        )
        return each.mean(), stats

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
