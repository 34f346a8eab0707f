"""Convolutions and their kin."""

import functools

import jax
import jax.numpy as jnp

from catalogue.inputs import IMAGE, SEQUENCE, VOLUME, normal
from jaxnet import nn

LAYERS = [
    ("conv-1d-reflect", nn.Conv(3, (3,), padding=1, padding_mode="reflect"), SEQUENCE),
    ("conv-1d-replicate", nn.Conv(3, (2,), padding=1, padding_mode="replicate"), SEQUENCE),
    ("conv-1d-causal", nn.Conv(3, (2,), padding="CAUSAL", dilation=2), SEQUENCE),
    ("conv-2d", nn.Conv(3, 2, stride=(1, 2), padding="SAME", bias=False), IMAGE),
    ("conv-2d-groups", nn.Conv(4, (2, 3), groups=2, initializer="keras"), IMAGE),
    ("conv-2d-circular", nn.Conv(3, 2, padding=((1, 0), (0, 2)), padding_mode="circular"), IMAGE),
    ("conv-3d", nn.Conv(3, (2, 1, 2)), VOLUME),
    ("conv-transpose-1d", nn.ConvTranspose(3, (2,), dilation=2, groups=1), SEQUENCE),
    (
        "conv-transpose-2d",
        nn.ConvTranspose(4, (3, 2), stride=2, padding=1, output_padding=1, groups=2),
        IMAGE,
    ),
    ("conv-transpose-3d", nn.ConvTranspose(2, (2, 1, 2), stride=2, padding="SAME"), VOLUME),
    ("depthwise-conv", nn.DepthwiseConv(2, multiplier=2, initializer="keras"), IMAGE),
    ("separable-conv", nn.SeparableConv(3, (3,), stride=2, padding="SAME"), SEQUENCE),
    # Offsets that stay between the elements: at one the derivative jumps.
    (
        "deform-conv",
        nn.DeformConv(3, (2,), padding=1),
        SEQUENCE,
        0.4 + 0.2 * jnp.sin(normal(2, 8, 4)),
        normal(2, 8, 4),
    ),
    ("local-conv", nn.LocalConv(3, (2, 3), stride=2, initializer="flax"), IMAGE),
]

KEY, X, K = jax.random.key(0), jnp.ones((2, 5, 6, 4)), jnp.ones((3, 3, 4, 6))
MOVES, OWN = jnp.ones((2, 3, 4, 18)), jnp.ones((3, 4, 3, 3, 4, 6))

# What all functions of a kernel [*window, I / groups, O] refuse.
KERNELS = {
    "nn.conv": nn.conv,
    "nn.conv_transpose": nn.conv_transpose,
    "nn.deform_conv": lambda x, k, *args, **options: nn.deform_conv(x, MOVES, k, *args, **options),
}
OF_KERNELS = [
    (lambda f: f(X.astype(int), K), "the input of", "int32[2,5,6,4]", "x.astype(jnp.float32)"),
    (lambda f: f(X, K.astype(int)), "the kernel of", "int32[3,3,4,6]", "x.astype(jnp.float32)"),
    (lambda f: f(X[0, 0], K), "the input of", "2 spatial axes", "float32[6,4]"),
    (lambda f: f(X[..., :3], K), "3 channels", "takes 4", "is the input channels-last?"),
    (lambda f: f(X, K[0, 0]), "the kernel of", "window of 1 to 3 axes", "float32[4,6]"),
    (lambda f: f(X, K, groups=3), "4 input channels", "groups=3", "must divide"),
    (lambda f: f(X, K, groups=0), "groups", "at least 1", "is 0"),
    (lambda f: f(X, K, jnp.ones(4)), "the bias of", "(6,)", "float32[4]"),
    (lambda f: f(X, K, stride=0), "stride of", "at least 1", "is 0"),
    (lambda f: f(X, K, dilation=(1, 2, 3)), "dilation of", "2 spatial axes", "(1, 2, 3)"),
    (lambda f: f(X, K, padding=-1), "padding of", "at least 0", "is -1"),
    (lambda f: f(X, K, padding="same"), "padding='same'", "did you mean 'SAME'"),
    (lambda f: f(X, K, padding=(1, 2, 3)), "padding of", "one pair (low, high)", "(1, 2, 3)"),
]

# What all layers with a window refuse.
LAYERS_OF = {
    "nn.Conv": functools.partial(nn.Conv, 3),
    "nn.ConvTranspose": functools.partial(nn.ConvTranspose, 3),
    "nn.DepthwiseConv": nn.DepthwiseConv,
    "nn.SeparableConv": functools.partial(nn.SeparableConv, 3),
    "nn.DeformConv": functools.partial(nn.DeformConv, 3),
    "nn.LocalConv": functools.partial(nn.LocalConv, 3),
}
OF_LAYERS = [
    (lambda f: f((3, 3, 3, 3)), "kernel_size of", "1 to 3 ints", "(3, 3, 3, 3)"),
    (lambda f: f(0), "kernel_size of", "at least 1", "is 0"),
    (lambda f: f((3, 3, 3), stride=(1, 2)), "stride of", "3 spatial axes", "(1, 2)"),
    (lambda f: f(3, dilation=0), "dilation of", "at least 1", "is 0"),
    (lambda f: f(3, initializer="tensorflow").init(KEY, X, *more(f)), "init='tensorflow'"),
    (lambda f: f(3).init(KEY, X.astype(int), *more(f)), "the input of", "x.astype(jnp.float32)"),
    (lambda f: f(3).init(KEY, X[0, 0], *more(f)), "the input of", "2 spatial axes"),
]


def more(layer):
    """What a layer is given besides its input."""
    return [MOVES] if "Deform" in str(layer) else []


MISTAKES = [
    *(
        (name, functools.partial(mistake, call), *words)
        for parts, mistakes in ((KERNELS, OF_KERNELS), (LAYERS_OF, OF_LAYERS))
        for name, call in parts.items()
        for mistake, *words in mistakes
    ),
    ("nn.conv", lambda: nn.conv(X, K, dilation=3), "spans (7, 7)", "(5, 6)", "padding='SAME'"),
    ("nn.conv", lambda: nn.conv(X, K, padding_mode="zero"), "padding_mode='zero'", "'zeros'"),
    (
        "nn.conv",
        lambda: nn.conv(X, K, padding=5, padding_mode="reflect"),
        "mode='reflect'", "at most 4", "(5, 5)", "use less",
    ),
    ("nn.Conv", lambda: nn.Conv(0, 3), "features of Conv", "at least 1"),
    ("nn.Conv", lambda: nn.Conv(6, 3, groups=4), "6 features", "groups=4"),
    ("nn.Conv", lambda: nn.Conv(6, 3, padding_mode="wrap"), "padding_mode='wrap'", "'circular'"),
    (
        "nn.conv_transpose",
        lambda: nn.conv_transpose(X, K, stride=2, output_padding=2),
        "output_padding", "is 2", "smaller than the stride 2", "jnp.pad",
    ),
    (
        "nn.conv_transpose",
        lambda: nn.conv_transpose(X, K, padding="SAME", output_padding=1),
        "output_padding", "padding='SAME'", "leave output_padding out",
    ),
    (
        "nn.conv_transpose",
        lambda: nn.conv_transpose(X, K, padding="CAUSAL"),
        "padding='CAUSAL'", "'SAME', 'VALID'",
    ),
    (
        "nn.conv_transpose",
        lambda: nn.conv_transpose(X, K, padding=4),
        "(-1, 0)", "(5, 6)", "a smaller padding than 4",
    ),
    ("nn.ConvTranspose", lambda: nn.ConvTranspose(0, 3), "features of ConvTranspose", "at least 1"),
    ("nn.ConvTranspose", lambda: nn.ConvTranspose(6, 3, groups=4), "6 features", "groups=4"),
    (
        "nn.DepthwiseConv",
        lambda: nn.DepthwiseConv(3, multiplier=0),
        "multiplier of DepthwiseConv", "at least 1",
    ),
    (
        "nn.DepthwiseConv",
        lambda: nn.DepthwiseConv(3, padding_mode="zero"),
        "padding_mode='zero'", "'zeros'",
    ),
    ("nn.SeparableConv", lambda: nn.SeparableConv(0, 3), "features of SeparableConv"),
    ("nn.SeparableConv", lambda: nn.SeparableConv(6, 3, multiplier=-1), "multiplier", "is -1"),
    (
        "nn.deform_conv",
        lambda: nn.deform_conv(X, MOVES[..., :9], K),
        "the offsets of deform_conv", "float32[2,3,4,9]", "(2, 3, 4, 18)", "features",
    ),
    (
        "nn.deform_conv",
        lambda: nn.deform_conv(X, MOVES, K, padding=1),
        "the offsets of deform_conv", "(2, 5, 6, 18)", "same stride, padding and dilation",
    ),
    (
        "nn.deform_conv",
        lambda: nn.deform_conv(X, jnp.tile(MOVES, 3), K),
        "the offsets of deform_conv", "float32[2,3,4,54]", "divides the channels",
    ),
    (
        "nn.deform_conv",
        lambda: nn.deform_conv(X, MOVES, K, mask=MOVES),
        "the mask of deform_conv", "float32[2,3,4,18]", "(2, 3, 4, 9)",
    ),
    (
        "nn.deform_conv",
        lambda: nn.deform_conv(X + 1j, MOVES, K),
        "the input of deform_conv", "must be real", "complex64",
    ),
    ("nn.DeformConv", lambda: nn.DeformConv(0, 3), "features of DeformConv", "at least 1"),
    ("nn.unfold", lambda: nn.unfold(X.astype(int), 3), "the input of unfold", "int32"),
    ("nn.unfold", lambda: nn.unfold(X[0, 0], 3), "the input of unfold", "2 spatial axes"),
    ("nn.unfold", lambda: nn.unfold(X, 7), "the window of unfold", "(7, 7)", "(5, 6)"),
    ("nn.unfold", lambda: nn.unfold(X, 3, stride=0), "stride of unfold", "at least 1"),
    ("nn.unfold", lambda: nn.unfold(X, 3, padding="SAM"), "unfold", "did you mean 'SAME'"),
    ("nn.fold", lambda: nn.fold(X.astype(int), 6, 3), "the columns of fold", "int32"),
    ("nn.fold", lambda: nn.fold(X, (6, 6, 6), 3), "size of fold", "2 spatial axes"),
    ("nn.fold", lambda: nn.fold(X[0, 0], 6, 3), "the columns of fold", "float32[6,4]"),
    ("nn.fold", lambda: nn.fold(X, 6, 3), "the columns of fold", "C * 9", "float32[2,5,6,4]"),
    ("nn.fold", lambda: nn.fold(X, 7, 2), "the columns of fold", "(6, 6) places", "stride"),
    ("nn.local_conv", lambda: nn.local_conv(X.astype(int), OWN), "the input of local_conv"),
    ("nn.local_conv", lambda: nn.local_conv(X, K), "[*places, *window, I, O]", "float32[3,3,4,6]"),
    ("nn.local_conv", lambda: nn.local_conv(X, OWN[0]), "[*places, *window, I, O]", "axes"),
    ("nn.local_conv", lambda: nn.local_conv(X[..., :3], OWN), "3 channels", "channels-last"),
    ("nn.local_conv", lambda: nn.local_conv(X, OWN, stride=2), "(2, 2) places", "made for?"),
    (
        "nn.local_conv",
        lambda: nn.local_conv(X, OWN, jnp.ones(6)),
        "the bias of local_conv", "(3, 4, 6)", "float32[6]",
    ),
    ("nn.LocalConv", lambda: nn.LocalConv(0, 3), "features of LocalConv", "at least 1"),
]  # fmt: skip
