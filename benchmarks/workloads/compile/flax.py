"""The same in Flax NNX, its blocks in ``nnx.scan``, and one after the other."""

from typing import Any

import jax
import optax
from flax import nnx

from benchmarks.trial_compile import Compiling
from benchmarks.trial_flax import load
from benchmarks.trial_jax import Training
from benchmarks.weights import unstacked
from benchmarks.workload import Task
from benchmarks.workloads.compile import HEADS, LENGTH, VOCABULARY, WIDTH
from benchmarks.workloads.gpt2.flax import GPT, Block, loss_of


class Scanned(GPT):
    """With one block, whose parameters are stacked."""

    def __init__(self, depth: int) -> None:
        super().__init__(VOCABULARY, WIDTH, 0, HEADS, LENGTH, "float32")

        @nnx.split_rngs(splits=depth)
        @nnx.vmap(in_axes=(0,), out_axes=0)
        def blocks(rngs):
            return Block(WIDTH, HEADS, {"rngs": rngs})

        self.blocks = blocks(nnx.Rngs(0))

    def __call__(self, ids: jax.Array) -> jax.Array:
        x = self.embed(ids) + self.position[...]
        x = nnx.scan(lambda x, block: block(x), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)(
            x, self.blocks
        )
        return self.embed.attend(self.norm(x))


def build(task: Task, variant: str) -> Compiling:
    """Its step, a function of arrays as ``nnx.split`` gives them."""
    weights = task.weights
    if variant == "unrolled":
        weights = unstacked(weights)
        net = GPT(VOCABULARY, WIDTH, task.settings["blocks"], HEADS, LENGTH, "float32")
    else:
        net = Scanned(task.settings["blocks"])
    weights["embed/embedding"] = weights.pop("embed/kernel")
    weights["position"] = weights.pop("position/kernel")
    load(net, weights)
    optimizer = nnx.Optimizer(net, optax.adamw(3e-4, weight_decay=0.1), wrt=nnx.Param)
    definition, state = nnx.split((net, optimizer))

    def step(state: Any, batch: Any) -> tuple[Any, jax.Array]:
        net, optimizer = nnx.merge(definition, state)
        loss, grads = nnx.value_and_grad(loss_of)(net, batch)
        optimizer.update(net, grads)
        return nnx.state((net, optimizer)), loss

    return Compiling(Training(step, state, task.data))
