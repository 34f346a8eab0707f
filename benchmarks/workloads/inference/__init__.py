"""Forward passes of the networks that other workloads train: one example, and many."""

from importlib import import_module

import numpy as np

from benchmarks.workload import Settings, Workload

WORKLOAD = Workload(
    title="Inference",
    cases={
        "cpu": {
            f"{network}, batch {batch}": {"network": network, "batch": batch}
            for network in ("mlp", "cnn", "gpt")
            for batch in (1, 64)
        }
    },
    contenders={
        "jaxnet": ("jit",),
        "handwritten": ("jit",),
        "pytorch": ("eager", "compiled"),
    },
    unit="call",
    items="batch",
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Inputs such as those of the training."""
    arrays = import_module(f"benchmarks.workloads.{settings['network']}").data(settings)
    return {"x": arrays["ids"][:, :-1] if "ids" in arrays else arrays["x"]}
