"""Pooling."""

import functools

import jax
import jax.numpy as jnp

from catalogue.inputs import IMAGE, SEQUENCE, VOLUME, normal
from jaxnet import nn

POOLED = nn.max_pool_with_indices(normal(2, 4, 6, 2), 2)

LAYERS = [
    ("max-pool-1d", nn.MaxPool((3,), stride=2), SEQUENCE),
    ("max-pool-2d", nn.MaxPool(2, stride=1, padding="SAME"), IMAGE),
    ("max-pool-3d", nn.MaxPool((2, 2, 1)), VOLUME),
    ("avg-pool-1d", nn.AvgPool((3,), stride=2, padding=1), SEQUENCE),
    ("avg-pool-2d", nn.AvgPool(2, padding="SAME", count_include_pad=False), IMAGE),
    ("avg-pool-3d", nn.AvgPool((2, 2, 1)), VOLUME),
    ("lp-pool", nn.LpPool(2, (2, 3), stride=2), IMAGE),
    ("max-unpool", nn.MaxUnpool(2), *POOLED),
    ("global-max-pool", nn.GlobalMaxPool(), IMAGE),
    ("global-avg-pool", nn.GlobalAvgPool(1, keepdims=True), SEQUENCE),
    ("adaptive-avg-pool", nn.AdaptiveAvgPool((3, None)), IMAGE),
    ("adaptive-max-pool", nn.AdaptiveMaxPool((4,)), SEQUENCE),
    ("fractional-max-pool", nn.FractionalMaxPool(2, ratio=0.7), IMAGE),
]

X, KEY = jnp.ones((2, 5, 6, 4)), jax.random.key(0)
AT = jnp.zeros(X.shape, int)

# Under these names each is called with an input, and a window unless it has one.
POOLS = {
    "nn.max_pool": nn.max_pool,
    "nn.max_pool_with_indices": nn.max_pool_with_indices,
    "nn.avg_pool": nn.avg_pool,
    "nn.lp_pool": lambda x, *args, **options: nn.lp_pool(x, 2, *args, **options),
}
OF_POOLS = [
    (lambda f: f(X[0, 0], 2), "the input of", "2 spatial axes", "float32[6,4]"),
    (lambda f: f([1.0], 2), "the input of", "an array", "jnp.asarray(x)"),
    (lambda f: f(X > 0, 2), "the input of", "floating point", "bool[2,5,6,4]"),
    (lambda f: f(X + 1j, 2), "the input of", "must be real", "complex64[2,5,6,4]", "x.real"),
    (lambda f: f(X, (2, 2, 2, 2)), "window of", "1 to 3 ints", "(2, 2, 2, 2)"),
    (lambda f: f(X, 0), "window of", "at least 1", "is 0"),
    (lambda f: f(X, 2, stride=-1), "stride of", "at least 1", "is -1"),
    (lambda f: f(X, 2, stride=(1, 2, 3)), "stride of", "2 spatial axes", "(1, 2, 3)"),
    (lambda f: f(X, 2, dilation=0), "dilation of", "at least 1", "is 0"),
    (lambda f: f(X, 2, padding="FULL"), "padding='FULL'", "'SAME'"),
    (lambda f: f(X, 2, padding=-1), "padding of", "at least 0", "is -1"),
    (lambda f: f(X, 2, padding=2), "padding of", "is 2", "smaller than the window (2, 2)"),
    (lambda f: f(X, 6), "spans (6, 6)", "only (5, 6)", "padding='SAME'"),
    (lambda f: f(X, 2, dilation=5), "spans (6, 6)", "only (5, 6)", "dilation"),
]

LAYERS_OF = {
    "nn.MaxPool": nn.MaxPool,
    "nn.AvgPool": nn.AvgPool,
    "nn.LpPool": functools.partial(nn.LpPool, 2),
}
OF_LAYERS = [
    (lambda f: f(0), "window of", "at least 1", "is 0"),
    (lambda f: f(2.0), "window of", "an int, which means two spatial axes", "2.0"),
    (lambda f: f(2, stride=(1,)), "stride of", "2 spatial axes", "(1,)"),
    (lambda f: f(2, dilation=0), "dilation of", "at least 1"),
    (lambda f: f(2, padding="full"), "padding='full'", "'SAME'"),
    (lambda f: f(2)({}, X[0, 0]), "the input of", "2 spatial axes", "float32[6,4]"),
]

ADAPTIVES = {
    "nn.adaptive_avg_pool": nn.adaptive_avg_pool,
    "nn.adaptive_max_pool": nn.adaptive_max_pool,
    "nn.adaptive_max_pool_with_indices": nn.adaptive_max_pool_with_indices,
    "nn.AdaptiveAvgPool": lambda x, size: nn.AdaptiveAvgPool(size)({}, x),
    "nn.AdaptiveMaxPool": lambda x, size: nn.AdaptiveMaxPool(size)({}, x),
}
OF_ADAPTIVES = [
    (lambda f: f(X[0, 0], 2), "the input of", "2 spatial axes", "float32[6,4]"),
    (lambda f: f(X > 0, 2), "the input of", "floating point", "bool[2,5,6,4]"),
    (lambda f: f(X, 0), "size of", "at least 1", "is 0"),
    (lambda f: f(X, (2, 2.5)), "size of", "at least 1", "is 2.5"),
    (lambda f: f(X, (1, 1, 1, 1)), "size of", "1 to 3 ints", "(1, 1, 1, 1)"),
    (lambda f: f(X[:, :, :0], 2), "float32[2,5,0,4]", "nothing", "leave out"),
]

GLOBALS = {
    "nn.global_avg_pool": nn.global_avg_pool,
    "nn.global_max_pool": nn.global_max_pool,
    "nn.global_lp_pool": lambda x, axes: nn.global_lp_pool(x, 2, axes),
    "nn.GlobalAvgPool": lambda x, axes: nn.GlobalAvgPool(axes)({}, x),
    "nn.GlobalMaxPool": lambda x, axes: nn.GlobalMaxPool(axes)({}, x),
}
OF_GLOBALS = [
    (lambda f: f(X[0, 0], 2), "the input of", "axes=2", "at least 3 axes", "float32[6,4]"),
    (lambda f: f(X > 0, 2), "the input of", "floating point", "bool[2,5,6,4]"),
    (lambda f: f(X, 0), "axes of", "at least 1", "is 0"),
    (lambda f: f(X, (1, 2)), "axes of", "an int", "tuple"),
    (lambda f: f(X[:, :0], 2), "float32[2,0,6,4]", "nothing", "leave out"),
]

FRACTIONALS = {
    "nn.fractional_max_pool": nn.fractional_max_pool,
    "nn.fractional_max_pool_with_indices": nn.fractional_max_pool_with_indices,
    "nn.FractionalMaxPool": lambda x, *args, key=None, **options: nn.FractionalMaxPool(
        *args, **options
    )({}, x, key=key),
}
OF_FRACTIONALS = [
    (lambda f: f(X, 2), "size or ratio", "size=None and ratio=None"),
    (lambda f: f(X, 2, size=2, ratio=0.5), "size or ratio", "size=2 and ratio=0.5"),
    (lambda f: f(X, 2, size=0), "size of", "at least 1", "is 0"),
    (lambda f: f(X, 2, ratio=1.5), "ratio of", "below 1", "1.5"),
    (lambda f: f(X, 2, ratio=(0.5,)), "ratio of", "2 spatial axes", "(0.5,)"),
    (lambda f: f(X, 2, ratio=0.1), "0 places", "axis of 5", "1 to 4", "change size"),
    (lambda f: f(X, 3, size=4), "4 places", "window of 3", "axis of 5", "1 to 3"),
    (lambda f: f(X, 0, size=4), "window of", "at least 1", "is 0"),
    (lambda f: f(X[0, 0], 2, size=2), "the input of", "2 spatial axes"),
    (lambda f: f(X > 0, 2, size=2), "the input of", "floating point", "bool[2,5,6,4]"),
    (lambda f: f(X, 2, size=2, key=0), "a random key", "jax.random.key(0)"),
]
SAMPLES = jnp.full((2, 2, 4), 0.5)
OF_SAMPLES = [
    ({"samples": SAMPLES[0]}, "the samples of", "(2, 2, 4)", "float32[2,4]", "jax.random.uniform"),
    ({"samples": SAMPLES + 1}, "the samples of", "1.5", "jax.random.uniform"),
    ({"samples": SAMPLES, "key": KEY}, "both samples and key"),
]

MISTAKES = [
    *(
        (name, functools.partial(mistake, call), *words)
        for parts, mistakes in (
            (POOLS, OF_POOLS),
            (LAYERS_OF, OF_LAYERS),
            (ADAPTIVES, OF_ADAPTIVES),
            (GLOBALS, OF_GLOBALS),
            (FRACTIONALS, OF_FRACTIONALS),
        )
        for name, call in parts.items()
        for mistake, *words in mistakes
    ),
    *(
        (name, functools.partial(FRACTIONALS[name], X, 2, size=2, **options), *words)
        for name in ("nn.fractional_max_pool", "nn.fractional_max_pool_with_indices")
        for options, *words in OF_SAMPLES
    ),
    ("nn.avg_pool", lambda: nn.avg_pool(AT, 2), "the input of avg_pool", "x.astype(jnp.float32)"),
    ("nn.avg_pool", lambda: nn.avg_pool(X, 2, divisor=0), "divisor of avg_pool", "at least 1"),
    ("nn.AvgPool", lambda: nn.AvgPool(2, divisor=0), "divisor of AvgPool", "at least 1"),
    ("nn.lp_pool", lambda: nn.lp_pool(X, 0.5, 2), "p of lp_pool", "at least 1", "is 0.5"),
    ("nn.lp_pool", lambda: nn.lp_pool(X, float("inf"), 2), "p of lp_pool", "use max pooling"),
    ("nn.LpPool", lambda: nn.LpPool(0, 2), "p of LpPool", "at least 1", "is 0"),
    ("nn.global_lp_pool", lambda: nn.global_lp_pool(X, 0), "p of global_lp_pool", "is 0"),
    (
        "nn.global_avg_pool",
        lambda: nn.global_avg_pool(X, mask=X > 0),
        "the mask of global_avg_pool", "(2, 5, 6)", "bool[2,5,6,4]",
    ),
    (
        "nn.GlobalAvgPool",
        lambda: nn.GlobalAvgPool()({}, X, mask=X[..., 0]),
        "the mask of global_avg_pool", "must be bool", "float32[2,5,6]",
    ),
    (
        "nn.max_unpool",
        lambda: nn.max_unpool(X, X, 2),
        "the indices of max_unpool", "integers", "float32[2,5,6,4]",
    ),
    (
        "nn.max_unpool",
        lambda: nn.max_unpool(X, AT[1:], 2),
        "the indices of max_unpool", "float32[2,5,6,4]", "int32[1,5,6,4]", "both results",
    ),
    (
        "nn.max_unpool",
        lambda: nn.max_unpool(X, AT + 120, 2),
        "the indices of max_unpool", "120", "0 to 119", "size",
    ),
    ("nn.max_unpool", lambda: nn.max_unpool(X, AT - 1, 2), "the indices of max_unpool", "-1"),
    (
        "nn.max_unpool",
        lambda: nn.max_unpool(X, AT, 2, size=(12, 12)),
        "size of max_unpool", "(12, 12)", "(10, 12)", "its input's size",
    ),
    ("nn.max_unpool", lambda: nn.max_unpool(X, AT, 2, padding="SAME"), "padding='SAME'", "'VALID'"),
    ("nn.max_unpool", lambda: nn.max_unpool(X, AT, 0), "window of max_unpool", "at least 1"),
    ("nn.max_unpool", lambda: nn.max_unpool(X > 0, AT, 2), "the input of max_unpool", "bool"),
    ("nn.max_unpool", lambda: nn.max_unpool(X[0, 0], AT[0, 0], 2), "input of max_unpool", "[6,4]"),
    ("nn.MaxUnpool", lambda: nn.MaxUnpool(0), "window of MaxUnpool", "at least 1"),
    ("nn.MaxUnpool", lambda: nn.MaxUnpool(2, size=(3,)), "size of MaxUnpool", "2 spatial axes"),
    ("nn.MaxUnpool", lambda: nn.MaxUnpool(2, padding="SAME"), "padding='SAME'", "'VALID'"),
]  # fmt: skip
