"""What a user may write for the window of a convolution or of pooling, made into a ``Window``."""

from typing import Any

from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe, listing, near
from jaxnet.nn.window import Ints, Window

type Sizes = int | tuple[int, ...]
type Padding = str | int | tuple[int, ...] | tuple[tuple[int, int], ...]


def window_size(size: Any, what: str) -> Ints:
    """One size for each spatial axis; a single int means the two axes of an image."""
    size = (size, size) if isinstance(size, int) else size
    if not isinstance(size, tuple) or not 1 <= len(size) <= 3:
        raise ValueError(
            f"{what} must be an int, which means two spatial axes, or a tuple of 1 to 3 ints, "
            f"one a spatial axis, but is {size!r}"
        )
    return per_axis(size, len(size), what)


def per_axis(value: Any, axes: int, what: str, *, least: int = 1) -> Ints:
    """``value`` for each of ``axes`` spatial axes; an int counts for all of them."""
    values = (value,) * axes if isinstance(value, int) else value
    if not isinstance(values, tuple) or len(values) != axes:
        raise ValueError(
            f"{what} must be an int or a tuple of one int for each of the {axes} spatial axes, "
            f"but is {value!r}"
        )
    for number in values:
        check_size(number, what, least=least)
    return values


def spatial_of(x: Any, axes: int, what: str) -> Ints:
    """The sizes of the spatial axes of ``x [..., *spatial, C]``; raises unless it has so many."""
    if x.ndim < axes + 1:
        raise ValueError(
            f"the input of {what} needs {axes} spatial axes and one of channels, [..., "
            f"{', '.join('DHW'[3 - axes :])}, C], but is {describe(x)}; the window says how many "
            "axes are spatial; a batch goes before them, and a single channel is an axis, too: "
            "x[..., None]"
        )
    return x.shape[x.ndim - axes - 1 : -1]


def sliding(x: Any, size: Ints, stride: Any, padding: Any, dilation: Any, what: str) -> Window:
    """The window of ``size`` over the spatial axes of ``x [..., *spatial, C]``."""
    axes = len(size)
    spatial = spatial_of(x, axes, what)
    stride = per_axis(stride, axes, f"stride of {what}")
    dilation = per_axis(dilation, axes, f"dilation of {what}")
    span = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    pads = pads_of(padding, spatial, span, stride, what)
    padded = tuple(n + low + high for n, (low, high) in zip(spatial, pads, strict=True))
    if any(n < k for n, k in zip(padded, span, strict=True)):
        raise ValueError(
            f"the window of {what} spans {span}, but with its padding the input {describe(x)} has "
            f"only {padded} on its spatial axes; use a larger input, padding='SAME', or a smaller "
            "window or dilation"
        )
    return Window(size, stride, pads, dilation)


def pads_of(
    padding: Any,
    spatial: Ints,
    span: Ints,
    stride: Ints,
    what: str,
    names: tuple[str, ...] = ("SAME", "VALID", "CAUSAL"),
) -> tuple[tuple[int, int], ...]:
    """What ``padding`` adds on both sides of each spatial axis; it may have one of ``names``."""
    if isinstance(padding, str):
        if padding not in names:
            raise ValueError(
                f"{what} has no padding={padding!r}; {near(padding.upper(), names)} "
                "Or give an int, one int an axis, or one pair (low, high) an axis"
            )
        total = [0 for _ in span]
        if padding == "SAME":
            axes = zip(spatial, span, stride, strict=True)
            total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in axes]
        if padding == "CAUSAL":
            return tuple((k - 1, 0) for k in span)
        return tuple((n // 2, n - n // 2) for n in total)
    axes = len(spatial)
    sides = (padding,) * axes if isinstance(padding, int) else padding
    if isinstance(sides, tuple) and len(sides) == axes:
        sides = tuple((side, side) if isinstance(side, int) else side for side in sides)
        if all(isinstance(side, tuple) and len(side) == 2 for side in sides):
            for number in (n for side in sides for n in side):
                check_size(number, f"padding of {what}", least=0)
            return sides
    raise ValueError(
        f"padding of {what} must be one of {listing(names)}, an int, or a tuple of one int or one "
        f"pair (low, high) for each of the {axes} spatial axes, but is {padding!r}"
    )
