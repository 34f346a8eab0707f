"""What is drawn: recovered from images that show it, and compared with what was asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close
from PIL import Image, ImageOps
from scipy import ndimage, stats

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")
KEY = jax.random.key(0)


def images(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).random(shape))


def places(count, height, width):
    """Images of two channels that show the row and the column of each pixel."""
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1)
    return jnp.asarray(np.broadcast_to(grid, (count, height, width, 2)).astype(float))


def pulled(layer, x, weight, key=KEY):
    """What the layer makes of x, and the gradient of its weighted sum."""

    @jax.jit
    def run(x, weight):
        y, back = jax.vjp(lambda x: layer({}, x, key=key), x)
        return y, back(weight)[0]

    return run(x, weight)


def made(layer, x, key=KEY):
    return np.asarray(jax.jit(lambda x: layer({}, x, key=key))(x))


def uniform(values, low, high):
    assert low <= np.min(values)
    assert np.max(values) <= high
    assert stats.kstest(np.ravel(values), stats.uniform(low, high - low).cdf).pvalue > 1e-3


@pytest.mark.oracle("nn.RandomApply", gradients=True)
def test_apply_changes_a_share_of_the_images():
    x, weight = images(400, 2, 2, 1), images(400, 2, 2, 1, seed=1)
    y, slope = pulled(nn.RandomApply(nn.invert, 0.3), x, weight)
    changed = np.abs(np.asarray(y - x)).max((1, 2, 3)) > 1e-3
    assert stats.binomtest(int(changed.sum()), 400, 0.3).pvalue > 1e-3
    mask = changed[:, None, None, None]
    np.testing.assert_allclose(y, np.where(mask, 1 - x, x))
    np.testing.assert_allclose(slope, np.where(mask, -weight, weight))


def test_flips_are_drawn_alone():
    y = made(nn.RandomFlip(0.3, 0.6), places(400, 2, 2))
    across, down = y[:, 0, 0, 1] == 1, y[:, 0, 0, 0] == 1
    for found, rate in ((across, 0.3), (down, 0.6), (across & down, 0.18)):
        assert stats.binomtest(int(found.sum()), 400, rate).pvalue > 1e-3


@pytest.mark.oracle("nn.RandomCrop", gradients=True)
def test_crops_are_cut_anywhere():
    x = places(300, 4, 5)
    y, slope = pulled(nn.RandomCrop((2, 3)), x, jnp.ones((300, 2, 3, 2)))
    corners = np.asarray(y[:, 0, 0]).astype(int)
    assert {tuple(at) for at in corners} == {(i, j) for i in range(3) for j in range(3)}
    for image, cut, back, (i, j) in zip(x, y, np.asarray(slope), corners, strict=True):
        np.testing.assert_array_equal(cut, image[i : i + 2, j : j + 3])
        assert back[i : i + 2, j : j + 3].all()
        assert back.sum() == 12


@pytest.mark.oracle("nn.RandomErasing", gradients=True)
def test_erased_is_one_box_of_the_area_and_ratio():
    x, weight = 1 + images(200, 30, 40, 1), images(200, 30, 40, 1, seed=1)
    y, slope = pulled(nn.RandomErasing(area=(0.1, 0.2), ratio=(0.5, 2.0), value=-1.0), x, weight)
    gone = np.asarray(y[..., 0]) == -1
    rows, columns = gone.any(2), gone.any(1)
    np.testing.assert_array_equal(gone, rows[:, :, None] & columns[:, None])
    height, width = rows.sum(1), columns.sum(1)
    # Sides are rounded.
    uniform(np.clip(height * width / 1200, 0.1, 0.2), 0.1, 0.2)
    assert (width / height).min() > 0.4
    assert (width / height).max() < 2.3
    np.testing.assert_array_equal(y, np.where(gone[..., None], -1, x))
    np.testing.assert_array_equal(slope, np.where(gone[..., None], 0, weight))


def test_resized_crops_have_the_area_and_ratio():
    area, ratio = (0.2, 0.6), (0.8, 1.25)
    y = made(nn.RandomResizedCrop(8, area=area, ratio=ratio), places(200, 32, 32))
    # Two places lie an eighth of the box apart.
    sides = 8 * (y[:, 4, 4] - y[:, 3, 3])
    share, wide = sides.prod(-1) / 32**2, sides[:, 1] / sides[:, 0]
    assert 0.18 < share.min() < 0.25
    assert 0.55 < share.max() < 0.62
    assert 0.75 < wide.min() < 0.9
    assert 1.1 < wide.max() < 1.35


def test_affine_draws_each_from_its_range():
    layer = nn.RandomAffine(degrees=(10, 50), scale=(0.5, 0.8), mode="linear", fill="border")
    # A small step at the centre shows the inverse map, for the image continues it beyond.
    y = made(layer, places(200, 33, 33))[:, 16, 16:18]
    step = y[:, 1] - y[:, 0]  # down, right
    uniform(np.rad2deg(np.arctan2(-step[:, 0], step[:, 1])), 10, 50)
    uniform(1 / np.hypot(*step.T), 0.5, 0.8)
    moved = nn.RandomAffine(shift=(0.0, 0.25), mode="linear", fill="border")
    y = made(moved, places(200, 33, 33))[:, 16, 16] - 16
    np.testing.assert_allclose(y[:, 1], 0, atol=1e-9)
    uniform(y[:, 0], -33 / 4, 33 / 4)


@pytest.mark.oracle("nn.RandomPerspective", gradients=True)
def test_perspective_moves_corners_inwards_by_one_projection():
    x = places(3, 20, 30)
    y, slope = pulled(nn.RandomPerspective(0.6, fill=-9.0), x, jnp.ones(x.shape))
    for image, back in zip(np.asarray(y), np.asarray(slope), strict=True):
        # Not where the border is mixed with the filling.
        seen = ndimage.binary_erosion((image > 0).all(-1), np.ones((3, 3)))
        target = np.argwhere(seen)[:, ::-1] + 0.5
        source = image[seen][:, ::-1] + 0.5
        one, none = np.ones((len(target), 1)), np.zeros((len(target), 3))
        flat = np.concatenate([target, one], 1)
        equations = np.concatenate(
            [
                np.concatenate([flat, none, -source[:, :1] * target], 1),
                np.concatenate([none, flat, -source[:, 1:] * target], 1),
            ]
        )
        found, *_ = np.linalg.lstsq(equations, source.T.ravel())
        np.testing.assert_allclose(equations @ found, source.T.ravel(), atol=1e-8)
        inverse = np.linalg.inv(np.append(found, 1).reshape(3, 3))
        corners = np.array([[0, 0, 1], [30, 0, 1], [30, 20, 1], [0, 20, 1.0]]) @ inverse.T
        inwards = abs(corners[:, :2] / corners[:, 2:] - [[0, 0], [30, 0], [30, 20], [0, 20]])
        assert (inwards <= 0.6 * np.array([15, 10]) + 1e-6).all()
        assert inwards.max() > 1
        # Linear in the image and its filling: the gradient times the image is the sum.
        np.testing.assert_allclose((back * (x[0] + 9)).sum(), (image + 9).sum())


@pytest.mark.oracle("nn.RandomElastic", gradients=True)
def test_elastic_is_blurred_noise():
    x = places(2, 24, 26)
    y, slope = pulled(nn.RandomElastic(6.0, 2.0, fill="border"), x, jnp.ones(x.shape))
    noise = np.asarray(jax.random.uniform(KEY, (2, 24, 26, 2), jnp.float64, -1, 1))
    shift = ndimage.gaussian_filter(noise, (0, 2, 2, 0), mode="mirror", truncate=4) * 3
    source = np.clip(np.asarray(x) + shift[..., ::-1], 0, [23, 25])
    np.testing.assert_allclose(y, source, atol=1e-9)
    assert abs(shift).max() > 0.5
    # Every place takes weights that sum to one, so what is given is what was asked for.
    np.testing.assert_allclose(slope.sum((1, 2)), 24 * 26)
    np.testing.assert_allclose((slope * x).sum(), y.sum())


def test_jitter_draws_amounts_for_images_and_one_order_for_all():
    x = jnp.full((300, 1, 1, 1), 0.2)
    y = made(nn.ColorJitter(brightness=(0.5, 2.0)), x)
    uniform(y / 0.2, 0.5, 2.0)
    both = nn.ColorJitter(brightness=(0.5, 0.5), saturation=(3.0, 3.0))
    x = images(2, 2, 2, 3)
    orders = [
        nn.adjust_saturation(nn.adjust_brightness(x, 0.5), 3.0),
        nn.adjust_brightness(nn.adjust_saturation(x, 3.0), 0.5),
    ]
    run = jax.jit(lambda key: both({}, x, key=key))
    found = {
        int(np.argmin([abs(run(key) - y).max() for y in orders]))
        for key in jax.random.split(KEY, 12)
    }
    assert found == {0, 1}


def changes(sign, magnitude):
    """What RandAugment may do to an image, from the table in the paper's code."""
    part = magnitude / 30
    factor, angle = 1 + sign * 0.9 * part, sign * np.rad2deg(np.arctan(0.3 * part))
    shift = sign * 150 / 331 * part
    return [
        lambda x: nn.affine(x, shear=(angle, 0.0), mode="linear"),
        lambda x: nn.affine(x, shear=(0.0, angle), mode="linear"),
        lambda x: nn.affine(x, shift=(shift * x.shape[-2], 0.0), mode="linear"),
        lambda x: nn.affine(x, shift=(0.0, shift * x.shape[-3]), mode="linear"),
        lambda x: nn.affine(x, degrees=sign * 30 * part, mode="linear"),
        lambda x: nn.adjust_brightness(x, factor),
        lambda x: nn.adjust_saturation(x, factor),
        lambda x: nn.adjust_contrast(x, factor),
        lambda x: nn.adjust_sharpness(x, factor),
        lambda x: nn.posterize(x, round(8 - 4 * part)),
        lambda x: nn.solarize(x, 1 - part),
        nn.autocontrast,
        nn.equalize,
        lambda x: x,
    ]


@pytest.mark.oracle("nn.RandAugment", gradients=True)
def test_rand_augment_does_one_of_its_changes_to_each_image():
    image, weight = images(5, 6, 3), images(5, 6, 3, seed=1)
    count = 300
    x = jnp.broadcast_to(image, (count, 5, 6, 3))
    every = jnp.broadcast_to(weight, x.shape)
    y, slope = pulled(nn.RandAugment(1, 15, mode="linear"), x, every)

    @jax.jit
    def known(image, weight):
        found = []
        for sign in (1, -1):
            for change in changes(sign, 15):
                value, back = jax.vjp(change, image)
                found.append((value, back(weight)[0]))
        return found

    values, slopes = (np.stack(arrays) for arrays in zip(*known(image, weight), strict=True))
    away = abs(np.asarray(y)[:, None] - values).max((2, 3, 4))
    which = away.argmin(1)
    assert away.min(1).max() < 1e-9
    np.testing.assert_allclose(slope, slopes[which], atol=1e-9)
    often = np.bincount(which % 14, minlength=14)
    assert stats.chisquare(often).pvalue > 1e-3
    assert len(set(which[which % 14 < 9])) == 18


@pytest.mark.oracle("nn.AugMix", gradients=True)
def test_aug_mix_at_no_severity_mixes_images_with_what_has_no_strength():
    byte = np.random.default_rng(0).integers(20, 200, (16, 16, 3), dtype=np.uint8)
    image = byte / 255
    count = 300
    low, high = image.min((0, 1)), image.max((0, 1))
    # What has a strength changes nothing; 8 bits are whole parts of 256.
    known = np.stack(
        [
            image,
            np.floor(image * 256) / 256,
            (image - low) / (high - low),
            np.asarray(ImageOps.equalize(Image.fromarray(byte))) / 255,
        ]
    )
    x = jnp.broadcast_to(jnp.asarray(image), (count, *image.shape))
    weight = jnp.broadcast_to(images(16, 16, 3, seed=1), x.shape)
    y, slope = pulled(nn.AugMix(0, width=1, depth=1), x, weight)
    moved = (np.asarray(y) - image).reshape(count, 1, -1)
    ways = (known - image).reshape(1, len(known), -1)
    length = np.maximum((ways**2).sum(-1), 1e-12)
    share = (moved * ways).sum(-1) / length
    away = abs(moved - share[..., None] * ways).max(-1)
    assert away.min(1).max() < 1e-9
    which = np.where(abs(moved).max((1, 2)) < 1e-9, 0, away.argmin(1))
    assert set(which) == {0, 1, 2, 3}
    picked = share[np.arange(count), which]
    uniform(np.clip(picked[which > 0], 0, 1), 0, 1)
    # A table has no slope: the image's own share is left.
    table = np.isin(which, (1, 3))
    own = np.where(table, 1 - picked, 1)[:, None, None, None]
    smooth = which != 2
    np.testing.assert_allclose(slope[smooth], (own * np.asarray(weight))[smooth], atol=1e-9)


def test_aug_mix_stays_within_range_and_differs_between_images():
    x = jnp.broadcast_to(images(8, 8, 3), (6, 8, 8, 3))
    y = made(nn.AugMix(10), x)
    assert ((y >= -1e-9) & (y <= 1 + 1e-9)).all()
    assert len(np.unique(y.reshape(6, -1), axis=0)) == 6


@pytest.mark.oracle("nn.mixup", gradients=True)
def test_mixup_mixes_what_the_labels_say():
    count, alpha = 300, 0.4
    x, weight = images(count, 2, 3), images(count, 2, 3, seed=1)

    @jax.jit
    def run(x, weight):
        y, back, labels = jax.vjp(
            lambda x: nn.mixup(x, jnp.eye(count), KEY, alpha=alpha), x, has_aux=True
        )
        return y, labels, back(weight)[0]

    y, labels, slope = run(x, weight)
    np.testing.assert_allclose(y, np.einsum("ij,jab->iab", labels, x), atol=1e-12)
    np.testing.assert_allclose(slope, np.einsum("ij,iab->jab", labels, weight), atol=1e-12)
    np.testing.assert_allclose(labels.sum(1), 1)
    own = np.diag(labels)[np.diag(labels) < 1]
    assert stats.kstest(own, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


@pytest.mark.oracle("nn.cutmix", gradients=True)
def test_cutmix_pastes_boxes_of_the_share_in_the_labels():
    count = 200
    x = jnp.broadcast_to(jnp.arange(count, dtype=float).reshape(-1, 1, 1, 1), (count, 12, 10, 1))
    weight = images(count, 12, 10, 1, seed=1)

    @jax.jit
    def run(x, weight):
        y, back, labels = jax.vjp(lambda x: nn.cutmix(x, jnp.eye(count), KEY), x, has_aux=True)
        return y, labels, back(weight)[0]

    y, labels, slope = (np.asarray(z) for z in run(x, weight))
    expected = np.zeros(slope.shape)
    for i, image in enumerate(y[..., 0].astype(int)):
        other = image != i
        np.testing.assert_array_equal(other, other.any(1)[:, None] & other.any(0))
        share = np.zeros(count)
        np.add.at(share, image.ravel(), 1 / 120)
        np.testing.assert_allclose(labels[i], share, atol=1e-12)
        for partner in {*image.ravel()}:
            expected[partner] += np.where(image == partner, weight[i, ..., 0], 0)[..., None]
    np.testing.assert_allclose(slope, expected, atol=1e-12)
    assert len({i for i in range(count) if labels[i, i] < 1}) > 100


def test_nothing_changes_without_a_key():
    x, labels = images(2, 4, 4, 3), jnp.eye(2)
    for mix in (nn.mixup, nn.cutmix):
        y, mixed = mix(x, labels, None)
        close(y, x)
        close(mixed, labels)
    net = nn.Sequential(nn.RandomFlip(), nn.ColorJitter(hue=0.1), nn.RandAugment(), nn.AugMix())
    close(net({}, x), x)
    close(nn.RandomCrop(2)({}, x), x[:, 1:3, 1:3])
