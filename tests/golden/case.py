"""A part on given arrays, beside an independent reference for its value and gradients.

A reference is written in PyTorch, on float64 tensors in jaxnet's layout (features last, kernels
``[*window, in, out]``), and changes layouts by itself: so its gradients have jaxnet's layout, too.
"""

import dataclasses
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

type Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Case:
    """``call`` is a dotted name in jaxnet: of a layer, if CapWords, else of a function.

    ``reference(params, *args, **arrays)`` returns a tensor or a tuple of tensors, in the order in
    which ``jax.tree.leaves`` finds them in the result of jaxnet's call. Where arrays are given by
    shape (a tuple), standard normal ones are drawn. An argument may be a list of them, such as a
    state, and becomes a tuple. ``params`` has a layer's leaves by path; ``options`` are what JSON
    can say (its lists become tuples). ``train`` gives the call a key, and then ``new`` are
    the statistics after it, by path. ``grads=False``: the result has no useful derivative.
    """

    name: str
    call: str
    reference: Callable[..., Any]
    args: tuple[Any, ...]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    arrays: dict[str, Any] = dataclasses.field(default_factory=dict)
    train: bool = False
    new: Callable[..., dict[str, Tensor]] | None = None
    grads: bool = True


def first(x: Tensor, axes: int | None = None) -> Tensor:
    """Channels before the last ``axes`` axes (by default all but the batch's), as in PyTorch."""
    return x.movedim(-1, 1 if axes is None else -1 - axes)


def last(x: Tensor, axes: int | None = None) -> Tensor:
    """The inverse of ``first``."""
    return x.movedim(1 if axes is None else -1 - axes, -1)


def run(case: Case) -> dict[str, np.ndarray]:
    """All arrays of a case: inputs, results, cotangents and gradients, by path."""
    # By name, so that a new case leaves the others' numbers alone.
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    inputs = {"args": list(case.args), "params": case.params, "arrays": case.arrays}
    given = nested(lambda x: draw(x, rng), inputs)
    tensors = nested(leaf, given)
    call = (tensors["params"], *tensors["args"])
    found = case.reference(*call, **tensors["arrays"])
    results = found if isinstance(found, tuple) else (found,)
    made = flat(given) | {f"results/{i}": y.detach().numpy() for i, y in enumerate(results)}
    if case.new is not None:
        new = case.new(*call, **tensors["arrays"])
        made |= {f"new/{path}": x.detach().numpy() for path, x in new.items()}
    if case.grads:
        pulled = {i: y for i, y in enumerate(results) if y.requires_grad}
        cotangents = {i: np.asarray(rng.standard_normal(y.shape)) for i, y in pulled.items()}
        torch.autograd.backward(
            list(pulled.values()), list(map(torch.from_numpy, cotangents.values()))
        )
        made |= {f"cotangents/{i}": c for i, c in cotangents.items()}
        made |= {
            f"grads/{path}": (torch.zeros_like(x) if x.grad is None else x.grad).numpy()
            for path, x in flat(tensors).items()
            if x.requires_grad and "stats" not in path.split("/")
        }
    # A copy in plain order: the format stores memory as it lies.
    return {name: np.array(x, order="C") for name, x in made.items()}


def nested(fn: Callable[[Any], Any], tree: Any) -> Any:
    """``fn`` of everything in nested lists and dicts."""
    if isinstance(tree, dict):
        return {name: nested(fn, value) for name, value in tree.items()}
    return [nested(fn, value) for value in tree] if isinstance(tree, list) else fn(tree)


def flat(tree: Any, path: str = "") -> dict[str, Any]:
    """What nested lists and dicts hold, by path."""
    if not isinstance(tree, dict | list):
        return {path: tree}
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return {
        k: x for name, value in items for k, x in flat(value, f"{path}/{name}".strip("/")).items()
    }


def draw(given: Any, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(given) if isinstance(given, tuple) else np.asarray(given)


def leaf(x: np.ndarray) -> Tensor:
    return torch.tensor(x, requires_grad=np.issubdtype(x.dtype, np.floating))
