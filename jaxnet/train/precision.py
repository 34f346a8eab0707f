"""Mixed precision: float32 weights, which layers see in bfloat16 or float16.

A policy is a value, ``Precision("bfloat16", keep={"head/**": "float32"})``; where one is asked for,
the name of the dtype to compute in, ``"bfloat16"``, is short for it.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core import stats, threefry, tree
from jaxnet.core.checks import check_at_least, check_choice, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array
from jaxnet.train.rounding import round_stochastically

_DTYPES = ("bfloat16", "float16", "float32")


@dataclasses.dataclass(frozen=True)
class Precision:
    """The dtypes of a training run: to compute in, to store weights in, of what comes out.

    ``keep`` names, by path, weights that layers see in another dtype: ``{"head/**": "float32"}``;
    the first pattern that matches wins. Statistics keep the dtype they have. Where a layer meets
    two dtypes, its output has the wider one, as everywhere in JAX.

    The optimizer computes in float32 and its state is float32, also where ``param="bfloat16"``
    stores the weights in half the memory; these then want ``rounding="stochastic"``: the nearest
    bfloat16 to ``w + update`` is ``w`` itself for any update below 1/512 of it, while rounding at
    random, in proportion to how near each neighbour is, moves it rightly on average
    (arXiv:2010.06192).

    float16 has few small numbers, so the loss is multiplied by ``scale`` before its gradient is
    taken, and the gradient divided by it after. A step whose gradients overflow all the same is
    left out and halves the scale (down to 1); ``scale_period`` good steps in a row double it.

    Raises ValueError for a dtype or rounding that is not known, for stochastic rounding to anything
    but bfloat16, and for a scale where nothing is float16.

    >>> Precision("float16").scales_loss, Precision().compute
    (True, 'bfloat16')
    """

    compute: str = "bfloat16"
    _: KW_ONLY
    param: str = "float32"
    output: str = "float32"
    keep: Mapping[str, str] | tuple[tuple[str, str], ...] = ()
    rounding: str = "nearest"
    scale: float = 2.0**15
    scale_period: int = 2000

    def __post_init__(self) -> None:
        # Hashable, as what a program is compiled for must be.
        object.__setattr__(self, "keep", tuple(dict(self.keep).items()))
        for name in ("compute", "param", "output"):
            check_choice(getattr(self, name), _DTYPES, name, "Precision")
        for pattern, dtype in dict(self.keep).items():
            check_choice(dtype, _DTYPES, f"keep[{pattern!r}]", "Precision")
        check_choice(self.rounding, ("nearest", "stochastic"), "rounding", "Precision")
        check_at_least(self.scale, 1, "scale of Precision")
        check_size(self.scale_period, "scale_period of Precision")
        if self.rounding == "stochastic" and self.param != "bfloat16":
            raise ValueError(
                f"rounding='stochastic' is for weights stored in bfloat16, but these are "
                f"{self.param}; add param='bfloat16', or leave rounding out"
            )
        if not self.scales_loss and (self.scale, self.scale_period) != (2.0**15, 2000):
            raise ValueError(
                f"a loss is scaled for float16, but nothing is computed in it here: compute is "
                f"{self.compute}; leave out scale and scale_period"
            )

    @property
    def scales_loss(self) -> bool:
        """Whether gradients pass through float16 and need a scale."""
        return "float16" in (self.compute, *dict(self.keep).values())

    def cast(self, values: Any) -> Any:
        """Floating-point arrays of a tree in the dtype to compute in; all else as it is.

        >>> Precision().cast((jnp.ones(2), jnp.arange(2)))
        (Array([1, 1], dtype=bfloat16), Array([0, 1], dtype=int32))
        """
        return jax.tree.map(lambda x: _floating_as(x, self.compute), values)

    def cast_params(self, params: dict[str, Any]) -> dict[str, Any]:
        """Parameters as layers see them: weights by path, statistics as they are.

        Raises ValueError for a pattern of ``keep`` that matches no weight.

        >>> params = {"bn": {"scale": jnp.ones(1), "stats": {"mean": jnp.zeros(1)}}}
        >>> Precision().cast_params(params)["bn"]["scale"].dtype
        dtype(bfloat16)
        """
        weights, statistics = stats.divide(params)
        rules = dict(self.keep)
        dtypes = tree.label(weights, rules | {"**": rules.get("**", self.compute)})
        return stats.unite(jax.tree.map(_floating_as, weights, dtypes), statistics)

    def store(self, params: dict[str, Any], key: jax.Array | None = None) -> dict[str, Any]:
        """Parameters with the weights in ``param``, the nearest or, with a key, as ``rounding``."""
        weights, statistics = stats.divide(params)
        if key is None or self.rounding == "nearest":
            stored = jax.tree.map(lambda x: _floating_as(x, self.param), weights)
        else:
            leaves, structure = jax.tree.flatten(weights)
            keys = threefry.split(key, len(leaves))
            stored = structure.unflatten(map(round_stochastically, leaves, keys))
        return stats.unite(stored, statistics)

    def wrap(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """``fn(params, x, …)``, such as a layer, computed in this precision.

        Weights and floating-point inputs are cast on the way in, floating-point outputs to
        ``output`` on the way out; integers, booleans and keys pass as they are.

        >>> double = Precision().wrap(lambda params, x: params["w"] * x)
        >>> double({"w": jnp.float32(2)}, jnp.array([1.0, 1.001]))
        Array([2., 2.], dtype=float32)
        """

        def wrapped(params: dict[str, Any], *args: Any, **options: Any) -> Any:
            y = fn(self.cast_params(params), *self.cast(args), **self.cast(options))
            return jax.tree.map(lambda x: _floating_as(x, self.output), y)

        return wrapped


def as_precision(precision: Precision | str | None) -> Precision | None:
    """A policy, from itself or from the name of the dtype to compute in.

    >>> as_precision("bfloat16") == Precision("bfloat16")
    True
    """
    if isinstance(precision, str):
        return Precision(precision)
    if precision is None or isinstance(precision, Precision):
        return precision
    raise ValueError(
        f"precision must be 'bfloat16', 'float16', 'float32' or a jn.train.Precision, but is "
        f"{describe(precision)}"
    )


def widened(values: Any) -> Any:
    """Floating-point arrays of a tree in at least float32."""
    return jax.tree.map(
        lambda x: _floating_as(x, at_least_float32(x)) if is_array(x) else x, values
    )


def masters(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as an optimizer computes with them: weights in at least float32.

    >>> masters({"w": jnp.ones(1, jnp.bfloat16)})
    {'w': Array([1.], dtype=float32)}
    """
    weights, statistics = stats.divide(params)
    return stats.unite(widened(weights), statistics)


def _floating_as(x: Any, dtype: Any) -> Any:
    floating = is_array(x) and jnp.issubdtype(x.dtype, jnp.floating)
    return x.astype(dtype) if floating else x
