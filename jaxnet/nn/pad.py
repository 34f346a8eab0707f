"""Adding to the spatial axes at their ends, or cutting from them."""

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_choice
from jaxnet.core.errors import describe, is_array
from jaxnet.core.layer import Layer
from jaxnet.nn.sliding import Sizes, spatial_of, window_size

type Pair = tuple[int, int]
type Widths = int | tuple[int | Pair, ...]

# What NumPy calls them, and how much further than the axis itself they can reach.
_MODES = {
    "constant": ("constant", None),
    "reflect": ("reflect", -1),
    "symmetric": ("symmetric", 0),
    "replicate": ("edge", None),
    "circular": ("wrap", 0),
}


def pad(x: jax.Array, widths: Widths, *, mode: str = "constant", value: float = 0.0) -> jax.Array:
    """Adds to each spatial axis at both ends: ``[..., *spatial, C]``; a negative width cuts.

    ``widths`` has one pair ``(low, high)`` an axis, for the 1 to 3 axes before the channels; an
    int in its place counts for both ends, and a single int for the two axes of an image.
    ``mode`` says what is added: ``"constant"`` (``value``), ``"reflect"`` (mirrored at the last
    element: ``c b | a b c | b a``), ``"symmetric"`` (mirrored at the edge: ``b a | a b c | c b``),
    ``"replicate"`` (``a a | a b c | c c``) or ``"circular"`` (``b c | a b c | a b``; what was cut
    does not come back). Any dtype is welcome.
    Raises ValueError where a mode would reach past the far end, or nothing would be left.

    >>> pad(jnp.array([1, 2, 3])[:, None], ((2, -1),), mode="reflect")[:, 0]
    Array([3, 2, 1, 2], dtype=int32)
    """
    pads = _pairs(widths)
    _check_mode(mode, value)
    if jnp.issubdtype(x.dtype, jnp.integer) and isinstance(value, float) and value % 1:
        raise ValueError(
            f"value of pad is {value}, but the input holds whole numbers, {describe(x)}; "
            "convert it: x.astype(jnp.float32)"
        )
    spatial = spatial_of(x, len(pads), "pad")
    name, beyond = _MODES[mode]
    for n, (low, high) in zip(spatial, pads, strict=True):
        # PyTorch mirrors what was there before it cuts, but goes around what is left.
        left = n + min(low, 0) + min(high, 0)
        most = None if beyond is None else (left if mode == "circular" else n) + beyond
        if most is not None and max(low, high) > max(most, 0):
            raise ValueError(
                f"mode={mode!r} of pad can add at most {max(most, 0)} to an axis of {n}, but the "
                f"widths are {(low, high)}; use less, or mode='constant'"
            )
        if left < 0 or (left == 0 and max(low, high) > 0 and mode != "constant"):
            raise ValueError(
                f"widths of pad are {(low, high)}, but the axis has only {n} to cut from in "
                f"{describe(x)}; cut less, or pad the right axes: those before the channels"
            )
    if mode == "constant":
        still = (0, 0, 0)
        batch = [still] * (x.ndim - len(pads) - 1)
        config = [*batch, *((*pair, 0) for pair in pads), still]
        return jax.lax.pad(x, jnp.asarray(value, x.dtype), config)
    if mode == "circular":
        x = _cut(x, pads)
    grown = [(max(low, 0), max(high, 0)) for low, high in pads]
    y = jnp.pad(x, [*[(0, 0)] * (x.ndim - len(pads) - 1), *grown, (0, 0)], name)
    return y if mode == "circular" else _cut(y, pads)


def center_crop_pad(x: jax.Array, size: Sizes, *, value: float = 0.0) -> jax.Array:
    """Cuts or pads each spatial axis at both ends, to ``[..., *size, C]``.

    ``size`` as an int means the two axes of an image. Of an odd number the larger half is cut or
    added at the high end, as in ONNX's CenterCropPad and Keras's CenterCrop.
    Raises ValueError if there are too few axes.

    >>> center_crop_pad(jnp.arange(1, 6)[:, None], (2,))[:, 0]
    Array([2, 3], dtype=int32)
    """
    size = window_size(size, "size of center_crop_pad")
    widths = []
    for n, m in zip(spatial_of(x, len(size), "center_crop_pad"), size, strict=True):
        low = (m - n) // 2 if m > n else -((n - m) // 2)
        widths.append((low, m - n - low))
    return pad(x, tuple(widths), value=value)


class Pad(Layer):
    """``pad`` as a layer without parameters, for ``Sequential``; negative widths crop.

    >>> Pad(1, mode="reflect")({}, jnp.ones((1, 28, 28, 8))).shape
    (1, 30, 30, 8)
    """

    widths: Widths
    _: KW_ONLY
    mode: str = "constant"
    value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _pairs(self.widths)
        _check_mode(self.mode, self.value)

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return pad(x, self.widths, mode=self.mode, value=self.value)


def _pairs(widths: Any) -> list[Pair]:
    """One pair an axis."""
    given = (widths, widths) if isinstance(widths, int) else widths
    if isinstance(given, tuple) and 1 <= len(given) <= 3:
        pairs = [(w, w) if isinstance(w, int) else w for w in given]
        if all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs) and all(
            isinstance(n, int) for pair in pairs for n in pair
        ):
            return pairs
    raise ValueError(
        f"widths of pad must be an int, which means two spatial axes, or a tuple of one int or one "
        f"pair (low, high) for each of 1 to 3 spatial axes, but is {widths!r}"
    )


def _check_mode(mode: Any, value: Any) -> None:
    check_choice(mode, _MODES, "mode", "pad")
    if mode != "constant" and (is_array(value) or value != 0):
        raise ValueError(
            f"value of pad is {describe(value)}, but mode={mode!r} takes what it adds from the "
            "input; use mode='constant', or leave value out"
        )


def _cut(x: jax.Array, pads: Sequence[Pair]) -> jax.Array:
    """``x`` without what negative widths take away."""
    axes = zip(x.shape[x.ndim - len(pads) - 1 : -1], pads, strict=True)
    return x[..., *(slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in axes), :]
