"""Activations with kinks: ``relu`` and its relations, shrinking and clamping.

At a kink the gradient is PyTorch's, which for those that clamp is 0.
"""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import Initializer, param
from jaxnet.core.checks import check_axes, check_float, check_key, check_positive, check_size
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.core.threefry import written_out
from jaxnet.nn.initializers import Constant


def relu(x: jax.Array) -> jax.Array:
    """``x`` where it is positive, else 0.

    >>> relu(jnp.array([-1.0, 2.0]))
    Array([0., 2.], dtype=float32)
    """
    check_float(x, "the input of relu")
    return jax.nn.relu(x)


def relu6(x: jax.Array) -> jax.Array:
    """``relu``, but at most 6 (arXiv:1704.04861).

    >>> relu6(jnp.array([-1.0, 2.0, 8.0]))
    Array([0., 2., 6.], dtype=float32)
    """
    check_float(x, "the input of relu6")
    return _clamp(x, 0, 6)


def leaky_relu(
    x: jax.Array, *, slope: float = 0.01, threshold: float = 0.0, most: float | None = None
) -> jax.Array:
    """``x`` above ``threshold``, else ``slope * (x - threshold)``, and nowhere above ``most``.

    These are the options of Keras's ``ReLU``, where ``slope`` is 0 by default.

    >>> leaky_relu(jnp.array([-1.0, 2.0, 8.0]), most=6.0)
    Array([-0.01,  2.  ,  6.  ], dtype=float32)
    """
    check_float(x, "the input of leaky_relu")
    y = jnp.where(x > threshold, x, slope * (x - threshold))
    return y if most is None else jnp.where(y >= most, most, y)


def prelu(x: jax.Array, slope: jax.Array) -> jax.Array:
    """``x`` where it is positive, else ``slope * x`` (arXiv:1502.01852).

    The axes of ``slope`` are the last of ``x``, or of size 1; a scalar is one slope for all.
    Raises ValueError if ``slope`` has another shape.

    >>> prelu(jnp.array([-1.0, 2.0]), jnp.array(0.25))
    Array([-0.25,  2.  ], dtype=float32)
    """
    check_float(x, "the input of prelu")
    own = x.shape[x.ndim - slope.ndim :]
    if slope.ndim > x.ndim or any(s not in (1, n) for s, n in zip(slope.shape, own, strict=True)):
        raise ValueError(
            f"slope of prelu must fit the last axes of the input {describe(x)}, each of its axes "
            f"having that size or 1, but is {describe(slope)}"
        )
    return jnp.where(x > 0, x, jnp.broadcast_to(slope, x.shape) * x)


class PReLU(Layer):
    """``prelu`` with learnt slopes: ``[...] -> [...]``.

    Leaf ``slope`` has the last ``axes`` axes of the input: with 0 it is one number for all, with 1
    one a feature, with 3 one a pixel and channel. ``initializer`` makes it: by default 0.25.

    >>> layer = PReLU(axes=1)
    >>> layer.init(jax.random.key(0), jnp.zeros((1, 2)))
    {'slope': Array([0.25, 0.25], dtype=float32)}
    """

    _: KW_ONLY
    axes: int = 0
    initializer: Initializer = Constant(0.25)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.axes, "axes of PReLU", least=0)

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_float(x, "the input of PReLU")
        check_axes(x, self.axes, "the input of PReLU")
        shape = x.shape[x.ndim - self.axes :]
        return prelu(x, param(params, "slope", shape, self.initializer))


def rrelu(
    x: jax.Array, key: jax.Array | None = None, *, lower: float = 1 / 8, upper: float = 1 / 3
) -> jax.Array:
    """``prelu`` with a random slope an entry, uniform between ``lower`` and ``upper``.

    Without a key, at inference, the slope is their mean (arXiv:1505.00853).
    Raises ValueError unless ``lower <= upper``.

    >>> rrelu(jnp.array([-1.0, 2.0]), lower=0.0, upper=0.5)
    Array([-0.25,  2.  ], dtype=float32)
    """
    check_float(x, "the input of rrelu")
    _check_slopes(lower, upper, "rrelu")
    if key is None:
        return leaky_relu(x, slope=(lower + upper) / 2)
    check_key(key)
    return prelu(x, jax.random.uniform(written_out(key), x.shape, x.dtype, lower, upper))


class RReLU(Layer):
    """``rrelu`` as a layer without parameters: ``[...] -> [...]``.

    >>> RReLU(lower=0.0, upper=0.5)({}, jnp.array([-1.0, 2.0]))
    Array([-0.25,  2.  ], dtype=float32)
    """

    _: KW_ONLY
    lower: float = 1 / 8
    upper: float = 1 / 3

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_slopes(self.lower, self.upper, "RReLU")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return rrelu(x, key, lower=self.lower, upper=self.upper)


def elu(x: jax.Array, *, alpha: float = 1.0) -> jax.Array:
    """``x`` where it is positive, else ``alpha * (exp(x) - 1)`` (arXiv:1511.07289).

    >>> elu(jnp.array([-100.0, 2.0]))
    Array([-1.,  2.], dtype=float32)
    """
    check_float(x, "the input of elu")
    return _elu(x, alpha, 1)


def celu(x: jax.Array, *, alpha: float = 1.0) -> jax.Array:
    """``x`` where it is positive, else ``alpha * (exp(x / alpha) - 1)`` (arXiv:1704.07483).

    Raises ValueError unless ``alpha`` is above 0.

    >>> celu(jnp.array([-100.0, 2.0]), alpha=0.5)
    Array([-0.5,  2. ], dtype=float32)
    """
    check_float(x, "the input of celu")
    check_positive(alpha, "alpha of celu")
    return _elu(x, alpha, alpha)


def selu(
    x: jax.Array, *, alpha: float = 1.6732632423543772, scale: float = 1.0507009873554805
) -> jax.Array:
    """``scale * elu(x)``, by default with the constants that keep mean 0 and variance 1.

    Those are of arXiv:1706.02515.

    >>> selu(jnp.array([-100.0, 1.0]))
    Array([-1.7580993,  1.050701 ], dtype=float32)
    """
    check_float(x, "the input of selu")
    return scale * _elu(x, alpha, 1)


def threshold(x: jax.Array, threshold: float, value: float) -> jax.Array:
    """``x`` where it is above ``threshold``, else ``value``.

    >>> threshold(jnp.array([0.5, 2.0]), 1.0, -1.0)
    Array([-1.,  2.], dtype=float32)
    """
    check_float(x, "the input of threshold")
    return jnp.where(x > threshold, x, value)


def thresholded_relu(x: jax.Array, *, threshold: float = 1.0) -> jax.Array:
    """``x`` where it is above ``threshold``, else 0 (arXiv:1402.3337).

    >>> thresholded_relu(jnp.array([0.5, 2.0]))
    Array([0., 2.], dtype=float32)
    """
    check_float(x, "the input of thresholded_relu")
    return jnp.where(x > threshold, x, 0)


def shrink(x: jax.Array, *, threshold: float = 0.5, bias: float = 0.0) -> jax.Array:
    """0 where ``|x| <= threshold``; elsewhere ``bias`` nearer to 0 than ``x``.

    Raises ValueError if ``threshold`` is negative.

    >>> shrink(jnp.array([-2.0, 0.1, 2.0]), bias=0.25)
    Array([-1.75,  0.  ,  1.75], dtype=float32)
    """
    return _shrink(x, threshold, bias, "shrink")


def hard_shrink(x: jax.Array, *, threshold: float = 0.5) -> jax.Array:
    """``x``, but 0 where ``|x| <= threshold``.

    Raises ValueError if ``threshold`` is negative.

    >>> hard_shrink(jnp.array([-2.0, 0.1, 2.0]))
    Array([-2.,  0.,  2.], dtype=float32)
    """
    return _shrink(x, threshold, 0, "hard_shrink")


def soft_shrink(x: jax.Array, *, threshold: float = 0.5) -> jax.Array:
    """``x``, moved towards 0 by ``threshold`` and no further.

    Raises ValueError if ``threshold`` is negative.

    >>> soft_shrink(jnp.array([-2.0, 0.1, 2.0]))
    Array([-1.5,  0. ,  1.5], dtype=float32)
    """
    return _shrink(x, threshold, threshold, "soft_shrink")


def hard_tanh(x: jax.Array, *, low: float = -1.0, high: float = 1.0) -> jax.Array:
    """``x``, but at least ``low`` and at most ``high``.

    Raises ValueError unless ``low < high``.

    >>> hard_tanh(jnp.array([-2.0, 0.5, 2.0]))
    Array([-1. ,  0.5,  1. ], dtype=float32)
    """
    check_float(x, "the input of hard_tanh")
    if not low < high:
        raise ValueError(f"low of hard_tanh must be below high, but they are {low} and {high}")
    return _clamp(x, low, high)


def hard_sigmoid(x: jax.Array, *, alpha: float = 1 / 6, beta: float = 0.5) -> jax.Array:
    """``alpha * x + beta``, but at least 0 and at most 1.

    PyTorch and Keras have these defaults; in ONNX ``alpha`` is by default 0.2.

    >>> hard_sigmoid(jnp.array([-4.0, 0.0, 4.0]))
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    check_float(x, "the input of hard_sigmoid")
    return _clamp(alpha * x + beta, 0, 1)


def hard_swish(x: jax.Array) -> jax.Array:
    """``x * hard_sigmoid(x)`` (arXiv:1905.02244).

    >>> hard_swish(jnp.array([-4.0, 0.0, 4.0]))
    Array([-0.,  0.,  4.], dtype=float32)
    """
    check_float(x, "the input of hard_swish")
    return x * hard_sigmoid(x)


def sparse_sigmoid(x: jax.Array) -> jax.Array:
    """``(x + 1) / 2``, but at least 0 and at most 1: the slope of ``sparse_plus``.

    >>> sparse_sigmoid(jnp.array([-4.0, 0.0, 4.0]))
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    check_float(x, "the input of sparse_sigmoid")
    return hard_sigmoid(x, alpha=0.5)


def _clamp(x: jax.Array, low: float, high: float) -> jax.Array:
    # jnp.clip shares the gradient at the ends.
    return jnp.where(x <= low, low, jnp.where(x >= high, high, x))


def _elu(x: jax.Array, alpha: float, width: float) -> jax.Array:
    # Where it is not chosen the exponential may overflow, and its gradient with it.
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.where(x > 0, 0, x) / width))


def _shrink(x: jax.Array, threshold: float, bias: float, what: str) -> jax.Array:
    check_float(x, f"the input of {what}")
    if not threshold >= 0:
        raise ValueError(f"threshold of {what} must be at least 0, but is {threshold}")
    return jnp.where(x > threshold, x - bias, jnp.where(x < -threshold, x + bias, 0))


def _check_slopes(lower: float, upper: float, what: str) -> None:
    if not lower <= upper:
        raise ValueError(f"lower of {what} must be at most upper, but they are {lower} and {upper}")
