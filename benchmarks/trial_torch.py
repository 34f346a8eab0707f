"""A training step of PyTorch as a trial, plain or at its best."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

CHECKED = 4
# Its names of jaxnet's leaves.
NAMES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}


def device(name: str) -> torch.device:
    """PyTorch's name of a device."""
    return torch.device({"cpu": "cpu", "gpu": "cuda"}[name])


class Training:
    """``loss_of(model, batch)`` and an optimizer on one batch; ``variant`` says how it is run.

    ``"eager"`` is the textbook's loop, ``"fused"`` has the optimizer's fused kernel, ``"compiled"``
    also compiles the model and the loss. With ``"channels-last"`` in it, images and kernels lie in
    memory as the fast kernels want them.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        loss_of: Callable[[torch.nn.Module, dict[str, torch.Tensor]], torch.Tensor],
        optimizer: Callable[..., torch.optim.Optimizer],
        batch: dict[str, np.ndarray],
        variant: str,
        where: str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        self.figures: dict[str, float] = {}
        self.where = device(where)
        # Entering autocast takes time that small steps would notice, even where it is off.
        self.precision = (
            contextlib.nullcontext() if dtype is None else torch.autocast(self.where.type, dtype)
        )
        self.batch = {name: torch.from_numpy(x).to(self.where) for name, x in batch.items()}
        self.model = model.to(self.where)
        if "channels-last" in variant:
            self.model = self.model.to(memory_format=torch.channels_last)
            self.batch = {
                name: x.to(memory_format=torch.channels_last) if x.ndim == 4 else x
                for name, x in self.batch.items()
            }
        fused = {} if "eager" in variant else {"fused": True}
        self.optimizer = optimizer(self.model.parameters(), **fused)
        self.loss_of = torch.compile(loss_of) if "compiled" in variant else loss_of

    def step(self) -> torch.Tensor:
        """One step; its loss."""
        self.optimizer.zero_grad(set_to_none=True)
        with self.precision:
            loss = self.loss_of(self.model, self.batch)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def check(self) -> list[float]:
        """The losses of the first steps."""
        losses = [float(self.step()) for _ in range(CHECKED)]
        self.figures |= peak(self.where)
        return losses

    def run(self, n: int) -> int:
        """So many steps."""
        for _ in range(n):
            self.step()
        if self.where.type == "cuda":
            torch.cuda.synchronize()
        return n


def peak(where: torch.device) -> dict[str, float]:
    """The most bytes of the device that were in use, where it says so."""
    on_gpu = where.type == "cuda"
    return {"peak_bytes": torch.cuda.max_memory_allocated()} if on_gpu else {}


def load(model: torch.nn.Module, arrays: dict[str, Any]) -> None:
    """Copy arrays into the parameters of these names; all must be given, in their shapes."""
    state = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in arrays.items()}
    model.load_state_dict(state, strict=True)


def translated(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """jaxnet's weights as PyTorch's: ``0/kernel [H, W, I, O]`` is ``0.weight [O, I, H, W]``."""
    arrays = {}
    for path, x in weights.items():
        *parents, leaf = path.replace("stats/", "").split("/")
        if leaf == "kernel":
            x = x.transpose(-1, -2, *range(x.ndim - 2))
        arrays[".".join([*parents, NAMES.get(leaf, leaf)])] = x
    return arrays


def channels_first(images: np.ndarray) -> np.ndarray:
    """NHWC as NCHW."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
