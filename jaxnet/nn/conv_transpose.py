"""Transposed convolution: the gradient of a convolution by its input, as a layer."""

import itertools
import math
from dataclasses import KW_ONLY
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_float, check_size
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers
from jaxnet.nn.conv import check_bias, check_channels, check_groups, check_options, kernel_axes
from jaxnet.nn.convolve import ORDERS, convolve
from jaxnet.nn.sliding import Padding, Sizes, pads_of, per_axis, spatial_of, window_size
from jaxnet.nn.window import Ints, Window, as_one_batch


def conv_transpose(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    stride: Sizes = 1,
    padding: Padding = 0,
    output_padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> jax.Array:
    """Adds a kernel at each place of the input: ``[..., *places, I]`` to ``[..., *spatial, O]``.

    ``kernel [*window, I / groups, O]`` as in ``conv``; each place p of the input adds to ``y``
    ``y[p * stride + t * dilation - low, o] += sum_i x[p, i] * kernel[t, i, o]``, and then
    ``bias[o]`` is added. So ``conv`` with a kernel k has as its transpose, and as its gradient by
    the input, ``conv_transpose`` with ``k.swapaxes(-1, -2)`` (with groups: swapped within each)
    and the same options.

    ``padding`` (an int, one int an axis, or one pair ``(low, high)`` an axis) cuts the result, and
    ``output_padding`` adds to its high side, as in PyTorch: ``(n - 1) * stride - low - high +
    (k - 1) * dilation + 1 + output_padding`` places. ``"SAME"`` gives ``n * stride`` and
    ``"VALID"`` cuts nothing, but gives at least ``n * stride``, as in Keras.
    PyTorch's weight ``[I, O / groups, *window]`` becomes
    ``w.reshape(groups, I / groups, O / groups, *window)`` with the axes moved to ``[*window,
    I / groups, groups, O / groups]`` and the last two made one; Keras's ``[*window, O, I]`` has its
    last two axes swapped.
    Raises ValueError if shapes and options do not fit each other.

    >>> x = jnp.array([1.0, 2.0])[:, None]
    >>> conv_transpose(x, jnp.ones((3, 1, 1)), stride=2)[:, 0]
    Array([1., 1., 3., 2., 2.], dtype=float32)
    >>> conv_transpose(jnp.ones((2, 8, 8, 3)), jnp.ones((4, 4, 3, 6)), stride=2, padding=1).shape
    (2, 16, 16, 6)
    """
    check_float(x, "the input of conv_transpose")
    axes = kernel_axes(kernel, "conv_transpose")
    places = spatial_of(x, axes, "conv_transpose")
    check_channels(x, kernel, groups, "conv_transpose")
    check_bias(bias, kernel.shape[-1:], "conv_transpose")
    window, size = _window(places, kernel.shape[:axes], stride, padding, output_padding, dilation)
    form = _by_phases if jax.default_backend() == "cpu" else _by_xla
    dtype = jnp.result_type(x, kernel)
    kernel = kernel.astype(dtype)
    y = as_one_batch(lambda x: form(x, kernel, window, size, groups), x.astype(dtype), axes)
    return y if bias is None else y + jnp.broadcast_to(bias, y.shape)


class ConvTranspose(Layer):
    """A transposed convolution: ``[..., *places, I]`` to ``[..., *spatial, features]``.

    ``kernel_size`` as in ``Conv``, options as in ``conv_transpose``, ``initializer`` as in
    ``Linear``; as in PyTorch the fan-in of ``"torch"`` is that of the convolution of which this is
    the transpose: ``features / groups`` times the window. Leaves ``kernel [*kernel_size,
    I / groups, features]`` and, unless switched off, ``bias [features]``.

    >>> layer = ConvTranspose(8, 4, stride=2, padding=1)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 7, 7, 3)))
    >>> layer(params, jnp.ones((2, 7, 7, 3))).shape
    (2, 14, 14, 8)
    """

    features: int
    kernel_size: Sizes
    _: KW_ONLY
    stride: Sizes = 1
    padding: Padding = 0
    output_padding: Sizes = 0
    dilation: Sizes = 1
    groups: int = 1
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        check_size(self.features, "features of ConvTranspose")
        check_groups(self.groups, self.groups, self.features)

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_float(x, "the input of ConvTranspose")
        size = window_size(self.kernel_size, "kernel_size of ConvTranspose")
        spatial_of(x, len(size), "ConvTranspose")
        check_groups(self.groups, x.shape[-1], self.features)
        shape = (*size, x.shape[-1] // self.groups, self.features)
        fan_in = math.prod(size) * self.features // self.groups
        kernel_init, bias_init = initializers.affine(self.initializer, fan_in)
        kernel = param(params, "kernel", shape, kernel_init)
        return conv_transpose(
            x,
            kernel,
            param(params, "bias", (self.features,), bias_init) if self.bias else None,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
        )


def _window(
    places: Ints, size: Ints, stride: Any, padding: Any, more: Any, dilation: Any
) -> tuple[Window, Ints]:
    """The window of the convolution of which this is the transpose, and the size of its input."""
    axes, what = len(size), "conv_transpose"
    stride = per_axis(stride, axes, f"stride of {what}")
    dilation = per_axis(dilation, axes, f"dilation of {what}")
    more = per_axis(more, axes, f"output_padding of {what}", least=0)
    span = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    whole = tuple(n * s for n, s in zip(places, stride, strict=True))
    pads = pads_of(padding, whole, span, stride, what, ("SAME", "VALID"))
    if isinstance(padding, str):
        if any(more):
            raise ValueError(
                f"output_padding of {what} is {more}, but padding={padding!r} settles the size by "
                "itself; leave output_padding out, or give the padding as numbers"
            )
        more = tuple(max(s - k, 0) for s, k in zip(stride, span, strict=True))
    for add, s, d in zip(more, stride, dilation, strict=True):
        if add >= max(s, d):
            raise ValueError(
                f"output_padding of {what} is {add}, but must be smaller than the stride {s} or "
                f"the dilation {d}: it only chooses among the sizes that convolve to the same "
                "number of places; pad the result with jnp.pad instead"
            )
    spread = zip(places, stride, span, pads, more, strict=True)
    result = tuple((n - 1) * s + k - sum(cut) + add for n, s, k, cut, add in spread)
    if min(*places, *result) < 1:
        raise ValueError(
            f"{what} makes {result} of the spatial axes {places}, but needs at least one element "
            f"on each; use a larger input or a smaller padding than {padding!r}"
        )
    return Window(size, stride, pads, dilation), result


def _by_xla(x: jax.Array, kernel: jax.Array, window: Window, size: Ints, groups: int) -> jax.Array:
    """Zeros between the places, and then a convolution."""
    axes = range(len(size))
    pads = []
    for n, m, k, s, (low, _), d in zip(x.shape[1:-1], size, *window, strict=True):
        before = (k - 1) * d - low
        pads.append((before, m + (k - 1) * d - (n - 1) * s - 1 - before))
    return lax.conv_general_dilated(
        x, jnp.flip(kernel, axes), (1,) * len(size), pads, lhs_dilation=window.stride,
        rhs_dilation=window.dilation, dimension_numbers=ORDERS[len(size)],
        feature_group_count=groups,
    )  # fmt: skip


# On CPU zeros between the places would be multiplied, and in a loop be slow to write.
def _by_phases(
    x: jax.Array, kernel: jax.Array, window: Window, size: Ints, groups: int
) -> jax.Array:
    """One convolution at stride 1 makes the elements of a whole stride, as channels."""
    stride, axes = window.stride, len(size)
    plan = [_phases(*axis) for axis in zip(x.shape[1:-1], size, *window, strict=True)]
    split = [n for axis, s in zip(plan, stride, strict=True) for n in (axis.size, s)]
    outputs = kernel.shape[-1] // groups
    zero = jnp.zeros((), kernel.dtype)
    kernel = lax.pad(kernel, zero, [*(axis.kernel for axis in plan), (0, 0, 0), (0, 0, 0)])
    kernel = kernel.reshape(*split, kernel.shape[-2], groups, outputs)
    taps, phases = tuple(range(0, 2 * axes, 2)), tuple(range(1, 2 * axes, 2))
    kernel = jnp.flip(kernel, taps)
    # [*window, I / groups, groups, *stride, O / groups]
    kernel = kernel.transpose(*taps, 2 * axes, 2 * axes + 1, *phases, 2 * axes + 2)
    kernel = kernel.reshape(*(axis.size for axis in plan), kernel.shape[axes], -1)
    dense = Window(
        tuple(axis.size for axis in plan),
        (1,) * axes,
        tuple(axis.padding for axis in plan),
        tuple(axis.dilation for axis in plan),
    )
    y = convolve(x, kernel, dense, groups)
    blocks = y.shape[1:-1]
    y = y.reshape(y.shape[0], *blocks, groups, *stride, outputs)
    pairs = itertools.chain(*((1 + i, axes + 2 + i) for i in range(axes)))
    y = y.transpose(0, *pairs, axes + 1, 2 * axes + 2)
    whole = [n * s for n, s in zip(blocks, stride, strict=True)]
    y = y.reshape(y.shape[0], *whole, groups * outputs)
    return lax.pad(y, zero, [(0, 0, 0), *(axis.cut for axis in plan), (0, 0, 0)])


class _Phases(NamedTuple):
    """How one axis becomes whole strides: of the convolution, of its kernel and its result."""

    size: int
    dilation: int
    padding: tuple[int, int]
    kernel: tuple[int, int, int]
    cut: tuple[int, int, int]


def _phases(n: int, m: int, k: int, s: int, pads: tuple[int, int], d: int) -> _Phases:
    # A place reaches as far as its last tap; blocks of a stride are counted from the first place.
    step = d if s == 1 else 1
    reach = (k - 1) * d // s
    first = min(pads[0] // s, reach)
    last = min(max((pads[0] + m - 1) // s, n - 1), n - 1 + reach)
    start = pads[0] - first * s
    return _Phases(
        reach // step + 1,
        step,
        (reach - first, last - n + 1),
        (0, (reach // step + 1) * s - (k - 1) * (d // step) - 1, d // step - 1),
        (-start, start + m - (last - first + 1) * s, 0),
    )
