"""Convolution of many kinds and max-pooling, each with its gradients."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from benchmarks.workload import Settings, Workload


def _case(x: list[int], kernel: list[int], **options: Any) -> dict[str, Any]:
    return {"x": x, "kernel": kernel, "stride": 1, "padding": 1, "groups": 1} | options


CASES = {
    "3x3, 1 to 16": _case([32, 28, 28, 1], [3, 3, 1, 16]),
    "3x3, 16 to 16": _case([32, 28, 28, 16], [3, 3, 16, 16]),
    "3x3, 64 to 64": _case([64, 8, 8, 64], [3, 3, 64, 64]),
    "3x3 by 2, 32 to 32": _case([32, 16, 16, 32], [3, 3, 32, 32], stride=2),
    "1x1, 64 to 64": _case([32, 14, 14, 64], [1, 1, 64, 64], padding=0),
    "3x3, 8 groups": _case([32, 14, 14, 64], [3, 3, 8, 64], groups=8),
    "3x3 depthwise": _case([32, 14, 14, 64], [3, 3, 1, 64], groups=64),
    "5 causal, 1-D": _case([32, 128, 32], [5, 32, 32], padding="CAUSAL"),
    "3x3x3, 3-D": _case([4, 8, 8, 8, 16], [3, 3, 3, 16, 32]),
    "max pool 2x2": {"x": [32, 32, 32, 64], "pool": 2},
}
WORKLOAD = Workload(
    title="Convolution",
    cases={"cpu": CASES},
    contenders={
        "jaxnet": ("alone", "in a loop"),
        "handwritten": ("alone", "in a loop"),
        "pytorch": ("", "channels-last"),
    },
    unit="value and gradients",
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """A random input, and a kernel that keeps its scale."""
    rng = np.random.default_rng(0)
    point = {"x": rng.standard_normal(settings["x"], np.float32)}
    if "kernel" in settings:
        shape = settings["kernel"]
        point["kernel"] = rng.standard_normal(shape, np.float32) / np.prod(shape[:-1]) ** 0.5
    return {name: x.astype(np.float32) for name, x in point.items()}


def some(gradients: Iterable[np.ndarray]) -> list[float]:
    """Entries of each, relative to its largest, in the axes of ``data``; enough to meet maxima."""
    spread = (x.ravel()[:: max(1, x.size // 40)] / np.abs(x).max() for x in gradients)
    return np.concatenate([*spread]).tolist()
