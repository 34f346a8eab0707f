"""The network as layers, the step as ``train_step``, in mixed precision."""

from typing import Any

import jax

import jaxnet as jn
from benchmarks.model_flops import transformer
from benchmarks.networks.gpt import GPT, gpt
from benchmarks.trial_jax import Training, training
from benchmarks.workload import Settings, Task


def network(settings: Settings, **repeat: Any) -> GPT:
    """The network of a case."""
    vocabulary, width, depth, heads, length = settings["network"]
    return gpt(vocabulary, width, depth, heads, length, repeat=repeat)


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters."""
    ids = jax.ShapeDtypeStruct((1, settings["network"][-1]), "int32")
    return network(settings).init(jax.random.key(0), ids)


def build(task: Task, variant: str) -> Training:
    """Its training; the loss takes the logits in chunks unless it is said to be full."""
    settings = task.settings
    net = network(settings, scan=True) if variant == "scanned" else network(settings)

    def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
        ids = batch["ids"]
        if variant == "full loss":
            return jn.losses.softmax_cross_entropy(net(params, ids[:, :-1], key=key), ids[:, 1:])
        return net.loss(params, ids, key)

    tx = jn.optim.adamw(3e-4, weight_decay=0.1)
    made = training(task, loss_fn, tx, variant, precision=settings["dtype"])
    _, width, depth, _, length = settings["network"]
    read = sum(x.size for path, x in task.weights.items() if path != "position/kernel")
    made.figures["flops"] = transformer(read, settings["tokens"], depth, width, length)
    return made
