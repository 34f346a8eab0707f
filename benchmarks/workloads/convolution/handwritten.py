"""Each as one call of XLA."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.trial_gradient import Gradient
from benchmarks.workload import Task


def conv(
    x: jax.Array, kernel: jax.Array, *, stride: int, padding: int | str, groups: int
) -> jax.Array:
    """A convolution with channels last."""
    axes = kernel.ndim - 2
    letters = "DHW"[3 - axes :]
    pads = (kernel.shape[0] - 1, 0) if isinstance(padding, str) else (padding, padding)
    return lax.conv_general_dilated(
        x, kernel, (stride,) * axes, [pads] * axes,
        dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
        feature_group_count=groups,
    )  # fmt: skip


def max_pool(x: jax.Array, *, size: int) -> jax.Array:
    """The largest of each window."""
    window = (1, size, size, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")


def build(task: Task, variant: str) -> Gradient:
    """Its gradient."""
    settings = task.settings
    if "pool" in settings:
        operation = functools.partial(max_pool, size=settings["pool"])
    else:
        options = {name: settings[name] for name in ("stride", "padding", "groups")}
        operation = functools.partial(conv, **options)
    return Gradient(operation, task.data, variant)
