"""The same in Equinox."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from benchmarks.trial_equinox import training
from benchmarks.trial_jax import Training
from benchmarks.workload import Task


class Net(eqx.Module):
    """For one image, channels first."""

    layers: list[eqx.nn.Conv2d | eqx.nn.Linear]

    def __call__(self, x: jax.Array) -> jax.Array:
        *convs, dense, head = self.layers
        for conv in convs:
            x = jax.nn.relu(conv(x))
        x = eqx.nn.MaxPool2d(2, 2)(x).ravel()
        return head(jax.nn.relu(dense(x)))


def network(task: Task) -> Net:
    """With the task's weights."""
    weights, layers = task.weights, []
    # It flattens channels before pixels.
    pixels = weights["6/kernel"].reshape(144, 64, 128)
    weights["6/kernel"] = pixels.swapaxes(0, 1).reshape(9216, 128)
    for i in (0, 2, 6, 8):
        kernel, bias = jnp.asarray(weights[f"{i}/kernel"]), jnp.asarray(weights[f"{i}/bias"])
        *size, inputs, outputs = kernel.shape
        kind, rest = (eqx.nn.Conv2d, (size,)) if size else (eqx.nn.Linear, ())
        layer = kind(inputs, outputs, *rest, key=jax.random.key(0))
        own = kernel.transpose(-1, -2, *range(len(size))), bias.reshape(layer.bias.shape)
        layers.append(eqx.tree_at(lambda layer: (layer.weight, layer.bias), layer, own))
    return Net(layers)


def build(task: Task, variant: str) -> Training:
    """Its training."""

    def loss_of(net: Net, batch: dict[str, jax.Array]) -> jax.Array:
        logits = jax.vmap(net)(batch["x"])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]).mean()

    batch = task.data | {"x": task.data["x"].transpose(0, 3, 1, 2)}
    return training(network(task), loss_of, optax.adam(1e-3), batch)
