"""Whether a model can learn from where it starts: its units differ, live, and get gradients.

Each check compares the start with what a short training made of it. A head that begins at zero, as
in many residual networks, comes to life within a step; what is broken stays as it is.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxnet.core.errors import listing
from jaxnet.doctor.finding import Check, Finding
from jaxnet.doctor.task import Task


def symmetric(before: Mapping[str, Any], after: Mapping[str, Any]) -> Check:
    """Whether all units of a layer are the same, and training keeps them so.

    Both map paths to weights, whose last axis numbers the units.
    """
    stuck = []
    for path, first in before.items():
        if _is_kernel(path, first) and _alike(first, 0.0):
            moved = np.sqrt(np.square(after[path] - first).mean())
            if _alike(after[path], 0.01 * moved):
                stuck.append(path)
    measured = {"start: layers whose units are all equal": len(stuck)}
    if not stuck:
        return measured, None
    zero = all(not np.any(before[path]) for path in stuck)
    return measured, Finding(
        "all weights start at zero" if zero else "all units start equal",
        "fault",
        len(stuck),
        f"In {len(stuck)} weights ({listing(stuck, 4)}) all units start "
        f"{'at zero' if zero else 'with equal weights'} and are still equal after a short "
        "training: equal units get equal gradients, so a layer of many does the work of one.",
        "start from random weights, those of model.init(key, x), or another initializer such as "
        "nn.initializers.he_normal(); zeros are for biases, and for the last layer at most.",
    )


def dead(
    before: Mapping[str, Any], after: Mapping[str, Any], stack: Mapping[str, int], examples: int
) -> Check:
    """The share of units that no example moves: their weights' gradients are exactly zero.

    ``before`` and ``after`` map paths to gradients over many examples, at the start and after a
    short training; ``stack`` tells how many leading axes of a leaf repeat a layer.
    """
    shares = {
        path: min(_still(grads[path], stack.get(path, 0)) for grads in (before, after))
        for path in before
        if _is_kernel(path, before[path])
    }
    if not shares:
        return {}, None
    worst = max(shares, key=lambda path: shares[path])
    share = shares[worst]
    measured = {"start: largest share of dead units in a layer": share}
    if share <= 0.5:
        return measured, None
    many = [path for path in shares if shares[path] > 0.5]
    return measured, Finding(
        "dead units",
        "fault",
        share,
        f"None of {examples} examples moves {share:.0%} of the units of {worst!r}: their gradient "
        "is exactly zero, at the start and after a short training. A ReLU that is negative for "
        "every example does that, and it never comes back; so does everything below a dead layer. "
        f"Affected: {listing(many, 4)}.",
        "start biases at 0 and weights from model.init(key, x), scale the inputs, lower the rate, "
        "or use an activation with a slope below zero: nn.leaky_relu, nn.gelu. If the layer is "
        "frozen on purpose, by stop_gradient, all is well.",
    )


def vanishing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Check:
    """How much smaller one layer's gradient is than another's."""

    def ratio(grads: Mapping[str, Any]) -> tuple[float, str]:
        sizes = {
            path: float(np.sqrt(np.square(g.astype(np.float64)).mean()))
            for path, g in grads.items()
            if _is_kernel(path, g)
        }
        sizes = {path: size for path, size in sizes.items() if size > 0}
        if len(sizes) < 2:
            return 1.0, ""
        least = min(sizes, key=lambda path: sizes[path])
        return sizes[least] / max(sizes.values()), least

    share, path = max(ratio(before), ratio(after))
    measured = {"start: smallest gradient of a layer, relative to the largest": share}
    if share > 1e-4:
        return measured, None
    return measured, Finding(
        "vanishing gradients",
        "fault",
        share,
        f"The gradient of {path!r} is {share:.1g} times that of the layer with the largest: on its "
        "way through the layers it shrinks to nothing, and those it reaches last do not learn.",
        "use nn.relu or nn.gelu in place of sigmoid or tanh, normalise between layers "
        "(nn.BatchNorm, nn.LayerNorm), add residual connections (nn.Residual), or stack "
        "fewer layers.",
    )


def confident(found: Mapping[str, float], task: Task) -> Check:
    """Whether the loss begins near that of a model that knows nothing yet."""
    measured = {f"start: {name}": found[name] for name in ("loss", "size") if name in found}
    if task.kind == "regression":
        measured["start: squared error of the mean as the only answer"] = task.variance
    if not task.classes or "as logits" not in found:
        return measured, None
    measured["start: cross-entropy of knowing nothing"] = task.chance
    name = "as probabilities" if found["simplex"] > 0.99 else "as logits"
    start = min(found[name], found[f"train {name}"])
    if start < 3 * task.chance:
        return measured, None
    return measured, Finding(
        "outputs too large at the start",
        "fault",
        start,
        f"The cross-entropy of the untrained outputs is {start:.3g}, but a model that knows "
        f"nothing and says so has log {task.classes} = {task.chance:.3g}: its outputs, of size "
        f"{found['size']:.3g}, are sure of what they cannot know yet.",
        "scale the inputs to mean 0 and variance 1, and take smaller initial weights, at least in "
        "the last layer: model.init(key, x, initializers={…}).",
    )


def squashed_twice(start: Mapping[str, float], end: Mapping[str, float], task: Task) -> Check:
    """Whether outputs that are probabilities already go into a loss that makes them such."""
    if not task.classes or "simplex" not in end:
        return {}, None
    measured = {"end: share of outputs that are probabilities": end["simplex"]}
    twice, once = (abs(end["loss"] - end[name]) for name in ("as logits", "as probabilities"))
    probabilities = min(start["simplex"], end["simplex"]) > 0.99
    if not probabilities or twice > once or twice > 0.2 * end["as logits"]:
        return measured, None
    classes = task.classes
    name = "sigmoid" if task.kind == "binary" else "softmax"
    floor = np.log(2) / 2 + np.log1p(np.exp(-1)) / 2
    if task.kind != "binary":
        floor = np.log(np.e + classes - 1) - 1
    return measured, Finding(
        f"{name} applied twice",
        "fault",
        floor,
        f"The model's outputs are probabilities already, but the loss takes logits and applies "
        f"{name} itself. With that it cannot fall below about {floor:.2f}, however well the model "
        "learns, and its gradients are small.",
        f"leave out the {name} at the end of the model, and apply it only where probabilities are "
        f"wanted: jax.nn.{name}(model(params, x)).",
    )


def _is_kernel(path: str, x: Any) -> bool:
    return x.ndim > 1 and x.shape[-1] > 1 and "stats" not in path.split("/")


def _alike(x: Any, tolerance: float) -> bool:
    return bool(np.ptp(x, -1).max() <= tolerance)


def _still(gradient: Any, stack: int) -> float:
    """The share of units whose gradient is zero in every entry."""
    axes = tuple(range(min(stack, gradient.ndim - 1), gradient.ndim - 1))
    return 1 - float(np.mean((gradient != 0).any(axes)))
