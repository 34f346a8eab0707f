"""What the curves of a training say: diverged, overfitting, underfitting, or not at its end yet."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from jaxnet.core.errors import listing
from jaxnet.doctor.finding import Check, Finding


def curves(history: Mapping[str, Sequence[float]], chance: float = math.nan) -> Check:
    """Judge a history of means by epoch: ``"loss"`` and, if there is one, ``"val_loss"``.

    ``chance`` is the loss of knowing nothing, if known.
    Raises ValueError for a history without a loss.

    >>> _, finding = curves({"loss": [1.0, 0.5, 0.2, 0.1], "val_loss": [1.0, 0.8, 1.0, 1.4]})
    >>> finding.name
    'overfitting'
    """
    if "loss" not in history or not len(history["loss"]):
        raise ValueError(
            "a history maps names to a list with a number an epoch and has a 'loss', as fit "
            f"returns it, but this one has {listing(history)}"
        )
    loss = np.asarray(history["loss"], float)
    measured = {"result: loss": float(loss[-1]), "result: epochs": len(loss)}
    lowest = float(np.nanmin(loss)) if np.isfinite(loss).any() else math.nan
    if not np.isfinite(loss).all() or loss[-1] > loss[0] + 0.1 * abs(loss[0]):
        return measured, Finding(
            "diverged",
            "fault",
            loss[-1],
            f"The loss went from {loss[0]:.3g} to {loss[-1]:.3g}, its lowest being {lowest:.3g}.",
            "a learning rate three to ten times lower, a warm-up (jn.optim.warmup), or clipped "
            "gradients: train_step(..., clip=1.0).",
        )
    held = np.asarray(history.get("val_loss", ()), float)
    if len(held):
        measured |= {
            "result: val_loss": float(held[-1]),
            "result: lowest val_loss": float(held.min()),
        }
    finding = _overfitting(loss, held) or _underfitting(loss, chance) or _unfinished(loss, held)
    return measured, finding


def _overfitting(loss: np.ndarray, held: np.ndarray) -> Finding | None:
    # Both must part: a noisy validation loss rises, too, and a gap alone is what any model has.
    if len(held) < 3 or held[-1] < 1.15 * held.min() or held[-1] < 1.3 * loss[-1]:
        return None
    epoch = int(held.argmin()) + 1
    return Finding(
        "overfitting",
        "fault",
        held[-1] / held.min(),
        f"val_loss was lowest in epoch {epoch} of {len(held)}, {held.min():.3g}, and rose to "
        f"{held[-1]:.3g} while the training loss fell to {loss[-1]:.3g}: since then the model has "
        "learnt its training examples by heart.",
        f"stop near epoch {epoch}; more data or augmented data; nn.Dropout; weight decay "
        "(jn.optim.adamw); a smaller model.",
    )


def _underfitting(loss: np.ndarray, chance: float) -> Finding | None:
    still = len(loss) >= 3 and loss[-1] > 0.9 * loss[0]
    if not still or (math.isfinite(chance) and loss[-1] < 0.7 * chance):
        return None
    return Finding(
        "underfitting",
        "fault",
        loss[-1],
        f"After {len(loss)} epochs the loss has come from {loss[0]:.3g} to {loss[-1]:.3g} only.",
        "a learning rate ten times higher or lower, a larger model, less regularisation; see the "
        "other findings.",
    )


def _unfinished(loss: np.ndarray, held: np.ndarray) -> Finding | None:
    curve = held if len(held) else loss
    if len(curve) < 8:
        return None
    quarter = len(curve) // 4
    fall = 1 - curve[-quarter:].mean() / max(curve[-2 * quarter : -quarter].mean(), 1e-30)
    if fall < 0.2:
        return None
    return Finding(
        "stopped early",
        "warning",
        fall,
        f"In its last {quarter} epochs the loss was still {fall:.0%} below that of the "
        f"{quarter} before: there is more to learn.",
        "more epochs, or a higher learning rate that falls towards the end (jn.optim.cosine).",
    )
