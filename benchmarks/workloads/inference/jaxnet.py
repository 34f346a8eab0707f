"""The network itself, compiled."""

from typing import Any

from benchmarks.trial_jax import Inference, nested
from benchmarks.workload import Settings, Task, contender
from jaxnet.analysis.cost import flops


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters."""
    return contender(settings["network"], "jaxnet").weights(settings)


def build(task: Task, variant: str) -> Inference:
    """Its calls."""
    net = contender(task.settings["network"], "jaxnet").NET
    made = Inference(net, nested(task.weights), task.data["x"])
    made.figures["flops"] = flops(net, made.params, made.x)
    return made
