"""Changing shapes: features to axes and back, space to channels and back."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_choice, check_size
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.sliding import Sizes, spatial_of, window_size

_ORDERS = ("DCR", "CRD")


def space_to_depth(x: jax.Array, block: Sizes, *, order: str = "DCR") -> jax.Array:
    """Moves each block of pixels into the channels: ``[..., H, W, C] -> [..., H/b, W/b, b*b*C]``.

    ``block`` as an int means two spatial axes; a tuple says by its length how many there are, 1 to
    3. In ``order="DCR"`` the new channels count through the block first and then through C, so that
    each is a flattened patch, as in ONNX, TensorFlow and vision transformers; in ``"CRD"`` through
    C first, as PyTorch's pixel_unshuffle.
    Raises ValueError if the block does not divide the spatial axes.

    >>> space_to_depth(jnp.arange(6)[:, None], (3,))
    Array([[0, 1, 2],
           [3, 4, 5]], dtype=int32)
    """
    block = _block(block, order, "space_to_depth")
    axes = len(block)
    spatial = spatial_of(x, axes, "space_to_depth")
    batch = x.shape[: x.ndim - axes - 1]
    if any(n % b for n, b in zip(spatial, block, strict=True)):
        raise ValueError(
            f"the block {block} of space_to_depth must divide the spatial axes {spatial}, but the "
            f"input is {describe(x)}; pad it or cut it first: nn.pad"
        )
    places = [n // b for n, b in zip(spatial, block, strict=True)]
    split = [size for pair in zip(places, block, strict=True) for size in pair]
    x = x.reshape(*batch, *split, x.shape[-1])  # [..., H/b, b, W/b, b, C]
    first = len(batch)
    outer = range(first, first + 2 * axes, 2)
    inner = range(first + 1, first + 2 * axes, 2)
    depth = (*inner, x.ndim - 1) if order == "DCR" else (x.ndim - 1, *inner)
    return x.transpose(*range(first), *outer, *depth).reshape(*batch, *places, -1)


def depth_to_space(x: jax.Array, block: Sizes, *, order: str = "DCR") -> jax.Array:
    """The inverse of ``space_to_depth``: ``[..., H, W, b*b*C]`` to ``[..., H*b, W*b, C]``.

    ``block`` and ``order`` as there. ``order="DCR"`` is TensorFlow's and ONNX's default, ``"CRD"``
    PyTorch's pixel_shuffle.
    Raises ValueError if the channels cannot be split into blocks.

    >>> depth_to_space(jnp.arange(6).reshape(2, 3), (3,))[:, 0]
    Array([0, 1, 2, 3, 4, 5], dtype=int32)
    """
    block = _block(block, order, "depth_to_space")
    axes, count = len(block), math.prod(block)
    places = spatial_of(x, axes, "depth_to_space")
    if x.shape[-1] % count:
        raise ValueError(
            f"the channels of depth_to_space must be a multiple of {count}, the pixels of a block "
            f"{block}, but the input is {describe(x)}; is it channels-last?"
        )
    batch = x.shape[: x.ndim - axes - 1]
    channels, first = x.shape[-1] // count, x.ndim - 1
    depth = [*block, channels] if order == "DCR" else [channels, *block]
    x = x.reshape(*batch, *places, *depth)
    inner = [first + i + (order == "CRD") for i in range(axes)]
    last = first + (axes if order == "DCR" else 0)
    pairs = [axis for pair in zip(range(len(batch), first), inner, strict=True) for axis in pair]
    grown = [n * b for n, b in zip(places, block, strict=True)]
    return x.transpose(*range(len(batch)), *pairs, last).reshape(*batch, *grown, channels)


def pixel_shuffle(x: jax.Array, factor: Sizes) -> jax.Array:
    """Sub-pixel upscaling, ``[..., H, W, C*r*r]`` to ``[..., H*r, W*r, C]`` (arXiv:1609.05158).

    It is ``depth_to_space`` in PyTorch's order of channels.

    >>> pixel_shuffle(jnp.ones((1, 4, 4, 12)), 2).shape
    (1, 8, 8, 3)
    """
    return depth_to_space(x, factor, order="CRD")


def pixel_unshuffle(x: jax.Array, factor: Sizes) -> jax.Array:
    """The inverse of ``pixel_shuffle``: ``[..., H*r, W*r, C]`` to ``[..., H, W, C*r*r]``.

    >>> pixel_unshuffle(jnp.ones((1, 8, 8, 3)), 2).shape
    (1, 4, 4, 12)
    """
    return space_to_depth(x, factor, order="CRD")


def channel_shuffle(x: jax.Array, groups: int) -> jax.Array:
    """Interleaves the channels of groups, ``[..., C] -> [..., C]`` (arXiv:1707.01083).

    The next grouped convolution then sees some of each group.
    Raises ValueError if the channels cannot be split into ``groups``.

    >>> channel_shuffle(jnp.arange(6), 2)
    Array([0, 3, 1, 4, 2, 5], dtype=int32)
    """
    check_size(groups, "groups of channel_shuffle")
    check_axes(x, 1, "the input of channel_shuffle")
    channels = x.shape[-1]
    if channels % groups:
        raise ValueError(
            f"groups={groups} of channel_shuffle must divide the channels, but the input is "
            f"{describe(x)}; is it channels-last?"
        )
    split = x.reshape(*x.shape[:-1], groups, channels // groups)
    return split.swapaxes(-1, -2).reshape(x.shape)


class Flatten(Layer):
    """Makes features of the last ``axes`` axes, by default an image's height, width and channels.

    Counting from the end leaves any batch axes alone: ``[..., H, W, C] -> [..., H * W * C]``.

    >>> Flatten()({}, jnp.ones((2, 4, 4, 3))).shape
    (2, 48)
    """

    axes: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.axes, "axes of Flatten")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_axes(x, self.axes, f"the input of Flatten({self.axes})")
        batch = x.shape[: x.ndim - self.axes]
        return jnp.reshape(x, (*batch, math.prod(x.shape[x.ndim - self.axes :])))


class Unflatten(Layer):
    """Makes axes of the features, ``[..., D] -> [..., *shape]``; one size may be -1, the rest.

    Behind a ``Flatten`` it reshapes several axes, as Keras's Reshape.
    Raises ValueError if the features do not fill the shape.

    >>> Unflatten((4, -1, 3))({}, jnp.ones((2, 48))).shape
    (2, 4, 4, 3)
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = self.shape if isinstance(self.shape, tuple) else (None,)
        whole = all(isinstance(n, int) and (n > 0 or n == -1) for n in sizes)
        if not whole or sizes.count(-1) > 1:
            raise ValueError(
                "shape of Unflatten must be a tuple of sizes, of which one may be -1, but is "
                f"{self.shape!r}"
            )

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_axes(x, 1, "the input of Unflatten")
        known = math.prod(n for n in self.shape if n != -1)
        if x.shape[-1] % known or (-1 not in self.shape and x.shape[-1] != known):
            raise ValueError(
                f"Unflatten makes axes of shape {self.shape} of the last axis, but the input is "
                f"{describe(x)}; put Flatten(axes) before it to reshape several axes"
            )
        shape = [x.shape[-1] // known if n == -1 else n for n in self.shape]
        return jnp.reshape(x, (*x.shape[:-1], *shape))


class PixelShuffle(Layer):
    """``pixel_shuffle`` as a layer without parameters, for ``Sequential``.

    >>> PixelShuffle(2)({}, jnp.ones((1, 4, 4, 12))).shape
    (1, 8, 8, 3)
    """

    factor: Sizes

    def __post_init__(self) -> None:
        super().__post_init__()
        window_size(self.factor, "factor of PixelShuffle")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return pixel_shuffle(x, self.factor)


class PixelUnshuffle(Layer):
    """``pixel_unshuffle`` as a layer without parameters, for ``Sequential``.

    >>> PixelUnshuffle(2)({}, jnp.ones((1, 8, 8, 3))).shape
    (1, 4, 4, 12)
    """

    factor: Sizes

    def __post_init__(self) -> None:
        super().__post_init__()
        window_size(self.factor, "factor of PixelUnshuffle")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return pixel_unshuffle(x, self.factor)


class ChannelShuffle(Layer):
    """``channel_shuffle`` as a layer without parameters, for ``Sequential``.

    >>> ChannelShuffle(2)({}, jnp.ones((1, 8, 8, 6))).shape
    (1, 8, 8, 6)
    """

    groups: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.groups, "groups of ChannelShuffle")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return channel_shuffle(x, self.groups)


def _block(block: Any, order: Any, what: str) -> tuple[int, ...]:
    check_choice(order, _ORDERS, "order", what)
    return window_size(block, f"block of {what}")
