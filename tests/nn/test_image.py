"""Images, one by one: Pillow's equalize, what a batch is, and what keeps gradients finite."""

import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")


def images(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).random(shape))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 10**6))
def test_equalize_autocontrast_and_invert_are_pillows(a, b, seed):
    rng = np.random.default_rng(seed)
    byte = rng.integers(min(a, b), max(a, b) + 1, (30, 40), dtype=np.uint8)
    x = jnp.asarray(byte[..., None] / 255)

    def assert_close(y, picture, tolerance):
        np.testing.assert_allclose(np.asarray(y)[..., 0] * 255, np.asarray(picture), atol=tolerance)

    picture = Image.fromarray(byte)
    assert_close(equalize(x), ImageOps.equalize(picture), 1e-9)
    assert_close(invert(x), ImageOps.invert(picture), 1e-9)
    # Pillow's table of stretched values is cut to whole numbers.
    assert_close(autocontrast(x), ImageOps.autocontrast(picture), 1.01)


equalize, invert, autocontrast = jax.jit(nn.equalize), jax.jit(nn.invert), jax.jit(nn.autocontrast)


def test_hsv_is_that_of_colorsys_for_grays_and_ties_too():
    levels = np.linspace(0, 1, 4)
    colors = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(8, 8, 3)
    y = nn.rgb_to_hsv(jnp.asarray(colors))
    expected = [[colorsys.rgb_to_hsv(*color) for color in row] for row in colors]
    np.testing.assert_allclose(y, expected, atol=1e-12)
    np.testing.assert_allclose(nn.hsv_to_rgb(y), colors, atol=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: nn.adjust_hue(x, 0.2),
        lambda x: nn.adjust_contrast(x, 0.0),
        nn.rgb_to_hsv,
        nn.autocontrast,
        lambda x: nn.gaussian_blur(x, 3, 1e-3),
    ],
)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_gradients_are_finite_for_images_of_one_gray(change, value):
    x = jnp.full((2, 3, 3, 3), value)
    assert jnp.isfinite(jax.jit(jax.grad(lambda x: change(x).sum()))(x)).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda x, n: nn.adjust_brightness(x, n),
        lambda x, n: nn.adjust_contrast(x, n),
        lambda x, n: nn.adjust_hue(x, n / 4),
        lambda x, n: nn.gaussian_blur(x, 3, n),
        lambda x, n: nn.affine(x, degrees=40 * n, shear=(n, 5 * n), mode="linear"),
    ],
)
def test_each_image_has_its_own_amount_on_any_batch_axes(change, batch=(2, 3)):
    x, n = images(*batch, 4, 5, 3), jnp.linspace(0.2, 1.8, 6).reshape(batch)
    y, one = jax.jit(lambda x, n: (change(x, n), change(x[1, 2], n[1, 2])))(x, n)
    close(y[1, 2], one)


def test_a_full_turn_and_what_changes_nothing():
    x, square = images(2, 5, 6, 3), images(2, 5, 5, 3)

    @jax.jit
    def same(x):
        return [
            nn.affine(x),
            nn.resized_crop(x, (0, 0, 5, 6), (5, 6)),
            nn.adjust_hue(nn.adjust_hue(x, 0.5), 0.5),
            nn.elastic(x, jnp.zeros((2, 5, 6, 2))),
            nn.adjust_brightness(x, 1.0),
            nn.adjust_contrast(x, 1.0),
            nn.adjust_saturation(x, 1.0),
            nn.adjust_sharpness(x, 1.0),
        ]

    for y in same(x):
        close(y, x)
    turned = jax.jit(lambda x: nn.affine(x, degrees=90.0))(square)
    close(turned, jnp.rot90(square, -1, (1, 2)))


@pytest.mark.parametrize("fill", ["border", "reflection", 0.25])
def test_a_constant_image_stays_so_where_the_outside_is_no_other(fill):
    x = jnp.full((1, 4, 5, 1), 0.25)
    turn = jax.jit(lambda x: nn.affine(x, degrees=33.0, scale=0.5, mode="linear", fill=fill))
    close(turn(x), x)


def test_bytes_become_floats():
    y = nn.rescale(jnp.array([0, 255], jnp.uint8), 1 / 255)
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, [0, 1])
