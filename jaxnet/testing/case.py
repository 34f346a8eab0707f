"""One layer at work: what the properties of ``check_layer`` share, each thing made once."""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.errors import brief, is_array

# What stays open between two right ways to compute one thing, relative to the largest entry.
# A wrong layer is off by far more: these only have to lie above rounding.
FLOAT32 = 1e-4  # sums in another order: some hundred roundings of 6e-8, more behind a division
BFLOAT16 = 5e-2  # in norm: a rounding is 4e-3, and a few layers add up
GRADIENT = 1e-3  # float64, but a layer may well compute inside in float32
# Central differences are wrong by step^2, by rounding / step, and at a kink (of relu, say) by
# anything. The large step suits float32 inside, the small one misses kinks: one must agree.
STEPS = (1e-3, 1e-6)


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer with inputs and parameters, as they were given and moved off symmetric points."""

    layer: Any
    given: tuple[Any, ...]
    key: jax.Array
    traces: list[Any] = dataclasses.field(default_factory=list)

    @functools.cached_property
    def fresh(self) -> dict[str, Any]:
        """Parameters as ``init`` makes them."""
        return self.layer.init(self.key, *self.given)

    @functools.cached_property
    def params(self) -> dict[str, Any]:
        return moved(self.fresh)

    @functools.cached_property
    def examples(self) -> tuple[Any, ...]:
        """The given inputs, repeated to a batch size that no other axis has."""
        leaves = jax.tree.leaves(self.given)
        sizes = {n for x in leaves for n in x.shape[1:]}
        sizes |= {n for leaf in jax.tree.leaves(self.fresh) for n in leaf.shape}
        batch = len(leaves[0])
        if batch < 3 or batch in sizes:
            batch = next(n for n in itertools.count(3) if n not in sizes)
        rows = np.arange(batch) % len(leaves[0])
        return jax.tree.map(lambda x: jnp.asarray(np.asarray(x)[rows]), self.given)

    @functools.cached_property
    def inputs(self) -> tuple[Any, ...]:
        return moved(self.examples)

    @functools.cached_property
    def keys(self) -> tuple[jax.Array | None, ...]:
        """No key, for the inference call, and one if a training call computes anything else."""
        point = self.point(jnp.float32)

        def program(*, training: bool) -> str:
            def slope(point: Any, key: jax.Array) -> Any:
                return jax.value_and_grad(self.scalar)(point, key if training else None)

            return jax.jit(slope).lower(point, self.key).as_text()  # without what is not used

        same = program(training=False) == program(training=True)
        return (None,) if same else (None, self.key)

    @functools.cached_property
    def eager(self) -> Any:
        return self.layer(self.params, *self.inputs, key=None)

    @functools.cached_property
    def jitted(self) -> Callable[..., Any]:
        """``jitted(layer, params, inputs, key)``, which counts how often it is traced."""

        def call(layer: Any, params: Any, inputs: Any, key: Any) -> Any:
            self.traces.append(None)
            return layer(params, *inputs, key=key)

        return jax.jit(call, static_argnums=0)

    def run(self, params: Any, inputs: Any, key: Any = None) -> Any:
        return self.jitted(self.layer, params, inputs, key)

    def point(self, dtype: Any, *, as_given: bool = False) -> dict[str, Any]:
        """All that gradients are taken at: parameters, and the float leaves of the inputs."""
        params, inputs = (self.fresh, self.examples) if as_given else (self.params, self.inputs)
        floats = [x for x in jax.tree.leaves(inputs) if is_float(x)]
        return cast({"params": params, "inputs": floats}, dtype)

    def scalar(self, point: dict[str, Any], key: jax.Array | None) -> jax.Array:
        """A random projection of the output: its gradient sees every entry."""
        leaves, structure = jax.tree.flatten(self.inputs)
        floats = iter(point["inputs"])
        inputs = structure.unflatten([next(floats) if is_float(x) else x for x in leaves])
        outputs = jax.tree.leaves(self.layer(point["params"], *inputs, key=key))
        total = jnp.zeros(())
        for y, weight in zip(outputs, normal(outputs), strict=True):
            if is_float(y):
                total += jnp.vdot(jnp.asarray(weight, y.dtype), y).astype(total.dtype)
        return total

    @functools.cached_property
    def slope(self) -> Callable[..., Any]:
        """Value and gradient of ``scalar``, compiled."""
        return jax.jit(jax.value_and_grad(self.scalar))


def claim(text: str, fix: str) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
    """A property whose failure, however it comes about, says what, what was seen and the fix."""

    def decorate(check: Callable[[Case], None]) -> Callable[[Case], None]:
        @functools.wraps(check)
        def holds(case: Case) -> None:
            try:
                check(case)
            except Exception as error:
                name = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
                seen = [*f"{name}{error}".splitlines()[:16], *getattr(error, "__notes__", [])]
                raise AssertionError(
                    f"{brief(case.layer, 200)} breaks the rule: {text}.\n"
                    f"Seen: {'\n'.join(seen)}\nLikely fix: {fix}."
                ) from error

        return holds

    return decorate


def assert_close(found: Any, expected: Any, tolerance: float) -> None:
    """Two trees are equal up to ``tolerance`` times the largest entry."""
    found, expected = jax.tree.map(np.asarray, (found, expected))
    largest = max((float(abs(x).max()) for x in jax.tree.leaves(expected)), default=0.0)
    chex.assert_trees_all_close(found, expected, rtol=tolerance, atol=tolerance * (largest or 1.0))


def is_float(x: Any) -> bool:
    return is_array(x) and jnp.issubdtype(x.dtype, jnp.floating)


def cast(tree: Any, dtype: Any) -> Any:
    """The float leaves in ``dtype``, all others as they are; made by NumPy, which is quicker."""
    return jax.tree.map(lambda x: jnp.asarray(np.asarray(x, dtype)) if is_float(x) else x, tree)


def normal(tree: Any) -> Any:
    """Normal noise in the shapes of ``tree``, the same at every call."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: rng.normal(size=x.shape), tree)


def moved(tree: Any) -> Any:
    """``tree``, with noise on float leaves in which entries repeat, as in zeros and ones."""
    rng = np.random.default_rng(1)

    def move(x: jax.Array) -> jax.Array:
        if not is_float(x) or (x.size > 1 and np.unique(x).size > 0.9 * x.size):
            return x
        return jnp.asarray(np.asarray(x) + rng.uniform(-0.25, 0.25, x.shape), x.dtype)

    return jax.tree.map(move, tree)
