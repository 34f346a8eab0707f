"""The softmax over frequent and rare classes."""

from typing import Any

import numpy as np
import torch
from case import Case
from torch import Tensor

X = np.random.default_rng(0).standard_normal((6, 8))
LABELS = np.array([0, 3, 4, 6, 9, 2])


def adaptive(name: str, x: Any, labels: Any, cutoffs: list[int], **options: Any) -> Case:
    div, bias = options.get("div_value", 4.0), options.get("bias", False)
    edges = [*cutoffs, 10]
    params = {"head": {"kernel": (8, cutoffs[0] + len(cutoffs))}, "tail": {}}
    if bias:
        params["head"]["bias"] = (cutoffs[0] + len(cutoffs),)
    for i in range(len(cutoffs)):
        width = int(8 // div ** (i + 1))
        params["tail"][str(i)] = {
            "0": {"kernel": (8, width)},
            "1": {"kernel": (width, edges[i + 1] - edges[i])},
        }

    def reference(p: dict[str, Any], x: Tensor, labels: Tensor) -> Tensor:
        net = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 10, cutoffs, div, bias)
        leaves = {"head.weight": p["head"]["kernel"].T}
        if bias:
            leaves["head.bias"] = p["head"]["bias"]
        for i, tail in p["tail"].items():
            leaves |= {f"tail.{i}.{j}.weight": part["kernel"].T for j, part in tail.items()}
        args = x.reshape(-1, 8), labels.reshape(-1)
        return torch.func.functional_call(net, leaves, args).output.reshape(labels.shape)

    options |= {"classes": 10, "cutoffs": cutoffs}
    return Case(name, "nn.AdaptiveLogSoftmax", reference, (x, labels), options, params)


CASES = [
    adaptive("adaptive_one_cutoff", X, LABELS, [4]),
    adaptive(
        "adaptive", X.reshape(2, 3, 8), LABELS.reshape(2, 3), [3, 6], div_value=2.0, bias=True
    ),
    adaptive("adaptive_fraction", X[:2], LABELS[2:4], [1, 2, 7], div_value=1.7),
    adaptive("adaptive_vector", X[0], np.array(5), [4]),
]
