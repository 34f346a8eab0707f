"""Smooth activations: plain functions, as ``nn.gelu(x)`` or as ``nn.gelu`` in a ``Sequential``.

``nn.Activation(nn.softplus, beta=2.0)`` is one with options, as a layer that equals its like.
Rectifiers are in ``rectifier.py``, gates in ``gated.py``, and what sums to one in ``softmax.py``.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_axes, check_float, check_positive
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers


def sigmoid(x: jax.Array) -> jax.Array:
    """``1 / (1 + exp(-x))``, between 0 and 1.

    >>> sigmoid(jnp.array([0.0, 20.0]))
    Array([0.5, 1. ], dtype=float32)
    """
    check_float(x, "the input of sigmoid")
    return jax.nn.sigmoid(x)


def log_sigmoid(x: jax.Array) -> jax.Array:
    """``log(sigmoid(x))``, without overflow.

    >>> log_sigmoid(jnp.array([-1000.0, 1000.0]))
    Array([-1000.,     0.], dtype=float32)
    """
    check_float(x, "the input of log_sigmoid")
    return -jax.nn.softplus(-x)


def tanh(x: jax.Array) -> jax.Array:
    """The hyperbolic tangent, between -1 and 1.

    >>> tanh(jnp.array([0.0, 20.0]))
    Array([0., 1.], dtype=float32)
    """
    check_float(x, "the input of tanh")
    return jnp.tanh(x)


def tanh_shrink(x: jax.Array) -> jax.Array:
    """``x - tanh(x)``.

    >>> tanh_shrink(jnp.array([0.0, 20.0]))
    Array([ 0., 19.], dtype=float32)
    """
    check_float(x, "the input of tanh_shrink")
    return x - jnp.tanh(x)


def soft_sign(x: jax.Array) -> jax.Array:
    """``x / (1 + |x|)``, between -1 and 1.

    >>> soft_sign(jnp.array([-1.0, 3.0]))
    Array([-0.5 ,  0.75], dtype=float32)
    """
    check_float(x, "the input of soft_sign")
    return x / (1 + jnp.abs(x))


def exponential(x: jax.Array) -> jax.Array:
    """``exp(x)``.

    >>> exponential(jnp.array([0.0, 1.0]))
    Array([1.       , 2.7182817], dtype=float32)
    """
    check_float(x, "the input of exponential")
    return jnp.exp(x)


def softplus(x: jax.Array, *, beta: float = 1.0, threshold: float = 20.0) -> jax.Array:
    """``log(1 + exp(beta * x)) / beta``, a smooth ``relu``.

    As in PyTorch it is ``x`` itself where ``beta * x`` exceeds ``threshold``; ``math.inf`` never
    cuts it off, as in Keras. Raises ValueError unless ``beta`` is above 0.

    >>> softplus(jnp.array([0.0, 1000.0]))
    Array([6.931472e-01, 1.000000e+03], dtype=float32)
    """
    check_float(x, "the input of softplus")
    check_positive(beta, "beta of softplus")
    linear = beta * x > threshold
    return jnp.where(linear, x, jax.nn.softplus(beta * jnp.where(linear, 0, x)) / beta)


def squareplus(x: jax.Array, *, b: float = 4.0) -> jax.Array:
    """``(x + sqrt(x^2 + b)) / 2``, a smooth ``relu`` without exponentials (arXiv:2112.11687).

    Raises ValueError unless ``b`` is above 0.

    >>> squareplus(jnp.array([0.0, 1.5]))
    Array([1., 2.], dtype=float32)
    """
    check_float(x, "the input of squareplus")
    check_positive(b, "b of squareplus")
    # The sum of both roots' sizes: their difference would cancel below zero.
    size = jnp.hypot(x, jnp.asarray(math.sqrt(b), x.dtype)) + jnp.where(x > 0, x, -x)
    return jnp.where(x > 0, size / 2, b / 2 / size)


def sparse_plus(x: jax.Array) -> jax.Array:
    """0 below -1, ``x`` above 1, and ``(x + 1)^2 / 4`` between.

    >>> sparse_plus(jnp.array([-2.0, 0.0, 2.0]))
    Array([0.  , 0.25, 2.  ], dtype=float32)
    """
    check_float(x, "the input of sparse_plus")
    inside = jnp.abs(x) < 1
    return jnp.where(inside, jnp.square(jnp.where(inside, x, 0) + 1) / 4, jax.nn.relu(x))


def mish(x: jax.Array) -> jax.Array:
    """``x * tanh(softplus(x))`` (arXiv:1908.08681).

    >>> mish(jnp.array([0.0, 20.0]))
    Array([ 0., 20.], dtype=float32)
    """
    check_float(x, "the input of mish")
    return x * jnp.tanh(jax.nn.softplus(x))


def gelu(x: jax.Array) -> jax.Array:
    """``x * Phi(x)``, with the exact normal distribution function (arXiv:1606.08415).

    It is exact to the rounding of ``x``, as in PyTorch: near zero, left of -4, not to its own.

    >>> gelu(jnp.array([0.0, 8.0]))
    Array([0., 8.], dtype=float32)
    """
    check_float(x, "the input of gelu")
    wide = x.astype(at_least_float32(x))
    # By erf: XLA computes erfc, which is exact there, in several passes over memory.
    return (wide * (0.5 + 0.5 * jax.lax.erf(wide * math.sqrt(0.5)))).astype(x.dtype)


def gelu_tanh(x: jax.Array) -> jax.Array:
    """The tanh approximation of ``gelu`` that GPT-2 was trained with.

    >>> gelu_tanh(jnp.array([0.0, 8.0]))
    Array([0., 8.], dtype=float32)
    """
    check_float(x, "the input of gelu_tanh")
    # Beyond 10 the tangent is 1 in any precision, but the cube may overflow.
    small = jnp.clip(x, -10, 10)
    return x * (1 + jnp.tanh(math.sqrt(2 / math.pi) * (small + 0.044715 * small**3))) / 2


def silu(x: jax.Array) -> jax.Array:
    """``x * sigmoid(x)`` (arXiv:1702.03118).

    >>> silu(jnp.array([0.0, 20.0]))
    Array([ 0., 20.], dtype=float32)
    """
    check_float(x, "the input of silu")
    return jax.nn.silu(x)


def swish(x: jax.Array, *, beta: float = 1.0) -> jax.Array:
    """``x * sigmoid(beta * x)``, which is ``silu`` for a ``beta`` of 1 (arXiv:1710.05941).

    >>> swish(jnp.array([0.0, 20.0]), beta=2.0)
    Array([ 0., 20.], dtype=float32)
    """
    check_float(x, "the input of swish")
    return x * jax.nn.sigmoid(beta * x)


def snake(x: jax.Array, alpha: jax.Array) -> jax.Array:
    """``x + sin(alpha * x)^2 / alpha``, for what repeats itself (arXiv:2006.08195).

    ``x [..., D]``, ``alpha [D]`` or a scalar; where ``alpha`` is 0 it is ``x``.
    Raises ValueError if ``alpha`` has another shape.

    >>> snake(jnp.array([0.0, 1.0]), jnp.array(1.0)).round(3)
    Array([0.   , 1.708], dtype=float32)
    """
    check_float(x, "the input of snake")
    if alpha.shape not in ((), x.shape[-1:]):
        raise ValueError(
            f"alpha of snake must be a scalar or have the shape {x.shape[-1:]}, one value a "
            f"feature, but is {describe(alpha)}"
        )
    turn = jnp.broadcast_to(alpha, x.shape) * x
    # Written with sinc, which is smooth at 0.
    return x + x * jnp.sin(turn) * jnp.sinc(turn / math.pi)


class Snake(Layer):
    """``snake`` with a learnt ``alpha`` a feature: ``[..., D] -> [..., D]``.

    Leaf ``alpha [D]``, which ``initializer`` makes: by default ones.

    >>> layer = Snake()
    >>> layer(layer.init(jax.random.key(0), jnp.zeros((1, 2))), jnp.zeros((1, 2)))
    Array([[0., 0.]], dtype=float32)
    """

    initializer: initializers.Initializer = initializers.ones

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_float(x, "the input of Snake")
        check_axes(x, 1, "the input of Snake")
        return snake(x, param(params, "alpha", x.shape[-1:], self.initializer))


class Activation(Layer):
    """A function of ``x`` with options, as a layer that equals another of the same options.

    (A ``lambda`` stands in a ``Sequential``, too, but each one is unlike all others, so that JAX
    compiles a model anew whenever it is made anew.)
    Raises ValueError for options that the function does not have.

    >>> from jaxnet import nn
    >>> layer = Activation(nn.elu, alpha=0.5)
    >>> layer, layer({}, jnp.array([-100.0, 1.0]))
    (Activation(elu, alpha=0.5), Array([-0.5,  1. ], dtype=float32))
    """

    function: Callable[..., jax.Array]
    options: tuple[tuple[str, Any], ...]

    def __init__(self, function: Callable[..., jax.Array], /, **options: Any) -> None:
        if not callable(function) or isinstance(function, Layer | type):
            raise ValueError(
                f"Activation takes a function of x, such as nn.elu, but was given {function!r}"
            )
        try:
            inspect.signature(function).bind(None, **options)
        except TypeError as error:
            raise ValueError(
                f"{function.__name__} cannot be called with the options {options}: {error}; "
                f"it is {function.__name__}{inspect.signature(function)}"
            ) from None
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "options", tuple(sorted(options.items())))
        self.__post_init__()

    def __repr__(self) -> str:
        parts = [self.function.__name__, *(f"{name}={value!r}" for name, value in self.options)]
        return f"Activation({', '.join(parts)})"

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return self.function(x, **dict(self.options))
