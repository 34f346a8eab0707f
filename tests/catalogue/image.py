"""Images."""

# pyright: reportArgumentType=false

import functools

import jax
import jax.numpy as jnp

from jaxnet import nn

X = jax.random.uniform(jax.random.key(4), (4, 5, 6, 3))
KEY = jax.random.key(0)

LAYERS = [
    ("rescale", nn.Rescale(0.5, offset=0.1), X),
    ("normalize-images", nn.NormalizeImages(0.5, (0.2, 0.3, 0.4)), X),
    ("random-apply", nn.RandomApply(nn.invert), X),
    ("random-flip", nn.RandomFlip(0.5, 0.5), X),
    ("random-crop", nn.RandomCrop((4, 3), padding=1), X),
    ("random-resized-crop", nn.RandomResizedCrop(4), X),
    ("random-erasing", nn.RandomErasing(), X),
    ("random-affine", nn.RandomAffine(degrees=20, scale=0.2, mode="linear"), X),
    ("random-perspective", nn.RandomPerspective(), X),
    ("random-elastic", nn.RandomElastic(4.0, 1.0), X),
    ("color-jitter", nn.ColorJitter(brightness=0.2, hue=0.1), X),
    ("random-sharpness", nn.RandomSharpness(0.5), X),
    ("random-gaussian-blur", nn.RandomGaussianBlur(3), X),
    ("rand-augment", nn.RandAugment(1, mode="linear"), X),
    ("aug-mix", nn.AugMix(width=2, depth=1), X),
]

# Under these names each is called with images alone.
IMAGES = {
    "crop": lambda x: nn.crop(x, (0, 0), 2),
    "resized_crop": lambda x: nn.resized_crop(x, (0, 0, 2, 2), 2),
    "erase": lambda x: nn.erase(x, (0, 0, 2, 2)),
    "gaussian_blur": lambda x: nn.gaussian_blur(x, 3),
    "grayscale": nn.grayscale,
    "rgb_to_hsv": nn.rgb_to_hsv,
    "hsv_to_rgb": nn.hsv_to_rgb,
    "adjust_brightness": lambda x: nn.adjust_brightness(x, 1.0),
    "adjust_contrast": lambda x: nn.adjust_contrast(x, 1.0),
    "adjust_saturation": lambda x: nn.adjust_saturation(x, 1.0),
    "adjust_hue": lambda x: nn.adjust_hue(x, 0.1),
    "adjust_sharpness": lambda x: nn.adjust_sharpness(x, 1.0),
    "invert": nn.invert,
    "solarize": nn.solarize,
    "posterize": lambda x: nn.posterize(x, 2),
    "autocontrast": nn.autocontrast,
    "equalize": nn.equalize,
    "affine": nn.affine,
    "perspective": lambda x: nn.perspective(x, jnp.eye(4, 2), jnp.eye(4, 2)),
    "elastic": lambda x: nn.elastic(x, x),
    "cutmix": lambda x: nn.cutmix(x, x, KEY),
    "RandomApply": lambda x: nn.RandomApply(nn.invert)({}, x),
    "RandomFlip": lambda x: nn.RandomFlip()({}, x),
    "RandomCrop": lambda x: nn.RandomCrop(2)({}, x),
    "RandomResizedCrop": lambda x: nn.RandomResizedCrop(2)({}, x),
    "RandomErasing": lambda x: nn.RandomErasing()({}, x),
    "RandomAffine": lambda x: nn.RandomAffine()({}, x),
    "RandomPerspective": lambda x: nn.RandomPerspective()({}, x),
    "RandomElastic": lambda x: nn.RandomElastic()({}, x),
    "ColorJitter": lambda x: nn.ColorJitter()({}, x),
    "RandomSharpness": lambda x: nn.RandomSharpness(0.1)({}, x),
    "RandomGaussianBlur": lambda x: nn.RandomGaussianBlur(3)({}, x),
    "RandAugment": lambda x: nn.RandAugment()({}, x),
    "AugMix": lambda x: nn.AugMix()({}, x),
}
OF_IMAGES = [
    (X[0, 0], "images [..., H, W, C]", "float32[6,3]", "x[..., None]"),
    (X > 0, "must be floating point", "bool[4,5,6,3]", "x / 255"),
    (X[:, :0], "images [..., H, W, C]", "float32[4,0,6,3]"),
]
COLORED = (
    "grayscale",
    "rgb_to_hsv",
    "hsv_to_rgb",
    "adjust_contrast",
    "adjust_saturation",
    "adjust_hue",
)
FACTORS = {
    "adjust_brightness": nn.adjust_brightness,
    "adjust_contrast": nn.adjust_contrast,
    "adjust_saturation": nn.adjust_saturation,
    "adjust_sharpness": nn.adjust_sharpness,
}
SAMPLED = {
    "affine": functools.partial(nn.affine, X),
    "perspective": functools.partial(nn.perspective, X, jnp.eye(4, 2), jnp.eye(4, 2)),
    "elastic": functools.partial(nn.elastic, X, X[..., :2]),
    "RandomAffine": nn.RandomAffine,
    "RandomPerspective": nn.RandomPerspective,
    "RandomElastic": nn.RandomElastic,
    "RandAugment": nn.RandAugment,
    "AugMix": nn.AugMix,
}
RANGES = {
    "RandomAffine": ("degrees", "scale"),
    "ColorJitter": ("brightness", "contrast", "saturation", "hue"),
    "RandomSharpness": ("factor",),
}
BOXES = {
    "RandomErasing": nn.RandomErasing,
    "RandomResizedCrop": functools.partial(nn.RandomResizedCrop, 2),
}
MIXES = {"mixup": nn.mixup, "cutmix": nn.cutmix}

MISTAKES = [
    *(
        (f"nn.{name}", functools.partial(call, x), f"the input of {name}", *words)
        for name, call in IMAGES.items()
        for x, *words in OF_IMAGES
    ),
    *(
        (
            f"nn.{name}",
            functools.partial(IMAGES[name], X[..., :2]),
            f"input of {name}",
            "channels",
            "jnp.moveaxis(x, -3, -1)",
        )
        for name in COLORED
    ),
    *(
        (f"nn.{name}", functools.partial(call, X, factor), f"factor of {name}", *words)
        for name, call in FACTORS.items()
        for factor, *words in ((-0.5, "at least 0", "-0.5"), (jnp.ones(3), "(4,)", "float32[3]"))
    ),
    *(
        (f"nn.{name}", functools.partial(call, **options), *words)
        for name, call in SAMPLED.items()
        for options, *words in (
            ({"mode": "bilinear"}, f"mode of {name}", "'linear'", "'bilinear'"),
            ({"fill": "zeros"}, f"fill of {name}", "'border'", "'zeros'"),
        )
    ),
    *(
        (
            f"nn.{name}",
            functools.partial(getattr(nn, name), **{option: given}),
            f"{option} of {name}",
            *words,
        )
        for name, options in RANGES.items()
        for option in options
        for given, *words in (
            (-0.5, "at least 0", "-0.5"),
            ((0.4, 0.2), "(low, high)", "(0.4, 0.2)"),
        )
    ),
    *(
        (f"nn.{name}", functools.partial(call, **options), *words)
        for name, call in BOXES.items()
        for options, *words in (
            ({"area": (0.5, 2.0)}, f"area of {name}", "from 0 to 1", "(0.5, 2.0)"),
            ({"ratio": 2.0}, f"ratio of {name}", "(low, high)", "2.0"),
        )
    ),
    *(
        (f"nn.{name}", functools.partial(call, X, labels, KEY, **options), *words)
        for name, call in MIXES.items()
        for labels, options, *words in (
            (jnp.arange(4), {}, f"labels of {name}", "int32[4]", "one_hot"),
            (jnp.ones((3, 2)), {}, f"labels of {name}", "[4, classes]", "float32[3,2]"),
            (jnp.ones((4, 2)), {"alpha": 0.0}, f"alpha of {name}", "above 0", "0.0"),
        )
    ),
    ("nn.mixup", lambda: nn.mixup(X, jnp.ones((4, 2)), 0), "a random key", "jax.random.key(0)"),
    ("nn.mixup", lambda: nn.mixup(X > 0, jnp.ones((4, 2)), KEY), "the input of mixup", "bool"),
    (
        "nn.cutmix",
        lambda: nn.cutmix(X[0], jnp.ones((5, 2)), KEY),
        "the input of cutmix",
        "[N, H, W, C]",
    ),
    ("nn.rescale", lambda: nn.rescale(X > 0, 2.0), "the input of rescale", "bool[4,5,6,3]"),
    ("nn.rescale", lambda: nn.rescale([1.0], 2.0), "the input of rescale", "jnp.asarray(x)"),
    ("nn.Rescale", lambda: nn.Rescale(2.0)({}, X > 0), "the input of rescale", "bool[4,5,6,3]"),
    (
        "nn.normalize_images",
        lambda: nn.normalize_images(X, (0.0, 1.0), 1.0),
        "mean of normalize_images",
        "(2,)",
    ),
    (
        "nn.normalize_images",
        lambda: nn.normalize_images(X, 0.0, 0.0),
        "std of normalize_images",
        "above 0",
    ),
    (
        "nn.normalize_images",
        lambda: nn.normalize_images(X > 0, 0.0, 1.0),
        "the input of",
        "x / 255",
    ),
    ("nn.NormalizeImages", lambda: nn.NormalizeImages(0.0, (1.0, 2.0))({}, X), "std of", "(2,)"),
    ("nn.grayscale", lambda: nn.grayscale(X, channels=0), "channels of grayscale", "at least 1"),
    ("nn.adjust_hue", lambda: nn.adjust_hue(X, 0.7), "turn of adjust_hue", "-0.5 to 0.5", "0.7"),
    ("nn.solarize", lambda: nn.solarize(X, 1.5), "threshold of solarize", "0 to 1", "1.5"),
    ("nn.posterize", lambda: nn.posterize(X, 9), "bits of posterize", "0 to 8", "9"),
    (
        "nn.crop",
        lambda: nn.crop(X, (3, 0), 3),
        "the corner (3, 0)",
        "at most (2, 3)",
        "pad the image",
    ),
    ("nn.crop", lambda: nn.crop(X, (0, 0, 1), 3), "corner of crop", "2 numbers", "(3,)"),
    ("nn.crop", lambda: nn.crop(X, (0, 0), 0), "size of crop", "at least 1"),
    ("nn.crop", lambda: nn.crop(X, (0, 0), (2, 7)), "(2, 7)", "float32[4,5,6,3]", "smaller size"),
    (
        "nn.resized_crop",
        lambda: nn.resized_crop(X, (0, 0, 1), 3),
        "box of resized_crop",
        "4 numbers",
    ),
    ("nn.resized_crop", lambda: nn.resized_crop(X, (0, 0, 1, 1), 0), "size of resized_crop"),
    ("nn.erase", lambda: nn.erase(X, jnp.ones((3, 4))), "box of erase", "(4, 4)", "(3, 4)"),
    ("nn.gaussian_blur", lambda: nn.gaussian_blur(X, 2), "size of gaussian_blur", "odd", "(2, 2)"),
    ("nn.gaussian_blur", lambda: nn.gaussian_blur(X, 11), "size of gaussian_blur", "smaller odd"),
    ("nn.gaussian_blur", lambda: nn.gaussian_blur(X, 3, 0.0), "sigma of gaussian_blur", "above 0"),
    ("nn.affine", lambda: nn.affine(X, shift=1), "shift of affine", "(x, y)", "shift=(value, 0)"),
    ("nn.affine", lambda: nn.affine(X, degrees=jnp.ones(3)), "degrees of affine", "float32[3]"),
    ("nn.affine", lambda: nn.affine(X, scale=0.0), "scale of affine", "0.0"),
    (
        "nn.perspective",
        lambda: nn.perspective(X, jnp.eye(4, 2), jnp.eye(3, 2)),
        "end of perspective",
        "(3, 2)",
    ),
    (
        "nn.elastic",
        lambda: nn.elastic(X, X),
        "shift of elastic",
        "(4, 5, 6, 2)",
        "float32[4,5,6,3]",
    ),
    (
        "nn.RandomApply",
        lambda: nn.RandomApply(nn.invert, 2.0),
        "rate of RandomApply",
        "0 to 1",
        "2.0",
    ),
    ("nn.RandomApply", lambda: nn.RandomApply(nn.RandomFlip), "RandomApply takes", "RandomFlip(…)"),
    (
        "nn.RandomApply",
        lambda: nn.RandomApply(nn.grayscale)({}, X, key=KEY),
        "one shape",
        "float32[4,5,6,1]",
        "apply it to all images",
    ),
    ("nn.RandomFlip", lambda: nn.RandomFlip(1.5), "horizontal of RandomFlip", "0 to 1", "1.5"),
    ("nn.RandomFlip", lambda: nn.RandomFlip(0.5, -1.0), "vertical of RandomFlip", "-1.0"),
    ("nn.RandomFlip", lambda: nn.RandomFlip()({}, X, key=0), "a random key"),
    ("nn.RandomCrop", lambda: nn.RandomCrop(0), "size of RandomCrop", "at least 1"),
    (
        "nn.RandomCrop",
        lambda: nn.RandomCrop(9)({}, X),
        "size of RandomCrop",
        "(9, 9)",
        "more padding",
    ),
    (
        "nn.RandomResizedCrop",
        lambda: nn.RandomResizedCrop((2,)),
        "size of RandomResizedCrop",
        "(2,)",
    ),
    (
        "nn.RandomAffine",
        lambda: nn.RandomAffine(shift=0.1),
        "shift of RandomAffine",
        "0.1",
        "two ranges",
    ),
    ("nn.RandomPerspective", lambda: nn.RandomPerspective(2.0), "distortion of", "0 to 1", "2.0"),
    ("nn.RandomElastic", lambda: nn.RandomElastic(1.0, 0.0), "sigma of RandomElastic", "above 0"),
    ("nn.RandomElastic", lambda: nn.RandomElastic(-1.0), "alpha of RandomElastic", "at least 0"),
    ("nn.ColorJitter", lambda: nn.ColorJitter(hue=0.7), "hue of ColorJitter", "-0.5 to 0.5", "0.7"),
    ("nn.RandomGaussianBlur", lambda: nn.RandomGaussianBlur(0), "size of RandomGaussianBlur"),
    (
        "nn.RandomGaussianBlur",
        lambda: nn.RandomGaussianBlur(3, sigma=(0.0, 1.0)),
        "sigma of RandomGaussianBlur",
        "(0.0, 1.0)",
    ),
    ("nn.RandAugment", lambda: nn.RandAugment(0), "ops of RandAugment", "at least 1"),
    ("nn.RandAugment", lambda: nn.RandAugment(2, 31), "magnitude of RandAugment", "0 to 30", "31"),
    ("nn.RandAugment", lambda: nn.RandAugment()({}, X[..., :2], key=KEY), "RandAugment", "1 or 3"),
    ("nn.AugMix", lambda: nn.AugMix(11), "severity of AugMix", "0 to 10", "11"),
    ("nn.AugMix", lambda: nn.AugMix(width=0), "width of AugMix", "at least 1"),
    ("nn.AugMix", lambda: nn.AugMix(depth=0), "depth of AugMix", "at least 1"),
    ("nn.AugMix", lambda: nn.AugMix(alpha=0.0), "alpha of AugMix", "above 0"),
]
