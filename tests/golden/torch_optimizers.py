"""The contents of optimizers.safetensors: PyTorch's optimizers and schedules, in float64."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler as schedulers

type Arrays = dict[str, np.ndarray]

STEPS = 60
BASE = {"momentum": 0.9, "weight_decay": 0.1}
# jaxnet's call, its options, PyTorch's optimizer, its options where they differ.
OPTIMIZERS: dict[str, tuple[str, dict[str, Any], Any, dict[str, Any]]] = {
    "sgd": ("sgd", {}, torch.optim.SGD, {}),
    "sgd_momentum": ("sgd", {"momentum": 0.9}, torch.optim.SGD, {}),
    "sgd_nesterov": ("sgd", {**BASE, "nesterov": True}, torch.optim.SGD, {}),
    "sgd_dampening": ("sgd", {**BASE, "dampening": 0.3}, torch.optim.SGD, {}),
    "adam": ("adam", {}, torch.optim.Adam, {}),
    "adam_decay": ("adam", {"weight_decay": 0.1, "b1": 0.8}, torch.optim.Adam, {}),
    "adam_amsgrad": ("adam", {"amsgrad": True, "eps": 1e-3}, torch.optim.Adam, {}),
    "adamw": ("adamw", {}, torch.optim.AdamW, {}),
    "adamw_amsgrad": ("adamw", {"amsgrad": True, "weight_decay": 0.1}, torch.optim.AdamW, {}),
    "adamax": ("adamax", {"weight_decay": 0.1}, torch.optim.Adamax, {}),
    "nadam": ("nadam", {"weight_decay": 0.1}, torch.optim.NAdam, {}),
    "nadam_decoupled": (
        "nadam",
        {"weight_decay": 0.1, "decoupled": True, "momentum_decay": 0.1},
        torch.optim.NAdam,
        {"decoupled_weight_decay": True},
    ),
    "radam": ("radam", {"weight_decay": 0.1}, torch.optim.RAdam, {}),
    "radam_decoupled": (
        "radam",
        {"weight_decay": 0.1, "decoupled": True, "b2": 0.9},
        torch.optim.RAdam,
        {"decoupled_weight_decay": True},
    ),
    "adagrad": ("adagrad", {}, torch.optim.Adagrad, {}),
    "adagrad_options": (
        "adagrad",
        {"lr_decay": 0.1, "initial_accumulator": 0.2, "eps": 1e-3, "weight_decay": 0.1},
        torch.optim.Adagrad,
        {"initial_accumulator_value": 0.2},
    ),
    "adadelta": ("adadelta", {"rho": 0.8, "weight_decay": 0.1}, torch.optim.Adadelta, {}),
    "rmsprop": ("rmsprop", {}, torch.optim.RMSprop, {}),
    "rmsprop_centered": ("rmsprop", {"centered": True, **BASE}, torch.optim.RMSprop, {}),
    "rprop": ("rprop", {}, torch.optim.Rprop, {}),
    "rprop_options": (
        "rprop",
        {"etas": [0.6, 1.5], "step_sizes": [5e-3, 0.02]},
        torch.optim.Rprop,
        {},
    ),
    "asgd": ("asgd", {"lambd": 0.1, "weight_decay": 0.1}, torch.optim.ASGD, {}),
    "asgd_averaged": ("asgd", {"t0": 5}, torch.optim.ASGD, {}),
    "adafactor": ("adafactor", {}, torch.optim.Adafactor, {}),
    "adafactor_options": (
        "adafactor",
        {"beta2_decay": -0.5, "threshold": 1.5, "weight_decay": 0.1, "eps": [1e-4, 0.1]},
        torch.optim.Adafactor,
        {"d": 1.5},
    ),
    "muon": ("muon", {}, torch.optim.Muon, {}),
    "muon_options": (
        "muon",
        {"nesterov": False, "weight_decay": 0.0, "adjust": "match_rms_adamw", "iterations": 3},
        torch.optim.Muon,
        {"adjust_lr_fn": "match_rms_adamw", "ns_steps": 3},
    ),
    "sparse_adam": ("sparse_adam", {}, torch.optim.SparseAdam, {}),
}
# The same names with others in PyTorch.
RENAMED = {"initial_accumulator", "decoupled", "threshold", "adjust", "iterations", "b1", "b2"}
SCHEDULES: dict[str, tuple[str, dict[str, Any], Any, dict[str, Any]]] = {
    "constant": ("constant", {"factor": 0.2, "steps": 7}, "ConstantLR", {"total_iters": 7}),
    "linear": (
        "linear",
        {"start": 0.25, "end": 0.5, "steps": 9},
        "LinearLR",
        {"start_factor": 0.25, "end_factor": 0.5, "total_iters": 9},
    ),
    "step": ("step_decay", {"every": 7, "gamma": 0.5}, "StepLR", {"step_size": 7}),
    "multi_step": ("multi_step", {"milestones": [5, 6, 30], "gamma": 0.5}, "MultiStepLR", {}),
    "exponential": ("exponential", {"gamma": 0.9}, "ExponentialLR", {}),
    "polynomial": (
        "polynomial",
        {"steps": 30, "power": 1.7},
        "PolynomialLR",
        {"total_iters": 30},
    ),
    "cosine": (
        "cosine",
        {"steps": 25, "minimum": 0.01},
        "CosineAnnealingLR",
        {"T_max": 25, "eta_min": 0.01},
    ),
    "restarts": (
        "cosine_restarts",
        {"period": 7, "minimum": 0.01},
        "CosineAnnealingWarmRestarts",
        {"T_0": 7, "eta_min": 0.01},
    ),
    "restarts_growing": (
        "cosine_restarts",
        {"period": 3, "growth": 2},
        "CosineAnnealingWarmRestarts",
        {"T_0": 3, "T_mult": 2},
    ),
    "one_cycle": (
        "one_cycle",
        {"steps": STEPS},
        "OneCycleLR",
        {"max_lr": 0.1, "total_steps": STEPS},
    ),
    "one_cycle_linear": (
        "one_cycle",
        {"steps": STEPS, "rise": 0.2, "divide": 10, "final_divide": 100, "shape": "linear",
         "three_phase": True},
        "OneCycleLR",
        {"max_lr": 0.1, "total_steps": STEPS, "pct_start": 0.2, "div_factor": 10,
         "final_div_factor": 100, "anneal_strategy": "linear", "three_phase": True},
    ),
    **{
        f"cyclic_{mode}": (
            "cyclic",
            {"peak": 0.5, "rise": 7, "fall": 4, "mode": mode, "gamma": 0.95},
            "CyclicLR",
            {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 7, "step_size_down": 4, "mode": mode},
        )
        for mode in ("triangular", "triangular2", "exp_range")
    },
}  # fmt: skip


def arrays() -> tuple[Arrays, dict[str, str]]:
    """Start [4, 3], grads [20, 4, 3]; weights after each step, and rates of each step."""
    # Some keep scalars in the default dtype.
    torch.set_default_dtype(torch.float64)
    start, grads = problem()
    made, cases = {"start": start, "grads": grads}, {}
    for name, (call, options, optimizer, others) in OPTIMIZERS.items():
        given = {k: v for k, v in options.items() if k not in RENAMED} | others
        if "b1" in options or "b2" in options:
            given["betas"] = (options.get("b1", 0.9), options.get("b2", 0.999))
        given = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
        made |= {f"{name}/{k}": x for k, x in follow(optimizer, given, start, grads).items()}
        cases[name] = {"call": f"optim.{call}", "options": {"learning_rate": 0.01, **options}}
    made["lbfgs/weights"] = newton(start)
    cases["lbfgs"] = {"call": "optim.lbfgs", "options": {"learning_rate": 0.3, "history": 4}}
    for name, (call, options, schedule, others) in SCHEDULES.items():
        given = {
            k: v for k, v in options.items() if k in ("gamma", "factor", "power", "milestones")
        }
        made[f"{name}/rates"] = rates(getattr(schedulers, schedule), given | others)
        rate = {"one_cycle": "peak", "cyclic": "base"}.get(call, "rate")
        cases[name] = {"call": f"optim.{call}", "options": {rate: 0.1, **options}}
    made |= by_function(cases)
    torch.set_default_dtype(torch.float32)
    return made, {"cases": json.dumps(cases)}


def problem() -> tuple[np.ndarray, np.ndarray]:
    """Gradients along a random walk, of very different sizes; a row rests now and then."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal((4, 3))
    walk = start + np.cumsum(0.3 * rng.standard_normal((20, 4, 3)), axis=0)
    grads = (walk + walk**3) * np.array([[1.0], [1e3], [1e-4], [1e-8]])
    grads[::3, 0] = grads[1::4, 1] = 0
    return start, grads


def follow(
    optimizer: Callable[..., torch.optim.Optimizer],
    options: dict[str, Any],
    start: np.ndarray,
    grads: np.ndarray,
) -> Arrays:
    """The weights [20, 4, 3] after each step and, where there is one, their average."""
    # Kernels are [out, in] there.
    turned = optimizer is torch.optim.Muon
    leaf = torch.tensor(start.T if turned else start, requires_grad=True)
    rule, path, means = optimizer([leaf], lr=0.01, **options), [], []
    # Muon would compute in bfloat16, on a copy.
    half, torch.Tensor.bfloat16 = torch.Tensor.bfloat16, torch.Tensor.clone
    for grad in grads:
        leaf.grad = torch.tensor(grad.T if turned else grad)
        if optimizer is torch.optim.SparseAdam:
            leaf.grad = leaf.grad.to_sparse(1)
        rule.step()
        path.append(np.array(leaf.detach().numpy().T if turned else leaf.detach().numpy()))
        if "ax" in rule.state[leaf]:
            means.append(rule.state[leaf]["ax"].numpy().copy())
    torch.Tensor.bfloat16 = half
    made = {"weights": np.stack(path)}
    return made | ({"averages": np.stack(means)} if means else {})


def newton(start: np.ndarray) -> np.ndarray:
    """L-BFGS on the sum of ``scale * x^4 / 4 + x^2 / 2``, one iteration a step."""
    leaf = torch.tensor(start, requires_grad=True)
    rule = torch.optim.LBFGS([leaf], lr=0.3, max_iter=1, history_size=4)
    scale = torch.arange(1.0, 13.0, dtype=torch.float64).reshape(4, 3)
    path = []
    for _ in range(20):

        def closure() -> torch.Tensor:
            rule.zero_grad()
            loss = (scale * leaf**4 / 4 + leaf**2 / 2).sum()
            loss.backward()
            return loss

        rule.step(closure)
        path.append(leaf.detach().numpy().copy())
    return np.stack(path)


def rates(scheduler: Callable[..., Any], options: dict[str, Any]) -> np.ndarray:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    schedule = scheduler(optimizer, **options)
    return walk(optimizer, schedule)


def walk(optimizer: torch.optim.Optimizer, schedule: Any) -> np.ndarray:
    found = []
    for step in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < STEPS - 1:
            schedule.step()
    return np.array(found)


def by_function(cases: dict[str, Any]) -> Arrays:
    """Schedules of schedules and of functions, which the test writes out by itself."""

    def sgd() -> torch.optim.Optimizer:
        return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)

    made = {}
    optimizer = sgd()
    made["scaled/rates"] = walk(optimizer, schedulers.LambdaLR(optimizer, lambda i: 1 / (1 + i)))
    optimizer = sgd()
    schedule = schedulers.MultiplicativeLR(optimizer, lambda i: 1 - 0.5 / i)
    made["multiplicative/rates"] = walk(optimizer, schedule)
    optimizer = sgd()
    parts = [schedulers.ConstantLR(optimizer, 0.5, 4), schedulers.ExponentialLR(optimizer, 0.9)]
    made["sequential/rates"] = walk(optimizer, schedulers.SequentialLR(optimizer, parts, [10]))
    optimizer = sgd()
    parts = [schedulers.ConstantLR(optimizer, 0.5, 4), schedulers.ExponentialLR(optimizer, 0.9)]
    made["chained/rates"] = walk(optimizer, schedulers.ChainedScheduler(parts))
    losses = np.abs(np.sin(np.arange(STEPS))) + 1 / (1 + np.arange(STEPS))
    optimizer = sgd()
    schedule = schedulers.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=3, cooldown=2, min_lr=1e-3
    )
    found = []
    for loss in losses:
        schedule.step(loss)
        found.append(optimizer.param_groups[0]["lr"])
    made |= {"plateau/losses": losses, "plateau/rates": np.array(found)}
    for name in ("scaled", "multiplicative", "sequential", "chained", "plateau"):
        cases[name] = {"call": f"optim.{name}", "options": {}}
    return made
