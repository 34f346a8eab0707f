"""Initializers as hashable values, and the presets that say what PyTorch and Keras start from.

An initializer is ``init(key, shape, dtype)``; all of ``jax.nn.initializers`` fit. Keep one in a
constant rather than making it anew for each layer: leaves of one initializer are drawn together.
"""

import dataclasses
import math

import jax

from jaxnet.core.blueprint import Initializer
from jaxnet.core.errors import near

type Init = str | Initializer


@dataclasses.dataclass(frozen=True)
class Uniform:
    """Uniform between ``-bound`` and ``bound``.

    >>> bool(abs(Uniform(0.1)(jax.random.key(0), (8,), "float32")).max() <= 0.1)
    True
    """

    bound: float

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: object) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -self.bound, self.bound)  # pyright: ignore[reportArgumentType]


zeros = jax.nn.initializers.zeros
ones = jax.nn.initializers.ones
glorot_uniform = jax.nn.initializers.glorot_uniform()
lecun_normal = jax.nn.initializers.lecun_normal()
normal = jax.nn.initializers.normal(1.0)


def affine(init: Init, fan_in: int) -> tuple[Initializer, Initializer]:
    """The initializers of kernel and bias of a linear map or a convolution.

    ``"torch"``: both uniform within ``1/sqrt(fan_in)``; ``"keras"``: Glorot uniform and zeros;
    ``"flax"``: LeCun normal and zeros; an initializer: that one and zeros.
    """
    if not isinstance(init, str):
        return init, zeros
    bound = Uniform(1 / math.sqrt(fan_in)) if fan_in else zeros
    return _choose(
        init,
        {"torch": (bound, bound), "keras": (glorot_uniform, zeros), "flax": (lecun_normal, zeros)},
    )


def embedding(init: Init) -> Initializer:
    """The initializer of an embedding table.

    ``"torch"``: standard normal; ``"keras"``: uniform within 0.05; ``"flax"``: LeCun-like normal
    with variance 1/features; or an initializer.
    """
    if not isinstance(init, str):
        return init
    return _choose(init, {"torch": normal, "keras": Uniform(0.05), "flax": _embed_flax})


_embed_flax = jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal", out_axis=0)


def _choose[T](name: str, presets: dict[str, T]) -> T:
    if name not in presets:
        raise ValueError(f"no preset is called init={name!r}; {near(name, presets)}")
    return presets[name]
