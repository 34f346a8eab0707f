"""PSNR and SSIM, and their gradients, against their definitions in NumPy."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxnet import metrics as m


@pytest.fixture(autouse=True)
def strict() -> Any:
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        yield


def images(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.random(shape)
    return x, np.clip(x + 0.3 * rng.normal(size=shape), 0, 1)


def reference(x: Any, y: Any, size: tuple[int, ...], sigma: float = 1.5, peak: float = 1.0) -> Any:
    """SSIM of one channel, window by window, with two-pass variances."""
    grid = np.meshgrid(*(np.arange(k) - (k - 1) / 2 for k in size), indexing="ij")
    w = np.exp(-sum(g**2 for g in grid) / (2 * sigma**2))
    w /= w.sum()
    c, d = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    values = []
    for place in itertools.product(*(range(n - k + 1) for n, k in zip(x.shape, size, strict=True))):
        inside = tuple(slice(i, i + k) for i, k in zip(place, size, strict=True))
        a, b = x[inside], y[inside]
        ma, mb = (w * a).sum(), (w * b).sum()
        va, vb = (w * (a - ma) ** 2).sum(), (w * (b - mb) ** 2).sum()
        cov = (w * (a - ma) * (b - mb)).sum()
        values.append((2 * ma * mb + c) * (2 * cov + d) / ((ma**2 + mb**2 + c) * (va + vb + d)))
    return np.mean(values)


@pytest.mark.oracle("metrics.ssim", gradients=True)
@pytest.mark.parametrize("size", [(3,), (3, 4), (2, 3, 2)])
def test_ssim(size: tuple[int, ...]) -> None:
    x, y = images(2, *(k + 2 for k in size), 2)
    each = np.array([[reference(x[i, ..., c], y[i, ..., c], size) for c in (0, 1)] for i in (0, 1)])
    loss = lambda x: m.ssim(x, jnp.asarray(y), window=size, reduction="none")
    found, back = jax.jit(lambda x: (loss(x), jax.grad(lambda x: loss(x).sum())(x)))(x)
    np.testing.assert_allclose(found, each.mean(-1), rtol=1e-9)
    for place in list(np.ndindex(*x.shape))[::7]:
        step = np.zeros(x.shape)
        step[place] = 1e-5
        i, c = place[0], place[-1]
        ends = [reference(z[i, ..., c], y[i, ..., c], size) for z in (x + step, x - step)]
        np.testing.assert_allclose(
            back[place], (ends[0] - ends[1]) / 2e-5 / 2, rtol=1e-6, atol=1e-9
        )


@pytest.mark.oracle("metrics.ssim")
def test_ssim_has_the_windows_of_the_paper() -> None:
    x, y = images(14, 13, 1)
    x, y = 255 * x, 255 * y
    # SciPy's Gaussian, cut at 5 pixels: 11 pixels wide.
    blur = lambda z: ndimage.gaussian_filter(z[..., 0], 1.5, radius=5)[5:-5, 5:-5]
    a, b = blur(x), blur(y)
    v, w, cov = blur(x * x) - a * a, blur(y * y) - b * b, blur(x * y) - a * b
    c, d = 2.55**2, 7.65**2
    map = (2 * a * b + c) * (2 * cov + d) / ((a * a + b * b + c) * (v + w + d))
    found = jax.jit(lambda x, y: m.ssim(x, y, peak=255))(x, y)
    np.testing.assert_allclose(found, map.mean(), rtol=1e-9)
    np.testing.assert_allclose(found, reference(x[..., 0], y[..., 0], (11, 11), peak=255))


def test_ssim_holds_for_flat_images() -> None:
    flat = jnp.full((1, 12, 12, 1), 0.9, jnp.float32)
    noise = 1e-3 * jax.random.normal(jax.random.key(0), flat.shape, jnp.float32)
    ssim = jax.jit(jax.value_and_grad(m.ssim))
    found, _ = ssim(flat + noise, flat)
    exact, _ = ssim((flat + noise).astype(float), flat.astype(float))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, exact, rtol=1e-5)
    alike, slope = ssim(flat, flat)
    assert alike == 1
    assert jnp.isfinite(slope).all()


@pytest.mark.oracle("metrics.psnr", gradients=True)
def test_psnr() -> None:
    x, y = images(3, 4, 5, 2)
    error = ((x - y) ** 2).mean((1, 2, 3))
    loss = lambda x: m.psnr(x, jnp.asarray(y), peak=2.0)
    value, grad = jax.jit(jax.value_and_grad(loss))(jnp.asarray(x))
    np.testing.assert_allclose(value, (10 * np.log10(4 / error)).mean(), rtol=1e-12)
    slope = -20 / np.log(10) * (x - y) / (40 * error[:, None, None, None]) / 3
    np.testing.assert_allclose(grad, slope, rtol=1e-9)


def test_equal_images_have_no_noise() -> None:
    x = jnp.ones((2, 3, 3, 1))
    value, grad = jax.jit(jax.value_and_grad(m.psnr))(x, x)
    assert value == jnp.inf
    assert (grad == 0).all()
    half = (x / 2).at[0].set(1)
    mask = jnp.array([False, True])
    np.testing.assert_allclose(m.psnr(half, x, mask=mask), 10 * np.log10(4))
