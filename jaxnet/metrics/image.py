"""How alike two images are: PSNR and SSIM, which can be losses, too."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_float, check_positive
from jaxnet.core.errors import describe
from jaxnet.losses.reduce import Reduction, entries, reduce
from jaxnet.nn.conv import conv
from jaxnet.nn.sliding import Sizes, spatial_of, window_size


def psnr(
    images: jax.Array,
    targets: jax.Array,
    *,
    peak: float = 1.0,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean over images of ``10 log10(peak² / mean squared error)``, in decibels.

    Images are ``[..., H, W, C]``, with values from 0 to ``peak``. Of equal images it is infinite,
    and its gradient 0. Weights, mask and reduction are those of ``losses.reduce``, with one number
    for each image. Raises ValueError for unequal shapes, fewer than three axes, and a ``peak`` that
    is not positive.

    >>> psnr(jnp.full((1, 4, 4, 3), 0.6), jnp.full((1, 4, 4, 3), 0.5)).round(4)
    Array(20., dtype=float32)
    """
    check_positive(peak, "peak of psnr")
    x, y = _images(images, targets, mask, "psnr")
    error = jnp.square((x - y) / peak).mean((-3, -2, -1))
    equal = error == 0
    each = -10 / math.log(10) * jnp.log(jnp.where(equal, 1, error))
    return reduce(jnp.where(equal, jnp.inf, each), weights, mask, reduction, "psnr")


def ssim(
    images: jax.Array,
    targets: jax.Array,
    *,
    peak: float = 1.0,
    window: Sizes = 11,
    sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean over images of their structural similarity, at most 1.

    ``(2 m n + c) (2 cov + d) / ((m² + n²  + c) (v + w + d))`` with the means m and n, variances v
    and w, and the covariance of both images in a Gaussian window, ``c = (k1 peak)²`` and
    ``d = (k2 peak)²``; the mean over all windows that lie inside and over channels, as in the paper
    (doi:10.1109/TIP.2003.819861). Images are ``[..., *spatial, C]`` with values from 0 to ``peak``;
    ``window`` as an int means two spatial axes, and a tuple says by its length how many there are.
    Weights, mask and reduction are those of ``losses.reduce``, with one number for each image.
    ``1 - ssim(x, y)`` is a loss. Raises ValueError for unequal shapes, images smaller than the
    window, and options that are not positive.

    >>> x = jnp.linspace(0, 1, 3 * 16 * 16).reshape(1, 16, 16, 3)
    >>> ssim(x, x), ssim(x, 1 - x) < 0
    (Array(1., dtype=float32), Array(True, dtype=bool))
    """
    for name, value in {"peak": peak, "sigma": sigma, "k1": k1, "k2": k2}.items():
        check_positive(value, f"{name} of ssim")
    size = window_size(window, "window of ssim")
    x, y = _images(images, targets, mask, "ssim", len(size))
    spatial = spatial_of(x, len(size), "ssim")
    if any(n < k for n, k in zip(spatial, size, strict=True)):
        raise ValueError(
            f"the window {size} of ssim must fit into the images, but these are "
            f"{describe(images)}, with {spatial} on their spatial axes; use a smaller window"
        )
    x, y = x / peak, y / peak
    axes = tuple(range(-len(size) - 1, -1))
    # Variances do not change by a shift, and of smaller numbers they are more exact.
    (shift_x, x), (shift_y, y) = (_centered(z, axes) for z in (x, y))
    maps = jnp.concatenate([x, y, x * x, y * y, x * y], -1)
    m, n, xx, yy, xy = jnp.split(_blurred(maps, size, sigma), 5, -1)
    v, w, cov = xx - m * m, yy - n * n, xy - m * n
    m, n = (a + jnp.broadcast_to(s, a.shape) for a, s in ((m, shift_x), (n, shift_y)))
    c, d = k1**2, k2**2
    alike = (2 * m * n + c) * (2 * cov + d) / ((m * m + n * n + c) * (v + w + d))
    return reduce(alike.mean((*axes, -1)), weights, mask, reduction, "ssim")


def _images(
    images: Any, targets: Any, mask: Any, name: str, axes: int = 2
) -> tuple[jax.Array, jax.Array]:
    check_float(targets, f"the target of {name}")
    x, y = entries(images, targets, mask, name)
    check_axes(x, axes + 1, f"the prediction of {name}")
    return x, y


def _centered(x: jax.Array, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    mean = x.mean(axes, keepdims=True)
    return mean, x - jnp.broadcast_to(mean, x.shape)


def _blurred(x: jax.Array, size: tuple[int, ...], sigma: float) -> jax.Array:
    """Gaussian means of all windows inside, one axis after the other."""
    channels = x.shape[-1]
    for i, width in enumerate(size):
        places = jnp.arange(width, dtype=x.dtype) - (width - 1) / 2
        bell = jax.nn.softmax(-jnp.square(places / sigma) / 2)
        shape = tuple(width if i == j else 1 for j in range(len(size)))
        kernel = jnp.broadcast_to(bell.reshape(*shape, 1, 1), (*shape, 1, channels))
        x = conv(x, kernel, groups=channels)
    return x
