"""Noise in training calls, against overfitting: what is dropped, and what is added."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_float, check_key, check_size
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.core.threefry import written_out


def dropout(
    x: jax.Array, rate: float, key: jax.Array | None, *, share: tuple[int, ...] = ()
) -> jax.Array:
    """Zeroes each entry with probability ``rate`` and divides the rest by ``1 - rate``.

    ``share`` are axes, counted from the end, along which one draw holds for all entries: with
    ``(-3, -2)`` whole channels of an image ``[..., H, W, C]`` are dropped (arXiv:1411.4280).
    Without a key, at inference, it returns ``x``. Raises ValueError unless ``0 <= rate < 1``.

    >>> dropout(jnp.ones(3), 0.5, None)
    Array([1., 1., 1.], dtype=float32)
    """
    check_rate(rate)
    if key is None or rate == 0:
        return x
    keep = _keep(x, rate, key, share, "dropout")
    return jnp.where(keep, x / (1 - rate), jnp.zeros_like(x))


def alpha_dropout(
    x: jax.Array, rate: float, key: jax.Array | None, *, share: tuple[int, ...] = ()
) -> jax.Array:
    """Dropout that keeps mean 0 and variance 1, for ``selu`` (arXiv:1706.02515).

    Entries are dropped to the least value of ``selu``, and all are then scaled and shifted.
    Options and errors are those of ``dropout``.

    >>> alpha_dropout(jnp.ones(3), 0.5, None)
    Array([1., 1., 1.], dtype=float32)
    """
    check_rate(rate)
    if key is None or rate == 0:
        return x
    keep = _keep(x, rate, key, share, "alpha_dropout")
    scale = 1 / math.sqrt((1 - rate) * (1 + rate * _SELU_LEAST**2))
    dropped = scale * _SELU_LEAST * (1 - rate)
    return jnp.where(keep, scale * x - scale * rate * _SELU_LEAST, dropped)


def drop_path(
    x: jax.Array, rate: float, key: jax.Array | None, *, axes: int | None = None
) -> jax.Array:
    """Zeroes whole examples with probability ``rate`` and divides the rest by ``1 - rate``.

    On a residual branch it is stochastic depth (arXiv:1603.09382). An example is the last ``axes``
    axes, by default all but the first; with ``axes=x.ndim`` one draw holds for the whole batch.
    Errors are those of ``dropout``.

    >>> drop_path(jnp.ones((2, 3)), 0.5, jax.random.key(1))
    Array([[2., 2., 2.],
           [0., 0., 0.]], dtype=float32)
    """
    check_rate(rate)
    _check_example(axes, "drop_path")
    check_axes(x, axes or 1, "the input of drop_path")
    axes = x.ndim - 1 if axes is None else axes
    return dropout(x, rate, key, share=tuple(range(-axes, 0)))


def gaussian_dropout(x: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
    """Multiplies with normal noise of mean 1 and variance ``rate / (1 - rate)``.

    So mean and variance are those of ``dropout`` (Srivastava et al. 2014, section 10).
    Without a key, at inference, it returns ``x``. Raises ValueError unless ``0 <= rate < 1``.

    >>> gaussian_dropout(jnp.ones(3), 0.5, None)
    Array([1., 1., 1.], dtype=float32)
    """
    check_rate(rate)
    if key is None or rate == 0:
        return x
    return x * (1 + math.sqrt(rate / (1 - rate)) * _normal(x, key, "gaussian_dropout"))


def gaussian_noise(x: jax.Array, deviation: float, key: jax.Array | None) -> jax.Array:
    """Adds normal noise of mean 0 and standard deviation ``deviation``.

    Without a key, at inference, it returns ``x``. Raises ValueError if ``deviation`` is negative.

    >>> gaussian_noise(jnp.ones(3), 0.5, None)
    Array([1., 1., 1.], dtype=float32)
    """
    _check_deviation(deviation)
    if key is None or deviation == 0:
        return x
    return x + deviation * _normal(x, key, "gaussian_noise")


# -scale * alpha of selu, to which it tends far below 0.
_SELU_LEAST = -1.7580993408473766


def _keep(x: jax.Array, rate: float, key: jax.Array, share: Any, what: str) -> jax.Array:
    check_key(key)
    check_float(x, f"the input of {what}")
    _check_share(share, what)
    if share and -min(share) > x.ndim:
        raise ValueError(
            f"share={share} of {what} counts axes from the end, but the input {describe(x)} has "
            f"only {x.ndim}"
        )
    shape = tuple(1 if i - x.ndim in share else n for i, n in enumerate(x.shape))
    return jnp.broadcast_to(jax.random.bernoulli(written_out(key), 1 - rate, shape), x.shape)


def _normal(x: jax.Array, key: jax.Array, what: str) -> jax.Array:
    check_key(key)
    check_float(x, f"the input of {what}")
    return jax.random.normal(written_out(key), x.shape, x.dtype)


def check_rate(rate: float) -> None:
    """Raise unless ``rate`` is a share that can be dropped."""
    if not 0 <= rate < 1:
        raise ValueError(
            f"the dropout rate is the share to drop, at least 0 and below 1, but is {rate}; "
            "to keep 90 % give 0.1"
        )


def _check_share(share: Any, what: str) -> None:
    if not isinstance(share, tuple) or not all(isinstance(n, int) and n < 0 for n in share):
        raise ValueError(
            f"share of {what} must be a tuple of axes counted from the end, such as (-3, -2) for "
            f"the height and width of images, but is {share!r}"
        )


def _check_example(axes: Any, what: str) -> None:
    if axes is not None:
        check_size(axes, f"axes of {what}")


def _check_deviation(deviation: float) -> None:
    if not deviation >= 0:
        raise ValueError(f"deviation of Gaussian noise must be at least 0, but is {deviation}")


class Dropout(Layer):
    """``dropout`` in training calls: ``[...] -> [...]``.

    >>> Dropout(0.5)({}, jnp.ones(3))
    Array([1., 1., 1.], dtype=float32)
    """

    rate: float
    _: KW_ONLY
    share: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.rate)
        _check_share(self.share, "Dropout")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return dropout(x, self.rate, key, share=self.share)


class AlphaDropout(Layer):
    """``alpha_dropout`` in training calls: ``[...] -> [...]``.

    >>> AlphaDropout(0.5)({}, jnp.ones(3))
    Array([1., 1., 1.], dtype=float32)
    """

    rate: float
    _: KW_ONLY
    share: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.rate)
        _check_share(self.share, "AlphaDropout")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return alpha_dropout(x, self.rate, key, share=self.share)


class DropPath(Layer):
    """``drop_path`` in training calls: ``[...] -> [...]``.

    >>> DropPath(0.5)({}, jnp.ones((1, 3)))
    Array([[1., 1., 1.]], dtype=float32)
    """

    rate: float
    _: KW_ONLY
    axes: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.rate)
        _check_example(self.axes, "DropPath")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return drop_path(x, self.rate, key, axes=self.axes)


class GaussianDropout(Layer):
    """``gaussian_dropout`` in training calls: ``[...] -> [...]``.

    >>> GaussianDropout(0.5)({}, jnp.ones(3))
    Array([1., 1., 1.], dtype=float32)
    """

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.rate)

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return gaussian_dropout(x, self.rate, key)


class GaussianNoise(Layer):
    """``gaussian_noise`` in training calls: ``[...] -> [...]``.

    >>> GaussianNoise(0.5)({}, jnp.ones(3))
    Array([1., 1., 1.], dtype=float32)
    """

    deviation: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_deviation(self.deviation)

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return gaussian_noise(x, self.deviation, key)
