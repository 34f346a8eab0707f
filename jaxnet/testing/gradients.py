"""Properties of a layer's derivatives, computed in float64."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core import tree
from jaxnet.testing.case import GRADIENT, STEPS, Case, claim, normal


@claim(
    "gradients can be taken of both calls, in float32 and bfloat16",
    "give the cotangents of a custom_vjp the shapes and dtypes of what they belong to",
)
def differentiable(case: Case) -> None:
    for dtype in (jnp.float32, jnp.bfloat16):
        for key in (None, case.key):
            point = case.point(dtype)
            grads = jax.eval_shape(jax.grad(case.scalar), point, key)
            chex.assert_trees_all_equal_shapes_and_dtypes(grads, point)


@claim(
    "gradients are finite",
    "guard the argument, not the result: jnp.sqrt(jnp.where(x > 0, x, 1)) inside the outer where",
)
def finite(case: Case) -> None:
    with jax.enable_x64(True):
        for key in case.keys:
            for as_given in (False, True):
                _, grads = case.slope(case.point(jnp.float64, as_given=as_given), key)
                chex.assert_tree_all_finite(grads)


@claim(
    "gradients are those of central differences",
    "if there is a custom_vjp or stop_gradient, its rule is not the derivative of the call",
)
def numerical(case: Case) -> None:
    with jax.enable_x64(True):
        point = case.point(jnp.float64)
        for key in case.keys:
            grads = tree.flatten(case.slope(point, key)[1])
            grads = {path: grad for path, grad in grads.items() if not _is_rule(path, key)}
            largest = _norm(grads)
            for path, grad in grads.items():
                way = tree.map_paths(lambda p, x, path=path: x * (p == path), normal(point))
                says = _vdot(grad, tree.flatten(way)[path])
                steps = [_difference(case.slope, point, way, step, key)[0] for step in STEPS]
                error = min(abs(says - step) for step in steps)
                assert error <= GRADIENT * (_norm(grad) + 0.1 * largest), (
                    f"along a random direction of {path} the gradient says {says:.6g}, but "
                    f"differences with the steps {STEPS} say {steps[0]:.6g} and {steps[1]:.6g}, "
                    f"in the {_name(key)} call"
                )


@claim(
    "forward mode (jax.jvp) works on the inference call and agrees with reverse mode",
    "write the inference call in plain operations or with jax.custom_jvp: custom_vjp has no jvp",
)
def forward(case: Case) -> None:
    def slope(point: Any, way: Any) -> jax.Array:
        return jax.jvp(lambda point: case.scalar(point, None), (point,), (way,))[1]

    with jax.enable_x64(True):
        point = case.point(jnp.float64)
        way = normal(point)
        _, grads = case.slope(point, None)
        says, expected = float(jax.jit(slope)(point, way)), _vdot(grads, way)
        assert abs(says - expected) <= GRADIENT * _norm(grads), (
            f"along a random direction jvp says {says:.6g}, but the gradient {expected:.6g}"
        )


@claim(
    "second derivatives work: reverse-over-reverse, and forward-over-reverse as differences say",
    "write the rules of a custom_vjp in plain operations, and without stop_gradient",
)
def second_order(case: Case) -> None:
    with jax.enable_x64(True):
        point = case.point(jnp.float64)
        for key in case.keys:
            way = _true(normal(point), key)

            def grad(point: Any, key: Any = key) -> Any:
                return jax.grad(case.scalar)(point, key)

            jax.eval_shape(jax.grad(lambda point: _along(grad(point), way)), point)
            grads, bend = jax.jit(lambda point, way: jax.jvp(grad, (point,), (way,)))(point, way)
            bend = _true(bend, key)
            steps = [_difference(case.slope, point, way, step, key)[1] for step in STEPS]
            errors = [_norm(jax.tree.map(np.subtract, bend, _true(step, key))) for step in steps]
            assert min(errors) <= GRADIENT * (_norm(bend) + _norm(_true(grads, key))), (
                f"forward-over-reverse has the norm {_norm(bend):.6g}, and is off by "
                f"{min(errors):.6g} from differences of gradients, in the {_name(key)} call"
            )


def _difference(fn: Any, point: Any, way: Any, step: float, key: Any) -> Any:
    """The central difference of ``fn(point, key)`` along ``way``."""

    def at(step: float) -> Any:
        return fn(jax.tree.map(lambda x, w: np.asarray(x) + step * w, point, way), key)

    return jax.tree.map(lambda a, b: (np.asarray(a) - b) / (2 * step), at(step), at(-step))


def _is_rule(path: str, key: Any) -> bool:
    """Whether the leaf's gradient is a learning rule, as that of statistics in training is."""
    return key is not None and "stats" in path.split("/")


def _true(grads: Any, key: Any) -> Any:
    """The gradients that are derivatives, and zeros for the others."""
    return tree.map_paths(lambda path, x: np.asarray(x) * (not _is_rule(path, key)), grads)


def _along(grads: Any, way: Any) -> jax.Array:
    return sum(map(jnp.vdot, *map(jax.tree.leaves, (grads, way))), start=jnp.zeros(()))


def _vdot(grads: Any, way: Any) -> float:
    return float(sum(map(np.vdot, *map(jax.tree.leaves, (grads, way)))))


def _norm(grads: Any) -> float:
    return _vdot(grads, grads) ** 0.5


def _name(key: Any) -> str:
    return "inference" if key is None else "training"
