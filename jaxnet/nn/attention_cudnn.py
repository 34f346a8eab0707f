"""Attention by cuDNN's kernel, which never holds the scores: when it can, when it pays, its rules.

The kernel brings a gradient and nothing further. Here the gradient's own derivatives are those of
the plain form, so second order works; forward mode of a ``custom_vjp`` does not.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name

from jaxnet.core.errors import describe
from jaxnet.nn.attention_mask import Limits, finite, ranked, reach, scores_shape

# Below that XLA's own kernels are as fast, and hold little.
_LONG = 256


def obstacle(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    limits: Limits,
    scale: Any,
    options: dict[str, Any],
) -> str | None:
    """What keeps the kernel from these, and the fix; None if nothing does."""
    if given := [name for name, option in options.items() if option is not None]:
        return f"it cannot do {', '.join(given)}; leave that out"
    if isinstance(scale, jax.Array):
        return f"it takes a scale that is a number, not {describe(scale)}; multiply the query by it"
    size = query.shape[-1]
    if query.dtype.itemsize != 2 or value.shape[-1] != size:
        return (
            "it takes 16-bit floats and values of the keys' size, but query is "
            f"{describe(query)} and value {describe(value)}; cast them to jnp.bfloat16"
        )
    if size % 8 or size > 256:
        return f"it takes heads of 8, 16, … up to 256 features, but query is {describe(query)}"
    if limits.window is not None and reach(limits.causal, limits.window)[1] != 0:
        return f"its window looks back only, but is {limits.window!r}; add causal=True"
    lengths = query.shape[-3], key.shape[-3]
    added = [name for name in ("bias", "mask") if getattr(limits, name) is not None]
    if added and any(n % 2 for n in lengths):
        return f"with a {added[0]} its lengths must be even, but are {lengths}; pad them"
    return None


def pays(query: jax.Array, key: jax.Array, limits: Limits) -> bool:
    """Whether to take the kernel unasked, where it is possible."""
    plain = limits.bias is None and limits.mask is None
    long = min(query.shape[-3], key.shape[-3]) >= _LONG
    # Only the larger cards take larger heads, and only they say so.
    return jax.default_backend() == "gpu" and plain and long and query.shape[-1] <= 128


def fused(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    limits: Limits,
    scale: float | None,
    plain: Callable[..., jax.Array],
    *,
    forced: bool,
) -> jax.Array:
    """Attention by the kernel, or if not ``forced`` by ``plain`` where it is not for such a GPU."""
    moving = query, key, value, limits.bias
    fixed = {name: getattr(limits, name) for name in ("mask", "query_lengths", "key_lengths")}

    def by(form: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        def call(moving: Any, fixed: Any) -> jax.Array:
            *inputs, bias = moving
            return form(*inputs, limits._replace(bias=bias, **fixed), scale)

        return call

    kernel, definition = by(_kernel), by(plain)

    def here(kernel: Callable[..., Any], other: Callable[..., Any], *args: Any) -> Any:
        if forced:
            return kernel(*args)
        return jax.lax.platform_dependent(*args, cuda=kernel, default=other)

    made: list[Any] = []

    def kept(moving: Any, fixed: Any) -> Any:
        """The result, and what else the kernel keeps for its gradient."""
        y, back = jax.vjp(lambda moving: kernel(moving, fixed), moving)
        leaves, structure = jax.tree.flatten(back)
        known = [y, *jax.tree.leaves((moving, fixed))]
        places = [next((i for i, y in enumerate(known) if y is x), None) for x in leaves]
        made[:] = [structure, places]
        return y, [x for x, place in zip(leaves, places, strict=True) if place is None]

    def pull(new: Any, y: jax.Array, moving: Any, fixed: Any, dy: jax.Array) -> Any:
        structure, places = made
        new, known = iter(new), [y, *jax.tree.leaves((moving, fixed))]
        leaves = [next(new) if place is None else known[place] for place in places]
        return jax.tree.unflatten(structure, leaves)(dy)[0]

    def kept_elsewhere(moving: Any, fixed: Any) -> Any:
        _, specs = jax.eval_shape(kept, moving, fixed)
        return definition(moving, fixed), [jnp.zeros(x.shape, x.dtype) for x in specs]

    @jax.custom_jvp
    def forward(moving: Any, fixed: Any) -> Any:
        return here(kept, kept_elsewhere, moving, fixed)

    @forward.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        y, new = forward(*primals)
        _, dy = jax.jvp(lambda moving: definition(moving, primals[1]), primals[:1], tangents[:1])
        # The gradient's derivative is not made of these.
        return (y, new), (dy, jax.tree.map(_still, new))

    def slope(moving: Any, fixed: Any, dy: jax.Array) -> Any:
        return jax.vjp(lambda moving: definition(moving, fixed), moving)[1](dy)[0]

    @jax.custom_jvp
    def backward(new: Any, y: jax.Array, moving: Any, fixed: Any, dy: jax.Array) -> Any:
        return here(pull, lambda new, y, *args: slope(*args), new, y, moving, fixed, dy)

    @backward.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        moving, fixed, dy = primals[2:]
        change = (tangents[2], tangents[4])
        _, moved = jax.jvp(lambda moving, dy: slope(moving, fixed, dy), (moving, dy), change)
        return backward(*primals), moved

    @jax.custom_vjp
    def attend(moving: Any, fixed: Any) -> jax.Array:
        return here(kernel, definition, moving, fixed)

    def attend_forward(moving: Any, fixed: Any) -> Any:
        # By this name a remat policy keeps them: what it costs to make them is the kernel.
        y, new = checkpoint_name(forward(moving, fixed), "attention")
        return y, (new, y, moving, fixed)

    def attend_backward(saved: Any, dy: jax.Array) -> Any:
        return backward(*saved, dy), None

    attend.defvjp(attend_forward, attend_backward)
    return attend(moving, fixed)


def _still(x: jax.Array) -> Any:
    floating = jnp.issubdtype(x.dtype, jnp.floating)
    return jnp.zeros_like(x) if floating else np.zeros(x.shape, jax.dtypes.float0)


def _kernel(
    query: jax.Array, key: jax.Array, value: jax.Array, limits: Limits, scale: float | None
) -> jax.Array:
    shape = scores_shape(query, key)
    batch = math.prod(shape[:-3])

    def flat(x: jax.Array | None) -> jax.Array | None:
        """``[batch, H, T, S]`` of what broadcasts to the scores, the first two 1 if they can be."""
        if x is None:
            return None
        x = ranked(x, shape)
        axes = (x.shape[-3], *shape[-2:])
        if math.prod(x.shape[:-3]) == 1:
            return jnp.broadcast_to(x, (*x.shape[:-3], *axes)).reshape(1, *axes)
        return jnp.broadcast_to(x, (*shape[:-3], *axes)).reshape(batch, *axes)

    # The kernel skips what these hide; a mask it only adds to the scores.
    window = None
    if limits.window is not None:
        left, right = reach(limits.causal, limits.window)
        most = max(shape[-2:])
        window = (most if left is None else left, most if right is None else right)
    lengths = [
        x if x is None else x.astype(jnp.int32).reshape(batch)
        for x in (limits.query_lengths, limits.key_lengths)
    ]
    y = jax.nn.dot_product_attention(
        *(x.reshape(batch, *x.shape[-3:]) for x in (query, key, value)),
        bias=flat(limits.bias if limits.bias is None else finite(limits.bias)),
        mask=flat(Limits(limits.bias, limits.mask).allowed(shape)),
        scale=scale,
        is_causal=limits.causal,
        query_seq_lengths=lengths[0],
        key_value_seq_lengths=lengths[1],
        local_window_size=window,
        implementation="cudnn",
    )
    y = y.reshape(*query.shape[:-1], value.shape[-1])
    allowed = limits.allowed(shape) if limits.empties(shape) else None
    if allowed is None:
        return y
    seeing = jnp.moveaxis(allowed.any(-1, keepdims=True), -3, -2)  # [..., T, H, 1]
    return jnp.where(jnp.broadcast_to(seeing, y.shape), y, jnp.zeros_like(y))
