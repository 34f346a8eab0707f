"""A training step of Equinox as a trial."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.trial_jax import Training

# Its names of jaxnet's leaves.
NAMES = {"kernel": "weight", "scale": "weight"}


def load(net: Any, weights: dict[str, np.ndarray]) -> Any:
    """The network with jaxnet's weights by its own paths; all must be given, in their shapes.

    A kernel ``layers/0/kernel [I, O]`` becomes ``layers/0/weight [O, I]``.
    """
    arrays = {}
    for path, x in weights.items():
        parent, _, leaf = path.rpartition("/")
        x = x.swapaxes(-1, -2) if leaf == "kernel" else x
        arrays[f"{parent}/{NAMES.get(leaf, leaf)}".removeprefix("/")] = x
    params, rest = eqx.partition(net, eqx.is_inexact_array)
    found, structure = jax.tree_util.tree_flatten_with_path(params)
    shapes = {jax.tree_util.keystr(k, simple=True, separator="/"): x.shape for k, x in found}
    if shapes != {path: x.shape for path, x in arrays.items()}:
        raise ValueError(f"the network has {shapes}, but was given {sorted(arrays)}")
    return eqx.combine(structure.unflatten(jnp.asarray(arrays[path]) for path in shapes), rest)


def training(
    net: Any,
    loss_of: Callable[[Any, Any], jax.Array],
    tx: optax.GradientTransformation,
    batch: dict[str, np.ndarray],
) -> Training:
    """The step of its guides, with the state donated."""
    params, rest = eqx.partition(net, eqx.is_inexact_array)

    @eqx.filter_jit(donate="all-except-first")
    def train(batch, state):
        params, opt_state = state
        net = eqx.combine(params, rest)
        loss, grads = eqx.filter_value_and_grad(loss_of)(net, batch)
        updates, opt_state = tx.update(grads, opt_state, params)
        return (eqx.apply_updates(params, updates), opt_state), loss

    state = params, tx.init(params)
    return Training(lambda state, batch: train(batch, state), state, batch, compiled=True)
