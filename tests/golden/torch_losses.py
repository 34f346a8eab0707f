"""The contents of losses.safetensors: PyTorch's losses and their gradients, in float64."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

LARGE = [[1e3, -1e3, 0.0], [-1e3, -1e3, -1e3], [0.0, 40.0, -40.0], [1e300, 0.0, -1e300]]


def arrays() -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """All arrays by name, and the metadata: each case's jaxnet function and options."""
    made, config = {}, {}
    for name, (call, options, loss, predictions, targets) in cases().items():
        config[name] = {"call": call, "options": options}
        predictions = torch.tensor(predictions, dtype=torch.float64, requires_grad=True)
        each = loss(predictions, torch.as_tensor(targets), reduction="none")
        mean = loss(predictions, torch.as_tensor(targets), reduction="mean")
        mean.backward()
        tensors = {"predictions": predictions, "targets": torch.as_tensor(targets), "each": each,
                   "mean": mean, "grad": predictions.grad}  # fmt: skip
        # In C order, since the format stores memory as it lies.
        made |= {f"{name}/{k}": np.array(x.detach(), order="C") for k, x in tensors.items()}
    return made, {"cases": json.dumps(config)}


def cases() -> dict[str, tuple[str, dict[str, Any], Callable[..., Tensor], Any, Any]]:
    """By name: jaxnet's function and options, PyTorch's function, predictions and targets."""
    rng = np.random.default_rng(0)
    guess, truth = rng.standard_normal((2, 4, 3)) * 2
    truth[0, 0] = guess[0, 0]  # no error at all: |x| has a kink there
    mse, mae, huber = "mean_squared_error", "mean_absolute_error", "huber"
    found = {
        "mse": (mse, {}, F.mse_loss, guess, truth),
        "mse_vector": (mse, {}, F.mse_loss, guess[:, 0], truth[:, 0]),
        "mae": (mae, {}, F.l1_loss, guess, truth),
        "huber": (huber, {}, F.huber_loss, guess, truth),
        "huber_delta": (huber, {"delta": 0.4}, given(F.huber_loss, delta=0.4), guess, truth),
    }
    sure = np.array([0.0, 1.0, 0.0, 1.0, 1e-300, 0.5, 1e-8, 1.0 - 1e-8])
    labels = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    soft = rng.uniform(size=8)
    call, loss = "binary_cross_entropy", F.binary_cross_entropy
    found |= {
        "bce": (call, {}, loss, rng.uniform(0.01, 0.99, 8), labels),
        "bce_soft": (call, {}, loss, rng.uniform(0.01, 0.99, 8), soft),
        "bce_sure": (call, {}, loss, sure, labels),
    }
    call, loss = "sigmoid_cross_entropy", F.binary_cross_entropy_with_logits
    logits = np.array([0.0, 1.0, -50.0, 50.0, 1e4, -1e4, 1e4, 1e300])
    found |= {
        "bce_logits": (call, {}, loss, rng.standard_normal(8), labels),
        "bce_logits_soft": (call, {}, loss, rng.standard_normal(8), soft),
        "bce_logits_large": (call, {}, loss, logits, labels),
    }
    call, loss = "softmax_cross_entropy", F.cross_entropy
    logits = rng.standard_normal((4, 3))
    masked = logits.copy()
    masked[0, 1] = masked[1, 0] = -np.inf
    ids, shares = np.array([0, 1, 2, 2]), rng.dirichlet(np.ones(3), 4)
    smooth = given(loss, label_smoothing=0.1)
    found |= {
        "ce": (call, {}, loss, logits, ids),
        "ce_one": (call, {}, loss, logits[:, :1], np.zeros(4, int)),
        "ce_large": (call, {}, loss, np.array(LARGE), ids),
        "ce_masked": (call, {}, loss, masked, ids),
        "ce_smooth": (call, {"smoothing": 0.1}, smooth, logits, ids),
        "ce_shares": (call, {}, loss, logits, shares),
        "ce_shares_one_hot": (call, {}, loss, logits, np.eye(3)[ids]),
        "ce_shares_large": (call, {}, loss, np.array(LARGE), shares),
    }
    return found


def given(loss: Callable[..., Tensor], **options: Any) -> Callable[..., Tensor]:
    return lambda *args, **more: loss(*args, **more, **options)
