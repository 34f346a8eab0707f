"""The network as layers, the step as ``train_step``, in mixed precision."""

from typing import Any

import jax

import jaxnet as jn
from benchmarks.model_flops import transformer
from benchmarks.networks.vit import vit
from benchmarks.trial_jax import Training, training
from benchmarks.workload import Settings, Task


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters."""
    images = jax.ShapeDtypeStruct((1, settings["size"], settings["size"], 3), "float32")
    return vit(*settings["network"]).init(jax.random.key(0), images)


def build(task: Task, variant: str) -> Training:
    """Its training."""
    settings = task.settings
    net = vit(*settings["network"])

    def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
        return jn.losses.softmax_cross_entropy(net(params, batch["x"], key=key), batch["y"])

    tx = jn.optim.adamw(1e-4, weight_decay=0.05)
    made = training(task, loss_fn, tx, variant, precision=settings["dtype"])
    patch, width, depth, _, _ = settings["network"]
    length = (settings["size"] // patch) ** 2 + 1
    read = sum(x.size for path, x in task.weights.items() if path.startswith(("blocks", "patches")))
    made.figures["flops"] = transformer(read, settings["batch"] * length, depth, width, length)
    return made
