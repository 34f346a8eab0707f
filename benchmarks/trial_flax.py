"""A training step of Flax NNX as a trial."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from benchmarks.trial_jax import Training


def load(net: nnx.Module, arrays: dict[str, np.ndarray]) -> None:
    """Put arrays into the parameters of these paths; all must be given, in their shapes."""
    flat = nnx.to_flat_state(nnx.state(net, nnx.Param))
    names = ["/".join(map(str, path)) for path, _ in flat]
    if sorted(names) != sorted(arrays):
        raise ValueError(f"the network has {sorted(names)}, but was given {sorted(arrays)}")
    for name, (_, x) in zip(names, flat, strict=True):
        if x.shape != arrays[name].shape:
            raise ValueError(f"{name} is {x.shape}, but was given {arrays[name].shape}")
        x[...] = jnp.asarray(arrays[name])
    nnx.update(net, nnx.from_flat_state(flat))


def training(
    net: nnx.Module,
    loss_of: Callable[[Any, Any], jax.Array],
    tx: optax.GradientTransformation,
    batch: dict[str, np.ndarray],
    *,
    bound: bool = True,
) -> Training:
    """The step of its guides; ``bound`` to the network and the optimizer for a short dispatch."""
    optimizer = nnx.Optimizer(net, tx, wrt=nnx.Param)

    @nnx.jit
    def train(net, optimizer, batch):
        loss, grads = nnx.value_and_grad(loss_of)(net, batch)
        optimizer.update(net, grads)
        return loss

    bind = nnx.cached_partial if bound else functools.partial
    once = bind(train, net, optimizer)

    def step(loss, batch):
        # The network and its optimizer change in place.
        loss = once(batch)
        return loss, loss

    return Training(step, jnp.zeros(()), batch, compiled=True)
