"""Initializers as hashable values, and the presets that say what PyTorch and Keras start from.

An initializer is ``init(key, shape, dtype)``; all of ``jax.nn.initializers`` fit, too. Those here
are equal to their like, so that leaves of one kind are drawn together and a model that is made
anew is not compiled anew. ``layer.init(key, x, initializers={"**/kernel": Orthogonal()})`` chooses
them by path. Kernels are ``[*window, inputs, outputs]``.
"""

import math

import jax

from jaxnet.core.blueprint import Initializer as Initializer
from jaxnet.core.errors import near
from jaxnet.nn.initializers.matrices import DeltaOrthogonal as DeltaOrthogonal
from jaxnet.nn.initializers.matrices import Dirac as Dirac
from jaxnet.nn.initializers.matrices import Flat as Flat
from jaxnet.nn.initializers.matrices import Identity as Identity
from jaxnet.nn.initializers.matrices import Orthogonal as Orthogonal
from jaxnet.nn.initializers.matrices import Sparse as Sparse
from jaxnet.nn.initializers.matrices import ZeroRow as ZeroRow
from jaxnet.nn.initializers.scaling import VarianceScaling as VarianceScaling
from jaxnet.nn.initializers.scaling import gain as gain
from jaxnet.nn.initializers.scaling import glorot_normal as glorot_normal
from jaxnet.nn.initializers.scaling import glorot_uniform as glorot_uniform
from jaxnet.nn.initializers.scaling import he_normal as he_normal
from jaxnet.nn.initializers.scaling import he_uniform as he_uniform
from jaxnet.nn.initializers.scaling import kaiming_normal as kaiming_normal
from jaxnet.nn.initializers.scaling import kaiming_uniform as kaiming_uniform
from jaxnet.nn.initializers.scaling import lecun_normal as lecun_normal
from jaxnet.nn.initializers.scaling import lecun_uniform as lecun_uniform
from jaxnet.nn.initializers.scaling import xavier_normal as xavier_normal
from jaxnet.nn.initializers.scaling import xavier_uniform as xavier_uniform
from jaxnet.nn.initializers.simple import Constant as Constant
from jaxnet.nn.initializers.simple import Normal as Normal
from jaxnet.nn.initializers.simple import TruncatedNormal as TruncatedNormal
from jaxnet.nn.initializers.simple import Uniform as Uniform

type Init = str | Initializer

zeros = jax.nn.initializers.zeros
ones = jax.nn.initializers.ones
normal = Normal()


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
