"""The golden cases of the parts, and how they are run; see golden/make_parts.py."""

import dataclasses
import functools
import json
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from safetensors import safe_open
from safetensors.numpy import load_file

import jaxnet as jn
from jaxnet import tree

FOLDER = Path(__file__).parent / "golden" / "parts"


@dataclasses.dataclass(frozen=True)
class Golden:
    """One case: a function, a layer or a layer's method, its arrays, and what must come out."""

    call: str
    options: dict[str, Any]
    train: bool
    arrays: dict[str, Any]

    @property
    def inputs(self) -> tuple[Any, list[Any], dict[str, Any]]:
        """Parameters, positional and keyword arrays."""
        args = _tuples(self.arrays.get("args", {}))
        return self.arrays.get("params", {}), list(args), _tuples(self.arrays.get("arrays", {}))

    def function(self) -> Callable[..., Any]:
        """``f(params, args, arrays)``, the call with its options."""
        room, name, *method = self.call.split(".")
        target: Any = operator.attrgetter(f"{room}.{name}")(jn)
        if name[0].isupper():
            key = {"key": jax.random.key(0)} if self.train else {}
            layer = target(**self.options)
            call = getattr(layer, *method) if method else layer
            return lambda params, args, arrays: call(params, *args, **arrays, **key)
        options = {"key": jax.random.key(0)} if self.train else {}
        return lambda params, args, arrays: target(*args, **arrays, **self.options, **options)


def load(room: Path) -> dict[str, Golden]:
    """A file's cases by name."""
    with safe_open(room, framework="numpy") as file:
        cases = json.loads(file.metadata()["cases"])
    arrays = tree.unflatten(load_file(room))
    return {
        name: Golden(case["call"], _hashable(case["options"]), case["train"], arrays[name])
        for name, case in cases.items()
    }


def cases() -> dict[str, Golden]:
    """All cases, by ``room/name``."""
    files = sorted(FOLDER.glob("*.safetensors"))
    return {f"{f.stem}/{name}": case for f in files for name, case in load(f).items()}


def pull(case: Golden, dtype: Any = None) -> tuple[list[jax.Array], dict[str, Any]]:
    """The results, and the gradients by kind; float arrays are given in ``dtype``."""
    run = case.function()

    def cast(x: Any) -> jax.Array:
        floats = dtype is not None and jnp.issubdtype(x.dtype, jnp.floating)
        return jnp.asarray(x, dtype if floats else None)

    inputs = jax.tree.map(cast, case.inputs)
    cotangents = case.arrays.get("cotangents", {})
    leaves, structure = jax.tree.flatten(inputs)
    smooth = [bool(cotangents) and jnp.issubdtype(x.dtype, jnp.floating) for x in leaves]

    # Most of the time goes to compiling; without LLVM's optimizations it is half as much.
    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def pulled(leaves: list[jax.Array]) -> Any:
        def call(floats: list[jax.Array]) -> tuple[dict[str, jax.Array], list[jax.Array]]:
            rest = iter(floats)
            merged = [next(rest) if s else x for s, x in zip(smooth, leaves, strict=True)]
            results = jax.tree.leaves(run(*jax.tree.unflatten(structure, merged)))
            return {str(i): y for i, y in enumerate(results) if str(i) in cotangents}, results

        floats = [x for x, s in zip(leaves, smooth, strict=True) if s]
        chosen, back, results = jax.vjp(call, floats, has_aux=True)
        (grads,) = back({i: jnp.asarray(cotangents[i], y.dtype) for i, y in chosen.items()})
        rest = iter(grads)
        return results, [next(rest) if s else None for s in smooth]

    results, grads = pulled(leaves)
    return results, dict(
        zip(("params", "args", "arrays"), jax.tree.unflatten(structure, grads), strict=True)
    )


def _tuples(tree: Any) -> Any:
    """Dicts whose keys count from 0 as the tuples that they were."""
    if not isinstance(tree, dict):
        return tree
    values = {name: _tuples(value) for name, value in tree.items()}
    positions = [str(i) for i in range(len(values))]
    return (
        tuple(values[i] for i in positions) if values and set(values) == set(positions) else values
    )


def _hashable(options: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    if isinstance(options, dict):
        return {name: _hashable(value) for name, value in options.items()}
    return tuple(map(_hashable, options)) if isinstance(options, list) else options


def matches(name: str) -> float:
    """The relative tolerance of a case: 1e-10 unless its reference itself is less exact."""
    return TOLERANCES.get(name, 1e-10)


# With the reason why the reference is no more exact.
TOLERANCES: dict[str, float] = {
    # PyTorch's bounds of 1e-12 are float32 even at float64.
    "losses_classification/bce_sure": 1e-8,
    "losses_margin/cosine_embedding_zero": 1e-8,
}
