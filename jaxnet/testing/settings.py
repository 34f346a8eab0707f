"""Properties under JAX's strict settings, and in bfloat16."""

from contextlib import AbstractContextManager
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.errors import describe
from jaxnet.testing.case import BFLOAT16, Case, cast, claim, is_float


def _trace(case: Case, setting: AbstractContextManager[Any], dtype: Any = jnp.float32) -> None:
    """Trace every call and its gradient under a setting, which is when it looks."""
    keys, point = case.keys, case.point(dtype)
    with setting:
        for key in keys:
            # A function of its own, for a trace found in a cache would show nothing.
            jax.eval_shape(jax.grad(lambda point, key: case.scalar(point, key)), point, key)


@claim(
    "no random key is used twice (jax.debug_key_reuse)",
    "split it first: k1, k2 = jn.split(key, 2)",
)
def no_key_reuse(case: Case) -> None:
    _trace(case, jax.debug_key_reuse(True))


@claim(
    "no tracer leaks (jax.checking_leaks)",
    "keep nothing from inside a call in attributes, globals, lists or caches",
)
def no_leaks(case: Case) -> None:
    _trace(case, jax.checking_leaks())


@claim(
    "arrays of unequal rank are not broadcast silently (jax.numpy_rank_promotion)",
    "say what is meant: y + jnp.broadcast_to(bias, y.shape)",
)
def no_rank_promotion(case: Case) -> None:
    _trace(case, jax.numpy_rank_promotion("raise"))


@claim(
    "dtypes are not promoted silently (jax.numpy_dtype_promotion)",
    "convert with astype(x.dtype) where dtypes meet",
)
def no_dtype_promotion(case: Case) -> None:
    for dtype in (jnp.float32, jnp.bfloat16):
        _trace(case, jax.numpy_dtype_promotion("strict"), dtype)


@claim(
    "bfloat16 parameters and inputs give bfloat16, close to the float32 result",
    "return y.astype(x.dtype), make constants in x.dtype, sum and divide in float32",
)
def keeps_bfloat16(case: Case) -> None:
    narrow = cast((case.params, case.inputs), jnp.bfloat16)
    for key in case.keys:
        for y in jax.tree.leaves(jax.eval_shape(case.run, *narrow, key)):
            if is_float(y):
                chex.assert_type(y, jnp.bfloat16)
    # From the same rounded numbers, so that only what the layer itself rounds is compared.
    outputs = [case.run(*inputs) for inputs in (narrow, cast(narrow, jnp.float32))]
    for y, expected in zip(*map(jax.tree.leaves, outputs), strict=True):
        expected = np.asarray(expected, np.float32)
        error = np.linalg.norm(np.asarray(y, np.float32) - expected) / np.linalg.norm(expected)
        assert error < BFLOAT16, f"the relative error of {describe(y)} is {error:.2g}"
