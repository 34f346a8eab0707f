"""What optimizers ask of their numbers."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import jax

from jaxnet.core.errors import brief, describe, is_array, near, seen

if TYPE_CHECKING:
    import optax

type LearningRate = float | jax.Array | optax.Schedule


def check_rate(rate: Any) -> None:
    """Raise unless it is a schedule or a positive number."""
    if callable(rate) or seen(rate) is None:
        return
    number = rate.ndim == 0 if is_array(rate) else isinstance(rate, int | float)
    if not number or isinstance(rate, bool) or not 0 < rate < math.inf:
        raise ValueError(
            f"learning_rate must be a positive number or an optax schedule, but is {brief(rate)}; "
            "Adam often starts from 1e-3, plain gradient descent from 1e-2; "
            "to keep leaves as they are use freeze"
        )


def check_share(value: Any, what: str) -> None:
    """Raise unless at least 0 and below 1."""
    if not is_array(value) and not 0 <= value < 1:
        raise ValueError(
            f"{what} must be at least 0 and below 1, but is {describe(value)}; it is the share "
            "kept from the step before, often 0.9 or more"
        )


def check_least(value: Any, what: str, *, least: float = 0, hint: str = "") -> None:
    """Raise unless a finite number of at least ``least``."""
    if not is_array(value) and not least <= value < math.inf:
        must = "0 or positive" if least == 0 else f"at least {least}"
        raise ValueError(f"{what} must be {must}, but is {describe(value)}{hint}")


def check_above(value: Any, what: str, *, least: float = 0, hint: str = "") -> None:
    """Raise unless a finite number above ``least``."""
    if not is_array(value) and not least < value < math.inf:
        must = "positive" if least == 0 else f"above {least}"
        raise ValueError(f"{what} must be {must}, but is {describe(value)}{hint}")


def check_decay(weight_decay: Any) -> None:
    """Raise unless ``weight_decay`` is 0 or positive."""
    check_least(
        weight_decay,
        "weight_decay",
        hint=": it is the share of a weight that a step with a learning rate of 1 would take away",
    )


def check_preset(value: Any, presets: Iterable[str]) -> None:
    """Raise unless ``value`` is the name of a preset."""
    if value not in presets:
        raise ValueError(f"no preset is called preset={value!r}; {near(str(value), presets)}")
