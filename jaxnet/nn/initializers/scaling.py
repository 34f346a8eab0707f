"""Random kernels whose variance is such that signals keep their size."""

import dataclasses
import math
from dataclasses import KW_ONLY
from typing import Any

import jax

from jaxnet.core.checks import check_choice
from jaxnet.nn.initializers.checks import check_kernel

_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "normal", "uniform")


@dataclasses.dataclass(frozen=True)
class VarianceScaling:
    """Random with mean 0 and variance ``scale / fan``, so that signals keep their size.

    ``mode`` says which fan: ``"fan_in"`` (window places times inputs), ``"fan_out"`` (window
    places times outputs) or ``"fan_avg"``, their mean. ``distribution`` is ``"uniform"``,
    ``"normal"``, or ``"truncated_normal"``, which is cut at two standard deviations.
    Raises ValueError for other words, and unless ``scale`` is above 0.

    >>> VarianceScaling(2.0)(jax.random.key(0), (3, 3, 8, 16), "float32").shape
    (3, 3, 8, 16)
    """

    scale: float = 1.0
    _: KW_ONLY
    mode: str = "fan_in"
    distribution: str = "truncated_normal"

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale of VarianceScaling must be above 0, but is {self.scale}")
        check_choice(self.mode, _MODES, "mode", "VarianceScaling")
        check_choice(self.distribution, _DISTRIBUTIONS, "distribution", "VarianceScaling")

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        check_kernel(shape, "VarianceScaling")
        mode: Any = self.mode
        distribution: Any = self.distribution
        init = jax.nn.initializers.variance_scaling(self.scale, mode, distribution)
        return init(key, shape, dtype)


def gain(nonlinearity: str, *, slope: float = 0.01) -> float:
    """By how much a kernel must grow so that signals keep their size behind an activation.

    PyTorch's recommended values; ``slope`` is that of ``"leaky_relu"``.
    Raises ValueError for a nonlinearity it does not know.

    >>> gain("leaky_relu", slope=1.0), gain("tanh")
    (1.0, 1.6666666666666667)
    """
    gains = {
        "linear": 1.0,
        "conv": 1.0,
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": math.sqrt(2),
        "leaky_relu": math.sqrt(2 / (1 + slope**2)),
        "selu": 3 / 4,
    }
    check_choice(nonlinearity, gains, "nonlinearity", "gain")
    return gains[nonlinearity]


def xavier_uniform(*, gain: float = 1.0) -> VarianceScaling:
    """Uniform with variance ``gain^2 / fan_avg`` (Glorot and Bengio 2010).

    >>> xavier_uniform()
    VarianceScaling(scale=1.0, mode='fan_avg', distribution='uniform')
    """
    return VarianceScaling(gain**2, mode="fan_avg", distribution="uniform")


def xavier_normal(*, gain: float = 1.0) -> VarianceScaling:
    """Normal with variance ``gain^2 / fan_avg`` (Glorot and Bengio 2010).

    >>> xavier_normal(gain=2.0)
    VarianceScaling(scale=4.0, mode='fan_avg', distribution='normal')
    """
    return VarianceScaling(gain**2, mode="fan_avg", distribution="normal")


def kaiming_uniform(
    *, slope: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> VarianceScaling:
    """Uniform with variance ``gain(nonlinearity, slope)^2 / fan`` (arXiv:1502.01852).

    >>> kaiming_uniform(slope=1.0)
    VarianceScaling(scale=1.0, mode='fan_in', distribution='uniform')
    """
    scale = gain(nonlinearity, slope=slope) ** 2
    return VarianceScaling(scale, mode=mode, distribution="uniform")


def kaiming_normal(
    *, slope: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> VarianceScaling:
    """Normal with variance ``gain(nonlinearity, slope)^2 / fan`` (arXiv:1502.01852).

    >>> kaiming_normal(slope=1.0, mode="fan_out")
    VarianceScaling(scale=1.0, mode='fan_out', distribution='normal')
    """
    scale = gain(nonlinearity, slope=slope) ** 2
    return VarianceScaling(scale, mode=mode, distribution="normal")


# Keras's and JAX's names and constants; the normal ones are truncated.
glorot_uniform = xavier_uniform()
glorot_normal = VarianceScaling(mode="fan_avg")
he_uniform = VarianceScaling(2.0, distribution="uniform")
he_normal = VarianceScaling(2.0)
lecun_uniform = VarianceScaling(distribution="uniform")
lecun_normal = VarianceScaling()
