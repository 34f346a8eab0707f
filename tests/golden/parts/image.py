"""Images: colours, blurring, cutting and moving, by torchvision."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from case import Case, first, last
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as T

RNG = np.random.default_rng(0)
IMAGE, GRAY, TALL = RNG.random((2, 5, 6, 3)), RNG.random((2, 5, 6, 1)), RNG.random((2, 7, 4, 2))
LARGE = RNG.random((2, 16, 20, 1))
MODES = {"nearest": InterpolationMode.NEAREST, "linear": InterpolationMode.BILINEAR}


def vision(name: str, *args: Any, **options: Any) -> Callable[..., Tensor]:
    """A function of torchvision on images channels-last."""

    def reference(p: dict[str, Tensor], x: Tensor, *arrays: Tensor) -> Tensor:
        # A copy, for torchvision writes into some of its inputs.
        return last(getattr(T, name)(first(x).clone(), *args, **options))

    return reference


def each(name: str) -> Callable[..., Tensor]:
    """The same, with a number of its own for each image."""

    def reference(p: dict[str, Tensor], x: Tensor, given: Tensor) -> Tensor:
        numbers = given.tolist()
        images = [vision(name, n)(p, image[None]) for image, n in zip(x, numbers, strict=True)]
        return torch.cat(images)

    return reference


def agreed(plain: Callable[..., Tensor], name: str, *args: Any, **options: Any) -> Any:
    """A plain formula, for the gradients, where torchvision's code has none: values are equal.

    To float32's precision, in which torchvision turns hues.
    """

    def reference(p: dict[str, Tensor], x: Tensor, *arrays: Tensor) -> Tensor:
        y = plain(p, x, *arrays)
        found = vision(name, *args, **options)(p, x.detach())
        torch.testing.assert_close(y.detach(), found, rtol=1e-5, atol=1e-5)
        return y

    return reference


def filled(name: str, *args: Any, fill: float, **options: Any) -> Any:
    """Moved to where the filling is 0: the image continued by it, as in SciPy's grid-constant.

    Torchvision's own filling weighs a border pixel twice by how much of it is seen.
    """
    plain = vision(name, *args, **options)
    return lambda p, x: plain(p, x - fill) + fill


def posterized(p: dict[str, Tensor], x: Tensor, bits: int) -> Tensor:
    levels = 2**bits
    return (x * levels).floor().clamp(0, levels - 1) / levels


def contrasted(p: dict[str, Tensor], x: Tensor) -> Tensor:
    low, high = x.amin((1, 2), keepdim=True), x.amax((1, 2), keepdim=True)
    return (x - low) / (high - low)


def gray(x: Tensor) -> Tensor:
    return (x * torch.tensor([0.2989, 0.587, 0.114], dtype=x.dtype)).sum(-1, keepdim=True)


def smooth(x: Tensor) -> Tensor:
    kernel = torch.ones(1, 1, 3, 3, dtype=x.dtype)
    kernel[..., 1, 1] = 5
    inner = torch.stack([F.conv2d(c[:, None], kernel / 13)[:, 0] for c in x.unbind(-1)], -1)
    frame = torch.ones(x.shape[1:3], dtype=torch.bool)
    frame[1:-1, 1:-1] = False
    return torch.where(frame[..., None], x, F.pad(inner, (0, 0, 1, 1, 1, 1)))


OTHERS = {
    "brightness": torch.zeros_like,
    "contrast": lambda x: gray(x).mean((1, 2, 3), keepdim=True),
    "saturation": gray,
    "sharpness": smooth,
}


def blended(other: Callable[[Tensor], Tensor], fixed: float | None = None) -> Callable[..., Tensor]:
    """With gradients for the factors, which torchvision makes Python's numbers."""

    def reference(p: dict[str, Tensor], x: Tensor, *factors: Tensor) -> Tensor:
        factor = factors[0].reshape(-1, 1, 1, 1) if factors else fixed
        return (factor * x + (1 - factor) * other(x)).clamp(0, 1)

    return reference


def hsv(p: dict[str, Tensor], x: Tensor) -> Tensor:
    """As in Python's colorsys."""
    high, low = x.amax(-1), x.amin(-1)
    r, g, b = ((high[..., None] - x) / (high - low)[..., None]).unbind(-1)
    hue = torch.where(x[..., 1] == high, 2 + r - b, 4 + g - r)
    hue = torch.where(x[..., 0] == high, b - g, hue)
    return torch.stack([hue / 6 % 1, (high - low) / high, high], -1)


def rgb(p: dict[str, Tensor], x: Tensor) -> Tensor:
    h, s, v = x.unbind(-1)
    sector = torch.floor(6 * h)
    f = 6 * h - sector
    a, b, c = v * (1 - s), v * (1 - s * f), v * (1 - s * (1 - f))
    table = [(v, c, a), (b, v, a), (a, v, c), (a, b, v), (c, a, v), (v, a, b)]
    y = torch.zeros_like(x)
    for i, colors in enumerate(table):
        y = torch.where((sector % 6 == i)[..., None], torch.stack(colors, -1), y)
    return y


def turned(p: dict[str, Tensor], x: Tensor, turn: Tensor) -> Tensor:
    parts = hsv(p, x)
    hue = parts[..., :1] + turn.reshape(-1, 1, 1, 1)
    return rgb(p, torch.cat([hue, parts[..., 1:]], -1))


def blurred(p: dict[str, Tensor], x: Tensor, sigma: Tensor, size: tuple[int, int]) -> Tensor:
    """With gradients for the width, image by image."""
    images = []
    for image, s in zip(first(x), sigma, strict=True):
        bells = []
        for n in size:
            away = torch.arange(n, dtype=x.dtype) - n // 2
            bell = torch.exp(-((away / s) ** 2) / 2)
            bells.append(bell / bell.sum())
        h, w = (n // 2 for n in size)
        mirrored = F.pad(image[:, None], (w, w, h, h), mode="reflect")
        images.append(F.conv2d(mirrored, torch.outer(*bells)[None, None])[:, 0])
    return last(torch.stack(images))


def moved(
    p: dict[str, Tensor], x: Tensor, degrees: Tensor, scale: Tensor, mode: str = "bilinear"
) -> Tensor:
    """A turn and a scale with gradients: the inverse map, point by point."""
    height, width = x.shape[1:3]
    rows = torch.arange(height, dtype=x.dtype) + 0.5 - height / 2
    columns = torch.arange(width, dtype=x.dtype) + 0.5 - width / 2
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    turn, scale = torch.deg2rad(degrees)[:, None, None], scale[:, None, None]
    right = (torch.cos(turn) * u + torch.sin(turn) * v) / scale
    down = (torch.cos(turn) * v - torch.sin(turn) * u) / scale
    grid = torch.stack([right * 2 / width, down * 2 / height], -1)
    return last(F.grid_sample(first(x), grid, mode, align_corners=False))


def projected(p: dict[str, Tensor], x: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """With gradients for the points: coefficients by a linear solve, as in torchvision."""
    images = []
    for image, s, e in zip(first(x), start, end, strict=True):
        rows = []
        for (a, b), (u, v) in zip(s, e, strict=True):
            one, none = torch.ones_like(u), torch.zeros_like(u)
            rows.append(torch.stack([u, v, one, none, none, none, -a * u, -a * v]))
            rows.append(torch.stack([none, none, none, u, v, one, -b * u, -b * v]))
        c = torch.linalg.solve(torch.stack(rows), s.reshape(8))
        height, width = image.shape[1:]
        v, u = torch.meshgrid(
            torch.arange(height, dtype=x.dtype) + 0.5,
            torch.arange(width, dtype=x.dtype) + 0.5,
            indexing="ij",
        )
        below = c[6] * u + c[7] * v + 1
        right = (c[0] * u + c[1] * v + c[2]) / below
        down = (c[3] * u + c[4] * v + c[5]) / below
        grid = torch.stack([right * 2 / width - 1, down * 2 / height - 1], -1)
        images.append(F.grid_sample(image[None], grid[None], align_corners=False))
    return last(torch.cat(images))


def waved(p: dict[str, Tensor], x: Tensor, shift: Tensor) -> Tensor:
    """Torchvision's shift counts in halves of the image."""
    half = shift * 2 / torch.tensor([x.shape[2], x.shape[1]], dtype=x.dtype)
    images = [
        T.elastic(image[None], move[None], InterpolationMode.BILINEAR)
        for image, move in zip(first(x), half, strict=True)
    ]
    return last(torch.cat(images))


def cut(p: dict[str, Tensor], x: Tensor, corner: Tensor, size: tuple[int, int]) -> Tensor:
    corners = corner.expand(len(x), 2).tolist()
    images = [T.crop(i, *at, *size) for i, at in zip(first(x), corners, strict=True)]
    return last(torch.stack(images))


def stretched(p: dict[str, Tensor], x: Tensor, box: Tensor, size: list[int]) -> Tensor:
    boxes = box.expand(len(x), 4).tolist()
    images = [
        T.resized_crop(i[None], *at, size, antialias=True)
        for i, at in zip(first(x), boxes, strict=True)
    ]
    return last(torch.cat(images))


def erased(p: dict[str, Tensor], x: Tensor, box: Tensor, value: float = 0.0) -> Tensor:
    filling = torch.full((1, 1, 1), value, dtype=x.dtype)
    boxes = box.expand(len(x), 4).tolist()
    images = [T.erase(i, *at, filling) for i, at in zip(first(x), boxes, strict=True)]
    return last(torch.stack(images))


def affine(name: str, x: Any = IMAGE, **options: Any) -> Case:
    full = {"degrees": 0.0, "shift": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]} | options
    make = functools.partial(filled, fill=options["fill"]) if "fill" in options else vision
    args = (full["degrees"], full["shift"], full["scale"], full["shear"])
    mode = MODES[options.get("mode", "nearest")]
    reference = make("affine", *args, interpolation=mode)
    return Case(name, "nn.affine", reference, (x,), options)


START = np.array([[0.0, 0.0], [6.0, 0.0], [6.0, 5.0], [0.0, 5.0]])
END = START + np.array([[0.7, 0.4], [-1.1, 0.3], [-0.2, -0.9], [0.6, -0.5]])
CORNERS = torch.tensor(
    [[[0.0, 0], [5, 0], [5, 4], [0, 4]], [[1, 1], [5, 0], [4, 4], [0, 3]]], dtype=torch.float64
)
FACTORS = np.array([0.6, 1.7])
DEGREES, SCALES = np.array([17.0, -40.0]), np.array([1.2, 0.7])
BOXES = np.array([[1, 0, 3, 4], [0, 2, 5, 3]])

CASES = [
    Case(
        "rescale",
        "nn.rescale",
        lambda p, x: 0.25 * x - 2,
        ((3, 2),),
        {"scale": 0.25, "offset": -2.0},
    ),
    Case("rescale_layer", "nn.Rescale", lambda p, x: x / 4, ((3, 2),), {"scale": 0.25}),
    Case(
        "normalize",
        "nn.normalize_images",
        vision("normalize", [0.4, 0.5, 0.6], [0.2, 0.3, 0.1]),
        (IMAGE,),
        {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.1]},
    ),
    Case(
        "normalize_arrays",
        "nn.normalize_images",
        lambda p, x, mean, std: (x - mean) / std,
        (IMAGE, (3,), FACTORS[0]),
    ),
    Case(
        "normalize_layer",
        "nn.NormalizeImages",
        vision("normalize", [0.4] * 3, [0.2, 0.3, 0.1]),
        (IMAGE,),
        {"mean": 0.4, "std": [0.2, 0.3, 0.1]},
    ),
    Case("grayscale", "nn.grayscale", vision("rgb_to_grayscale"), (IMAGE,)),
    Case("grayscale_3", "nn.grayscale", vision("rgb_to_grayscale", 3), (IMAGE,), {"channels": 3}),
    *(
        case
        for name, other in OTHERS.items()
        for case in (
            Case(
                name,
                f"nn.adjust_{name}",
                agreed(blended(other, 1.7), f"adjust_{name}", 1.7),
                (IMAGE,),
                {"factor": 1.7},
            ),
            Case(f"{name}_each", f"nn.adjust_{name}", blended(other), (IMAGE, FACTORS)),
        )
    ),
    Case(
        "contrast_gray",
        "nn.adjust_contrast",
        vision("adjust_contrast", 0.5),
        (GRAY,),
        {"factor": 0.5},
    ),
    Case(
        "saturation_gray",
        "nn.adjust_saturation",
        vision("adjust_saturation", 0.5),
        (GRAY,),
        {"factor": 0.5},
    ),
    Case(
        "brightness_bounds",
        "nn.adjust_brightness",
        vision("adjust_brightness", 1.0),
        (np.round(IMAGE),),
        {"factor": 1.0},
    ),
    Case(
        "sharpness_thin",
        "nn.adjust_sharpness",
        vision("adjust_sharpness", 2.0),
        (IMAGE[:, :2],),
        {"factor": 2.0},
    ),
    Case("hsv", "nn.rgb_to_hsv", hsv, (IMAGE,)),
    Case("rgb", "nn.hsv_to_rgb", rgb, (IMAGE,)),
    Case(
        "hue",
        "nn.adjust_hue",
        agreed(
            functools.partial(turned, turn=torch.full((2,), 0.3, dtype=torch.float64)),
            "adjust_hue",
            0.3,
        ),
        (IMAGE,),
        {"turn": 0.3},
    ),
    Case("hue_each", "nn.adjust_hue", turned, (IMAGE, np.array([0.15, -0.45]))),
    Case("hue_gray", "nn.adjust_hue", vision("adjust_hue", 0.3), (GRAY,), {"turn": 0.3}),
    Case("invert", "nn.invert", vision("invert"), (IMAGE,)),
    Case("solarize", "nn.solarize", vision("solarize", 0.5), (IMAGE,)),
    Case("solarize_each", "nn.solarize", each("solarize"), (IMAGE, np.array([0.2, 0.8]))),
    Case(
        "posterize",
        "nn.posterize",
        agreed(functools.partial(posterized, bits=2), "posterize", 2),
        (IMAGE,),
        {"bits": 2},
    ),
    Case(
        "posterize_each", "nn.posterize", each("posterize"), (IMAGE, np.array([1, 8])), grads=False
    ),
    Case("autocontrast", "nn.autocontrast", agreed(contrasted, "autocontrast"), (IMAGE,)),
    Case(
        "autocontrast_flat",
        "nn.autocontrast",
        vision("autocontrast"),
        (np.full((1, 2, 2, 1), 0.3),),
        grads=False,
    ),
    Case("equalize", "nn.equalize", vision("equalize"), (IMAGE,), grads=False),
    Case("equalize_large", "nn.equalize", vision("equalize"), (0.2 + 0.3 * LARGE,), grads=False),
    Case(
        "equalize_flat",
        "nn.equalize",
        vision("equalize"),
        (np.full((1, 2, 2, 1), 0.3),),
        grads=False,
    ),
    Case(
        "blur",
        "nn.gaussian_blur",
        vision("gaussian_blur", [5, 3], [0.9, 0.7]),
        (TALL,),
        {"size": [3, 5], "sigma": [0.7, 0.9]},
    ),
    Case(
        "blur_default",
        "nn.gaussian_blur",
        vision("gaussian_blur", [3, 7]),
        (TALL,),
        {"size": [7, 3]},
    ),
    Case(
        "blur_each",
        "nn.gaussian_blur",
        functools.partial(blurred, size=(3, 3)),
        (IMAGE,),
        {"size": 3},
        arrays={"sigma": np.array([0.4, 1.5])},
    ),
    Case(
        "crop",
        "nn.crop",
        functools.partial(cut, size=(3, 2)),
        (IMAGE,),
        {"size": [3, 2]},
        arrays={"corner": np.array([1, 4])},
    ),
    Case(
        "crop_each",
        "nn.crop",
        functools.partial(cut, size=(3, 2)),
        (IMAGE,),
        {"size": [3, 2]},
        arrays={"corner": np.array([[0, 3], [2, 1]])},
    ),
    Case(
        "resized",
        "nn.resized_crop",
        functools.partial(stretched, size=[4, 7]),
        (IMAGE,),
        {"size": [4, 7]},
        arrays={"box": np.array([1, 2, 3, 4])},
    ),
    Case(
        "resized_each",
        "nn.resized_crop",
        functools.partial(stretched, size=[2, 2]),
        (IMAGE,),
        {"size": 2},
        arrays={"box": BOXES},
    ),
    Case(
        "erase",
        "nn.erase",
        functools.partial(erased, value=0.5),
        (IMAGE,),
        {"value": 0.5},
        arrays={"box": np.array([1, 2, 3, 3])},
    ),
    Case("erase_each", "nn.erase", erased, (IMAGE, BOXES)),
    affine("affine_turn", degrees=30.0, mode="linear"),
    affine("affine_shift", shift=[2, -1]),
    affine("affine_shear", TALL, shear=[20.0, -10.0], mode="linear", fill=0.3),
    affine("affine_all", degrees=-25.0, shift=[1, 2], scale=0.8, shear=[5.0, 12.0], mode="linear"),
    affine("affine_nearest", degrees=100.0, scale=1.3, fill=0.7),
    Case(
        "affine_each",
        "nn.affine",
        moved,
        (IMAGE,),
        {"mode": "linear"},
        arrays={"degrees": DEGREES, "scale": SCALES},
    ),
    Case(
        "affine_cubic",
        "nn.affine",
        functools.partial(moved, mode="bicubic"),
        (IMAGE,),
        {"mode": "cubic"},
        arrays={"degrees": DEGREES, "scale": SCALES},
    ),
    Case(
        "perspective",
        "nn.perspective",
        agreed(
            lambda p, x: projected(p, x, *(c.expand(2, 4, 2) for c in CORNERS)),
            "perspective",
            *(c.tolist() for c in CORNERS),
        ),
        (IMAGE,),
        {"start": CORNERS[0].tolist(), "end": CORNERS[1].tolist()},
    ),
    Case(
        "perspective_each",
        "nn.perspective",
        projected,
        (IMAGE, np.stack([START, END]), np.stack([END, START])),
    ),
    Case("elastic", "nn.elastic", waved, (IMAGE, (2, 5, 6, 2))),
    Case(
        "elastic_fill",
        "nn.elastic",
        lambda p, x, shift: waved(p, x - 0.6, shift) + 0.6,
        (IMAGE, (2, 5, 6, 2)),
        {"fill": 0.6},
    ),
]
