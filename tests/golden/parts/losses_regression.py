"""Losses between numbers, and how all losses are weighed, masked and reduced."""

from typing import Any

import numpy as np
import torch
from case import Case
from torch import Tensor
from torch.nn import functional as F

RNG = np.random.default_rng(0)
GUESS, TRUTH = RNG.standard_normal((2, 4, 3)) * 2
TRUTH[0, 0] = GUESS[0, 0]  # no error at all: |x| has a kink there
COUNTS = np.array([[0, 1, 5], [2, 3, 1]])
POSITIVE = RNG.uniform(0.2, 3, (4, 3))
KEPT = np.array([True, False, True, True])


def reduced(each: Tensor, weights: Any, mask: Any, reduction: str = "mean") -> Tensor:
    """By the definition: weights and mask of the first axes, the mean over what they sum to."""
    ones = torch.ones_like(each)
    w = (
        ones
        if weights is None
        else weights.reshape(*weights.shape, *[1] * (each.ndim - weights.ndim)) * ones
    )
    if mask is not None:
        w = w * mask.reshape(*mask.shape, *[1] * (each.ndim - mask.ndim)) * ones
    if reduction == "none":
        return w * each
    return (w * each).sum() / (w.sum() if reduction == "mean" else 1)


def entry(call: str, fn: Any, *args: Any, name: str = "", **options: Any) -> Case:
    def reference(_: Any, *tensors: Tensor) -> Tensor:
        return fn(*tensors, reduction=options.get("reduction", "mean"))

    return Case(name or call, f"losses.{call}", reference, args, options)


def weighed(call: str, fn: Any, name: str, reduction: str = "mean", **arrays: Any) -> Case:
    def reference(_: Any, p: Tensor, y: Tensor, **given: Tensor) -> Tensor:
        each = fn(p, y, reduction="none")
        return reduced(each, given.get("weights"), given.get("mask"), reduction)

    options = {} if reduction == "mean" else {"reduction": reduction}
    return Case(name, f"losses.{call}", reference, (GUESS, TRUTH), options, arrays=arrays)


def given(fn: Any, **options: Any) -> Any:
    return lambda *args, **more: fn(*args, **options, **more)


def plain(fn: Any) -> Any:
    """A loss without a reference of its own: ``fn`` gives each entry's."""
    return lambda *args, reduction: reduced(fn(*args), None, None, reduction)


def logs(p: Tensor, y: Tensor) -> Tensor:
    return (torch.log1p(y.clamp_min(1e-7)) - torch.log1p(p.clamp_min(1e-7))) ** 2


def counted(p: Tensor, y: Tensor, **options: Any) -> Tensor:
    """PyTorch takes float32 logarithms of ints."""
    return F.poisson_nll_loss(p, y.double(), **options)


def percent(p: Tensor, y: Tensor) -> Tensor:
    return 100 * (y - p).abs() / y.abs().clamp_min(1e-7)


CASES = [
    entry("mean_squared_error", F.mse_loss, GUESS, TRUTH),
    entry("mean_squared_error", F.mse_loss, GUESS[:, 0], TRUTH[:, 0], name="mse_vector"),
    entry("mean_squared_error", F.mse_loss, GUESS, TRUTH, name="mse_sum", reduction="sum"),
    entry("mean_squared_error", F.mse_loss, GUESS, TRUTH, name="mse_none", reduction="none"),
    Case(
        "mse_torch_weight",
        "losses.mean_squared_error",
        lambda _, p, y, weights: F.mse_loss(p, y, weight=weights),
        (GUESS, TRUTH),
        arrays={"weights": POSITIVE},
    ),
    weighed("mean_squared_error", F.mse_loss, "mse_example_weights", weights=POSITIVE[:, 0]),
    weighed("mean_squared_error", F.mse_loss, "mse_mask", mask=KEPT),
    weighed("mean_squared_error", F.mse_loss, "mse_both", weights=POSITIVE, mask=KEPT),
    weighed("mean_squared_error", F.mse_loss, "mse_both_sum", "sum", weights=POSITIVE, mask=KEPT),
    weighed("mean_squared_error", F.mse_loss, "mse_both_none", "none", weights=POSITIVE, mask=KEPT),
    entry("half_mean_squared_error", plain(lambda p, y: (p - y) ** 2 / 2), GUESS, TRUTH),
    entry("mean_absolute_error", F.l1_loss, GUESS, TRUTH),
    entry("mean_absolute_error", F.l1_loss, GUESS, TRUTH, name="mae_none", reduction="none"),
    Case(
        "mae_torch_weight",
        "losses.mean_absolute_error",
        # Its own autograd takes weights, while the gradient through torch functions may not.
        lambda _, p, y, weights: ((p - y).abs() * weights).sum() / weights.sum(),
        (GUESS, TRUTH),
        arrays={"weights": POSITIVE},
    ),
    entry("huber", F.huber_loss, GUESS, TRUTH),
    entry("huber", given(F.huber_loss, delta=0.4), GUESS, TRUTH, name="huber_delta", delta=0.4),
    entry("smooth_l1", F.smooth_l1_loss, GUESS, TRUTH),
    entry("smooth_l1", given(F.smooth_l1_loss, beta=0.4), GUESS, TRUTH, name="smooth_l1_beta",
          beta=0.4, reduction="sum"),
    entry("smooth_l1", given(F.smooth_l1_loss, beta=0.0), GUESS, TRUTH, name="smooth_l1_0", beta=0),
    entry("log_cosh", plain(lambda p, y: torch.log(torch.cosh(p - y))), GUESS, TRUTH),
    entry("mean_squared_log_error", plain(logs), POSITIVE, POSITIVE[::-1].copy()),
    entry("mean_squared_log_error", plain(logs), GUESS, POSITIVE, name="msle_negative"),
    entry("mean_absolute_percentage_error", plain(percent), GUESS, TRUTH),
    entry("mean_absolute_percentage_error", plain(percent), GUESS, -POSITIVE, name="mape_sum",
          reduction="sum"),
    entry("cosine_distance", plain(lambda p, y: 1 - F.cosine_similarity(p, y, -1)), GUESS, TRUTH),
    entry("poisson_nll", F.poisson_nll_loss, GUESS[:2], COUNTS),
    entry("poisson_nll", given(counted, log_input=False, full=True), POSITIVE[:2], COUNTS,
          name="poisson_full", log_input=False, full=True),
    entry("poisson_nll", given(F.poisson_nll_loss, full=True), GUESS, POSITIVE + 0.5,
          name="poisson_float", full=True, reduction="none"),
    entry("poisson_nll", given(F.poisson_nll_loss, log_input=False, eps=1e-3), POSITIVE, TRUTH**2,
          name="poisson_eps", log_input=False, eps=1e-3, reduction="sum"),
    entry("gaussian_nll", F.gaussian_nll_loss, GUESS, TRUTH, POSITIVE),
    entry("gaussian_nll", given(F.gaussian_nll_loss, full=True), GUESS, TRUTH, POSITIVE[:, :1],
          name="gaussian_shared", full=True, reduction="sum"),
    entry("gaussian_nll", given(F.gaussian_nll_loss, eps=1.0), GUESS, TRUTH, POSITIVE,
          name="gaussian_eps", eps=1.0, reduction="none"),
]  # fmt: skip
