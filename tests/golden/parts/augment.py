"""Augmentation: the random layers where chance has one outcome, by torchvision."""

from typing import Any

import torch
from case import Case

from parts.image import IMAGE, MODES, agreed, blended, smooth, turned, vision


def random(name: str, call: str, reference: Any, x: Any = IMAGE, **options: Any) -> Case:
    """A layer whose ranges are single numbers leaves nothing to chance."""
    return Case(name, f"nn.{call}", reference, (x,), options, train=True)


CASES = [
    random("flip", "RandomFlip", vision("horizontal_flip"), horizontal=1.0),
    random("flip_vertical", "RandomFlip", vision("vertical_flip"), horizontal=0.0, vertical=1.0),
    random(
        "jitter_brightness", "ColorJitter", vision("adjust_brightness", 1.4), brightness=[1.4, 1.4]
    ),
    random("jitter_contrast", "ColorJitter", vision("adjust_contrast", 1.4), contrast=[1.4, 1.4]),
    random(
        "jitter_saturation", "ColorJitter", vision("adjust_saturation", 0.4), saturation=[0.4, 0.4]
    ),
    random(
        "jitter_hue",
        "ColorJitter",
        lambda p, x: turned(p, x, torch.full((2,), 0.2, dtype=x.dtype)),
        hue=[0.2, 0.2],
    ),
    random(
        "random_sharpness",
        "RandomSharpness",
        agreed(blended(smooth, 0.3), "adjust_sharpness", 0.3),
        factor=[0.3, 0.3],
    ),
    random(
        "random_blur",
        "RandomGaussianBlur",
        vision("gaussian_blur", [3, 3], [0.8, 0.8]),
        size=3,
        sigma=[0.8, 0.8],
    ),
    random(
        "random_affine",
        "RandomAffine",
        vision("affine", 20.0, [3, -1], 1.2, [4.0, 8.0], interpolation=MODES["linear"]),
        degrees=[20.0, 20.0],
        shift=[[0.5, 0.5], [-0.2, -0.2]],
        scale=[1.2, 1.2],
        shear=[[4.0, 4.0], [8.0, 8.0]],
        mode="linear",
    ),
    random(
        "random_crop",
        "RandomCrop",
        vision("pad", [3, 2, 3, 2], padding_mode="symmetric"),
        size=[9, 12],
        padding=[2, 3],
        mode="symmetric",
    ),
    random(
        "random_resized",
        "RandomResizedCrop",
        vision("resize", [4, 9], antialias=True),
        size=[4, 9],
        area=[1.0, 1.0],
        ratio=[1.2, 1.2],
    ),
    random(
        "random_erasing",
        "RandomErasing",
        lambda p, x: 0 * x + 0.2,
        area=[1.0, 1.0],
        ratio=[1.2, 1.2],
        value=0.2,
    ),
    random(
        "random_perspective_0",
        "RandomPerspective",
        lambda p, x: 1 * x,
        distortion=0.0,
        mode="nearest",
    ),
    random("random_elastic_0", "RandomElastic", lambda p, x: 1 * x, alpha=0.0, mode="nearest"),
    Case(
        "random_crop_middle",
        "nn.RandomCrop",
        vision("center_crop", [3, 4]),
        (IMAGE,),
        {"size": [3, 4]},
    ),
]
