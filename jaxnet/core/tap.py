"""Looking inside, and reaching in: ``tap(params, name, x)`` marks an activation.

It returns ``x`` until ``params["taps"][name]`` holds one leaf of that activation's shape:

- ``{"add": a}``      returns ``x + a``: steering; the leaf's gradient is the activation's;
- ``{"replace": a}``  returns ``a``: patching;
- ``{"record": a}``   returns ``x``; the leaf's *cotangent* is ``x``, its value does not matter.

What is recorded thus comes back from ``jax.grad`` or ``jax.vjp``, through any transform.
"""

from typing import Any

import jax

from jaxnet.core.blueprint import Blueprint
from jaxnet.core.errors import describe, listing


def tap(params: Any, name: str, x: jax.Array) -> jax.Array:
    """``x``, or what the leaf ``params["taps"][name]`` makes of it.

    Raises ValueError for an unknown kind of tap and for a leaf of another shape.

    >>> import jax.numpy as jnp
    >>> tap({}, "hidden", jnp.ones(2))
    Array([1., 1.], dtype=float32)
    >>> tap({"taps": {"hidden": {"add": jnp.ones(2)}}}, "hidden", jnp.ones(2))
    Array([2., 2.], dtype=float32)
    """
    if isinstance(params, Blueprint) or name not in params.get("taps", {}):
        return x
    leaf = params["taps"][name]
    if not isinstance(leaf, dict) or len(leaf) != 1 or not leaf.keys() <= _kinds.keys():
        raise ValueError(
            f"the tap {name!r} must be a dict with one of the keys {listing(_kinds)}, "
            f"but is {describe(leaf)}"
        )
    ((kind, value),) = leaf.items()
    if value.shape != x.shape:
        raise ValueError(
            f"the tap {name!r} is {describe(value)}, but the activation there is {describe(x)}; "
            "give it that shape, for example with jnp.broadcast_to"
        )
    return _kinds[kind](x, value.astype(x.dtype))


@jax.custom_vjp
def _record(x: jax.Array, leaf: jax.Array) -> jax.Array:
    return x


_record.defvjp(lambda x, leaf: (x, x), lambda x, cotangent: (cotangent, x))

_kinds = {
    "add": lambda x, leaf: x + leaf,
    "replace": lambda x, leaf: leaf,
    "record": _record,
}
