"""Fractional max-pooling: windows at pseudorandom places, for sizes that divide by no integer.

On an axis of n elements the windows of k elements begin at ``floor((i + u) * a) - floor(u * a)``
with ``a = (n - k) / (m - 1)``, the last at ``n - k``; u is a sample from [0, 1) (arXiv:1412.6071).
"""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_key, check_prediction, check_real, check_within
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.places import largest_of
from jaxnet.nn.sliding import Sizes, per_axis, spatial_of, window_size
from jaxnet.nn.window import Ints

type Ratios = float | tuple[float, ...]


def fractional_max_pool(
    x: jax.Array,
    window: Sizes,
    *,
    size: Sizes | None = None,
    ratio: Ratios | None = None,
    samples: jax.Array | None = None,
    key: jax.Array | None = None,
) -> jax.Array:
    """The largest values of windows at random: ``[..., *spatial, C]`` to ``[..., *size, C]``.

    ``window`` as an int means two spatial axes; a tuple says by its length how many there are.
    Either ``size`` or ``ratio``, that of output and input below 1, says how many places there are.
    ``samples [..., axes, C]`` from [0, 1) place the windows of each channel on each spatial axis,
    in their order (PyTorch's ``_random_samples`` are ``[N, C, axes]``, with the columns first in
    two dimensions); ``key`` draws them; with neither they are 1/2. Integers are welcome.
    Raises ValueError if shapes and options do not fit each other.

    >>> fractional_max_pool(jnp.arange(7)[:, None], (2,), size=(4,))[:, 0]
    Array([1, 3, 5, 6], dtype=int32)
    """
    return _fractional(x, window, size, ratio, samples, key, "fractional_max_pool")[0]


def fractional_max_pool_with_indices(
    x: jax.Array,
    window: Sizes,
    *,
    size: Sizes | None = None,
    ratio: Ratios | None = None,
    samples: jax.Array | None = None,
    key: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """``fractional_max_pool``, and where each value lies, as in ``max_pool_with_indices``.

    Raises ValueError if shapes and options do not fit each other.

    >>> fractional_max_pool_with_indices(jnp.arange(7)[::-1, None], (2,), size=(4,))[1][:, 0]
    Array([0, 2, 4, 5], dtype=int32)
    """
    what = "fractional_max_pool_with_indices"
    return _fractional(x, window, size, ratio, samples, key, what)


class FractionalMaxPool(Layer):
    """``fractional_max_pool`` as a layer without parameters; a training call draws its windows.

    >>> FractionalMaxPool(2, ratio=0.7)({}, jnp.ones((2, 9, 9, 8))).shape
    (2, 6, 6, 8)
    """

    window: Sizes
    _: KW_ONLY
    size: Sizes | None = None
    ratio: Ratios | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        axes = len(window_size(self.window, "window of FractionalMaxPool"))
        _check_target(self.size, self.ratio, axes, "FractionalMaxPool")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return fractional_max_pool(x, self.window, size=self.size, ratio=self.ratio, key=key)


def _fractional(
    x: jax.Array, window: Any, size: Any, ratio: Any, samples: Any, key: Any, what: str
) -> tuple[jax.Array, jax.Array]:
    check_real(x, f"the input of {what}", integers=True)
    window = window_size(window, f"window of {what}")
    axes = len(window)
    spatial = spatial_of(x, axes, what)
    places = _places(spatial, window, size, ratio, what)
    shape = (*x.shape[: x.ndim - axes - 1], axes, x.shape[-1])
    u = _samples(samples, key, shape, x, what)
    windows = []
    for i, (n, k, m) in enumerate(zip(spatial, window, places, strict=True)):
        start = _starts(u[..., i, :], n, k, m)[..., None, :]
        windows.append(
            start + jnp.arange(k, dtype=start.dtype).reshape(*(1,) * (start.ndim - 2), k, 1)
        )
    return largest_of(x, windows)


def _starts(u: jax.Array, n: int, k: int, m: int) -> jax.Array:
    """Where m windows of k elements begin on an axis of n: ``[..., C]`` to ``[..., m, C]``."""
    step = (n - k) / max(m - 1, 1)
    u = u[..., None, :]
    i = jnp.arange(m, dtype=u.dtype).reshape(*(1,) * (u.ndim - 2), m, 1)
    start = jnp.floor((i + u) * step) - jnp.floor(u * step)
    return jnp.where(i == m - 1, n - k, start).astype(jnp.int32)


def _samples(samples: Any, key: Any, shape: tuple[int, ...], x: jax.Array, what: str) -> jax.Array:
    dtype = at_least_float32(x)
    if samples is None:
        if key is None:
            return jnp.full(shape, 0.5, dtype)
        check_key(key)
        return jax.random.uniform(key, shape, dtype)
    if key is not None:
        raise ValueError(f"{what} was given both samples and key; a key would draw them anew")
    check_prediction(samples, f"the samples of {what}")
    if samples.shape != shape:
        raise ValueError(
            f"the samples of {what} must have the shape {shape}, one for each spatial axis and "
            f"channel, but are {describe(samples)}; draw them: jax.random.uniform(key, {shape})"
        )
    check_within(samples, f"the samples of {what}", "draw them with jax.random.uniform")
    return samples.astype(at_least_float32(samples))


def _check_target(size: Any, ratio: Any, axes: int, what: str) -> tuple[Any, ...]:
    """One size or one ratio for each axis."""
    if (size is None) == (ratio is None):
        raise ValueError(
            f"{what} needs either size or ratio to know how many places there are, but was given "
            f"size={size!r} and ratio={ratio!r}"
        )
    if size is not None:
        return per_axis(size, axes, f"size of {what}")
    ratios = (ratio,) * axes if isinstance(ratio, float) else ratio
    if (
        not isinstance(ratios, tuple)
        or len(ratios) != axes
        or not all(isinstance(r, float) and 0 < r < 1 for r in ratios)
    ):
        raise ValueError(
            f"ratio of {what} must be a float above 0 and below 1, or one for each of the {axes} "
            f"spatial axes, but is {ratio!r}; give an int as size"
        )
    return ratios


def _places(spatial: Ints, window: Ints, size: Any, ratio: Any, what: str) -> Ints:
    target = _check_target(size, ratio, len(window), what)
    places = tuple(
        m if isinstance(m, int) else int(n * m) for n, m in zip(spatial, target, strict=True)
    )
    for n, k, m in zip(spatial, window, places, strict=True):
        if m < 1 or m + k - 1 > n:
            raise ValueError(
                f"{what} cannot have {m} places of a window of {k} on an axis of {n}; with this "
                f"window there can be 1 to {n - k + 1}: change size, ratio or window"
            )
    return places
