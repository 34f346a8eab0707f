"""Resizing the spatial axes: each is multiplied by a small matrix of weights, made in NumPy."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_choice, check_float
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.adaptive_pool import adaptive_avg_pool
from jaxnet.nn.sliding import Sizes, spatial_of, window_size

type Scale = float | tuple[float, ...]

_COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "asymmetric",
    "align_corners",
)
_ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "prefer_floor": lambda at: np.ceil(at - 0.5),
    "prefer_ceil": lambda at: np.floor(at + 0.5),
}
# Rounding and coordinates by which PyTorch's two ways of taking the nearest differ.
_NEAREST = {"nearest": ("floor", "asymmetric"), "nearest-exact": ("prefer_ceil", "half_pixel")}
# How many elements a filter reaches to each side.
_REACH = {"linear": 1, "cubic": 2, "lanczos3": 3, "lanczos5": 5}
_METHODS = (*_NEAREST, *_REACH, "area")


def resize(
    x: jax.Array,
    size: Sizes | None = None,
    *,
    scale: Scale | None = None,
    method: str = "nearest",
    antialias: bool = False,
    coordinates: str | None = None,
    rounding: str | None = None,
    cubic: float | None = None,
    exclude_outside: bool | None = None,
) -> jax.Array:
    """Resamples the spatial axes: ``[..., *spatial, C]`` to ``[..., *size, C]``.

    Give ``size``, or ``scale`` and the size is ``floor(n * scale)``; a single number means the two
    axes of an image, a tuple says by its length how many there are, 1 to 3.
    ``method`` is ``"nearest"``, ``"nearest-exact"``, ``"linear"`` (bilinear, trilinear),
    ``"cubic"``, ``"lanczos3"``, ``"lanczos5"`` or ``"area"`` (``adaptive_avg_pool``).
    ``antialias`` widens the filter where an axis shrinks, so that it sees every element.
    The defaults are PyTorch's interpolate; as in ONNX's Resize more can be said:

    - ``coordinates``: where place i lies between n elements. ``"half_pixel"`` says
      ``(i + 0.5) / scale - 0.5``; ``"asymmetric"`` says ``i / scale`` (the default of
      ``"nearest"``); ``"align_corners"`` lays first and last on each other;
      ``"pytorch_half_pixel"`` and ``"half_pixel_symmetric"`` are ONNX's.
    - ``rounding`` of the nearest: ``"floor"``, ``"ceil"``, ``"prefer_floor"``, ``"prefer_ceil"``.
    - ``cubic``: the cubic's coefficient, by default -0.75, with ``antialias`` -0.5. Keras has -0.5.
    - ``exclude_outside``: weights past the border are left out, rather than given to the border's
      element. By default as ``antialias``, and for Lanczos.

    Raises ValueError if options do not fit each other.

    >>> resize(jnp.array([0.0, 4.0])[:, None], (4,), method="linear")[:, 0]
    Array([0., 1., 3., 4.], dtype=float32)
    >>> resize(jnp.ones((2, 8, 8, 3)), scale=2).shape
    (2, 16, 16, 3)
    """
    options = _Options(method, antialias, coordinates, rounding, cubic, exclude_outside)
    sizes, scales = _target(size, scale)
    axes = len(sizes or scales)
    spatial = spatial_of(x, axes, "resize")
    sizes = sizes or tuple(math.floor(n * s) for n, s in zip(spatial, scales, strict=True))
    if not all(spatial) or not all(sizes):
        raise ValueError(
            f"resize cannot go from {spatial} to {sizes}: no axis may be empty, but the input is "
            f"{describe(x)}; use a larger input or scale"
        )
    steps = [1 / s for s in scales] or [n / m for n, m in zip(spatial, sizes, strict=True)]
    if method in _NEAREST:
        return _take(x, sizes, steps, options)
    check_float(x, "the input of resize")
    if method == "area":
        return adaptive_avg_pool(x, sizes)
    y = x.astype(at_least_float32(x))
    # What shrinks comes first, so that the others have less to do.
    order = sorted(range(axes), key=lambda i: sizes[i] / spatial[i])
    for i in order:
        matrix = options.matrix(spatial[i], sizes[i], steps[i])
        if not np.array_equal(matrix, np.eye(spatial[i])):
            y = _along(y, x.ndim - axes - 1 + i, matrix)
    return y.astype(x.dtype)


class Resize(Layer):
    """``resize`` as a layer without parameters, for ``Sequential``: PyTorch's Upsample.

    >>> Resize(scale=2, method="linear")({}, jnp.ones((1, 14, 14, 8))).shape
    (1, 28, 28, 8)
    """

    size: Sizes | None = None
    _: KW_ONLY
    scale: Scale | None = None
    method: str = "nearest"
    antialias: bool = False
    coordinates: str | None = None
    rounding: str | None = None
    cubic: float | None = None
    exclude_outside: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _target(self.size, self.scale)
        _Options(**self._options())

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return resize(x, self.size, scale=self.scale, **self._options())

    def _options(self) -> dict[str, Any]:
        names = (field.name for field in dataclasses.fields(_Options))
        return {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True)
class _Options:
    """How places see elements; what is None is as in PyTorch."""

    method: str
    antialias: bool
    coordinates: str | None
    rounding: str | None
    cubic: float | None
    exclude_outside: bool | None

    def __post_init__(self) -> None:
        check_choice(self.method, _METHODS, "method", "resize")
        for name, known in (("coordinates", _COORDINATES), ("rounding", _ROUNDINGS)):
            if getattr(self, name) is not None:
                check_choice(getattr(self, name), known, name, "resize")
        for name, methods in (
            ("antialias", _REACH),
            ("exclude_outside", _REACH),
            ("rounding", _NEAREST),
            ("cubic", ("cubic",)),
            ("coordinates", (*_NEAREST, *_REACH)),
        ):
            value = getattr(self, name)
            if value not in (None, False) and self.method not in methods:
                raise ValueError(
                    f"{name}={value!r} of resize means nothing to method={self.method!r}, only to "
                    f"{', '.join(methods)}; leave it out, or choose one of these"
                )

    def nearest(self, n: int, m: int, step: float) -> np.ndarray:
        """Which of n elements each of m places takes."""
        rounding, coordinates = _NEAREST[self.method]
        at = _places(n, m, step, self.coordinates or coordinates)
        # In float32, so that 2.9999999999 is 3.
        at = _ROUNDINGS[self.rounding or rounding](at.astype(np.float32))
        return np.clip(at, 0, n - 1).astype(np.int32)

    def matrix(self, n: int, m: int, step: float) -> np.ndarray:
        """How much each of n elements weighs at each of m places: ``[m, n]``."""
        stretch = max(step, 1.0) if self.antialias else 1.0
        at = _places(n, m, step, self.coordinates or "half_pixel")[:, None]
        reach = _REACH[self.method] * stretch
        taps = np.floor(at - reach) + np.arange(math.ceil(2 * reach) + 2)  # [m, taps]
        weight = self._filter((taps - at) / stretch)
        lanczos = self.method.startswith("lanczos")
        outside = (
            self.antialias or lanczos if self.exclude_outside is None else self.exclude_outside
        )
        if outside:
            weight = np.where((taps >= 0) & (taps < n), weight, 0)
        if outside or self.antialias or lanczos:
            weight = weight / weight.sum(1, keepdims=True)
        columns = np.clip(taps, 0, n - 1).astype(int)
        weights = np.zeros((m, n))
        np.add.at(weights, (np.arange(m)[:, None], columns), weight)
        return weights

    def _filter(self, t: np.ndarray) -> np.ndarray:
        """The weight of an element at the distance ``t``."""
        t, reach = abs(t), _REACH[self.method]
        if self.method == "linear":
            return np.maximum(1 - t, 0)
        if self.method != "cubic":
            return np.where(t < reach, np.sinc(t) * np.sinc(t / reach), 0)
        a = self.cubic if self.cubic is not None else -0.5 if self.antialias else -0.75
        inner = ((a + 2) * t - (a + 3)) * t * t + 1
        outer = ((t - 5) * t + 8) * t * a - 4 * a
        return np.where(t <= 1, inner, np.where(t < 2, outer, 0))


def _target(size: Any, scale: Any) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The sizes or the scales, one an axis; the other is empty."""
    if (size is None) == (scale is None):
        raise ValueError(
            f"resize needs either size or scale, but size={size!r} and scale={scale!r} are given; "
            "give one of them"
        )
    if scale is None:
        return window_size(size, "size of resize"), ()
    scales = scale if isinstance(scale, tuple) else (scale, scale)
    numbers = all(isinstance(s, int | float) and 0 < s < math.inf for s in scales)
    if not numbers or not 1 <= len(scales) <= 3:
        raise ValueError(
            "scale of resize must be a positive number, which means two spatial axes, or a tuple "
            f"of 1 to 3 of them, one a spatial axis, but is {scale!r}"
        )
    return (), scales


def _places(n: int, m: int, step: float, coordinates: str) -> np.ndarray:
    """Where m places lie, one ``step`` after the other, counted in n elements."""
    place = np.arange(m)
    if coordinates == "align_corners":
        return place * ((n - 1) / max(m - 1, 1))
    if coordinates == "asymmetric":
        return place * step
    if coordinates == "pytorch_half_pixel" and m == 1:
        return np.zeros(1)
    # The part of an element that rounding the size down has cut off, shared by both ends.
    lost = (n - m * step) / 2 if coordinates == "half_pixel_symmetric" else 0
    return lost + step * (place + 0.5) - 0.5


def _take(x: jax.Array, sizes: tuple[int, ...], steps: list[float], options: _Options) -> jax.Array:
    """Each place takes one element: copies, so that any dtype and infinities are welcome."""
    first = x.ndim - len(sizes) - 1
    for axis, (m, step) in enumerate(zip(sizes, steps, strict=True), first):
        n = x.shape[axis]
        index = options.nearest(n, m, step)
        if m % n == 0 and np.array_equal(index, np.arange(m) // (m // n)):
            x = jnp.repeat(x, m // n, axis, total_repeat_length=m)
        else:
            x = jnp.take(x, index, axis, mode="clip", indices_are_sorted=True)
    return x


def _along(x: jax.Array, axis: int, matrix: np.ndarray) -> jax.Array:
    """``matrix`` times one axis of ``x``, with what lies behind it as columns."""
    batch, rest = x.shape[:axis], x.shape[axis + 1 :]
    flat = x.reshape(math.prod(batch), x.shape[axis], math.prod(rest))
    weights = jnp.asarray(matrix, x.dtype)
    y = jnp.einsum("mn,bnc->bmc", weights, flat, precision=jax.lax.Precision.HIGHEST)
    return y.reshape(*batch, matrix.shape[0], *rest)
