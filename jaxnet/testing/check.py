"""``check_layer``: everything that a layer promises, one property after the other."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.errors import describe, is_array
from jaxnet.testing import batching, gradients, settings, transforms, values
from jaxnet.testing.case import Case, cast

# A layer that breaks one property often breaks others: the plainest cause comes first.
PROPERTIES = (
    values.hashable,
    values.initializes,
    values.leaves_are_arrays,
    values.callable_on_a_batch,
    values.output_is_arrays,
    values.repeatable,
    transforms.same_under_jit,
    transforms.traced_once,
    values.keys_decide,
    values.keys_differ,
    batching.independent,
    batching.any_batch_axes,
    gradients.differentiable,
    settings.no_key_reuse,
    settings.no_leaks,
    settings.no_rank_promotion,
    settings.no_dtype_promotion,
    settings.keeps_bfloat16,
    gradients.finite,
    gradients.numerical,
    gradients.forward,
    gradients.second_order,
    transforms.same_under_vmap,
    transforms.same_under_scan_and_checkpoint,
)


def check_layer(layer: Any, *inputs: Any, key: jax.Array | None = None) -> None:
    """Assert that ``layer`` keeps what every layer promises; it returns nothing if all is well.

    ``inputs`` are example arrays, or trees of them, whose first axis is the batch. Float inputs
    are differentiated; others, such as token ids, are left as they are. Examples count: give at
    least two that differ, with values the layer may meet. Entries that repeat, as in zeros, are
    moved by up to 1/4, for what holds at a symmetric point need not hold next to it; gradients
    must be finite at the examples themselves, too. ``key`` (by default ``jax.random.key(0)``)
    draws parameters and is the training call's key.

    What is checked, in this order; the first property that fails ends the check:

    - the layer is hashable and equal to its copy; ``init`` gives nested dicts of float arrays;
    - the output is finite arrays with strong types; a call without a key is deterministic; jit
      changes no value; equal shapes are traced once; a key alone decides a training call, and
      another key makes another one;
    - at inference examples do not influence each other, and there may be any batch axes;
    - no key is used twice, no tracer leaks, neither ranks nor dtypes are promoted silently, and
      bfloat16 gives bfloat16 close to the float32 result;
    - gradients are finite and equal to central differences in float64; forward mode and
      forward-over-reverse agree with them. Under ``"stats"`` a training call is exempt: what it
      gives those leaves is a learning rule, not a derivative;
    - vmap over stacked parameters, ``lax.scan`` and ``jax.checkpoint`` change no gradient.

    Raises AssertionError, which says what failed, what was seen and the likely fix.

    >>> from jaxnet import nn
    >>> check_layer(nn.Linear(4), jax.random.normal(jax.random.key(0), (2, 3)))
    """
    # Whatever is switched on around the check must not decide which property fails.
    with (
        jax.enable_x64(False),
        jax.debug_key_reuse(False),
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
    ):
        key = jax.random.key(0) if key is None else key
        case = Case(layer, _examples(inputs), key)
        for holds in PROPERTIES:
            holds(case)


def _examples(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The example inputs as arrays, in float32 where they are float."""
    leaves = jax.tree.leaves(inputs)
    shapes = [x.shape if is_array(x) else () for x in leaves]
    if len({shape[:1] for shape in shapes} - {(), (0,)}) != 1 or () in shapes:
        raise ValueError(
            "check_layer(layer, x, …) needs example inputs whose first axis is the batch, the same "
            f"for all of them, but was given {', '.join(map(describe, leaves)) or 'none'}"
        )
    return cast(jax.tree.map(jnp.asarray, inputs), jnp.float32)
