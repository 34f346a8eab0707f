"""Whether inputs are fit to learn from: finite, scaled, distinct, and apart from the validation."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxnet.core.errors import listing
from jaxnet.doctor.finding import Check, Finding

ROWS = 512  # of which the nearest neighbours are sought
_TWIN = 0.1  # nearer than this share of the usual distance to a neighbour: the same example


def finite(named: dict[str, np.ndarray]) -> Check:
    """Whether all numbers of all arrays are finite.

    >>> _, finding = finite({"x": np.array([[1.0], [np.nan]])})
    >>> finding.says
    "1 of the 2 examples in 'x' holds values that are NaN or infinite."
    """
    broken = {}
    for name, x in named.items():
        if np.issubdtype(x.dtype, np.inexact):
            rows = ~np.isfinite(x).reshape(len(x), -1).all(1)
            if rows.any():
                broken[name] = int(rows.sum()), len(x)
    count = sum(n for n, _ in broken.values())
    measured = {"data: examples that are not finite": count}
    if not broken:
        return measured, None
    (n, size), *_ = broken.values()
    return measured, Finding(
        "data not finite",
        "fault",
        count,
        f"{n} of the {size} examples in {listing(broken)} hold{'s' * (n == 1)} values that are NaN "
        "or infinite.",
        "leave those examples out, or put a value in their place, before training: one is enough "
        "to turn every parameter into NaN.",
    )


def twins(x: np.ndarray, held: np.ndarray | None, rng: np.random.Generator) -> Check:
    """The share of validation examples that the training data holds too, or nearly so.

    Rows are compared after a random projection to 32 numbers, which keeps distances. What is
    counted beyond the share of twins within the training data itself is leakage.
    """
    given = [part for part in (x, held) if part is not None]
    parts = [part.reshape(len(part), -1).astype(np.float32) for part in given]
    width = parts[0].shape[1]
    deviation = parts[0].std(0)
    # Pixels at the rim hardly vary: enlarged, their noise would make the same picture another one.
    scale = np.maximum(deviation, 0.3 * np.sqrt(np.square(deviation).mean()) or 1.0)
    mix = np.eye(width) if width <= 32 else rng.standard_normal((width, 32))
    mix = (mix / scale[:, None]).astype(np.float32)
    train, *others = [(part - parts[0].mean(0)) @ mix for part in parts]
    some = rng.permutation(len(train))[:ROWS]
    within = _nearest(train[some], train, some)
    usual = np.median(within[within > 1e-6]) if (within > 1e-6).any() else 0.0
    own = float((within <= _TWIN * usual).mean())
    measured = {"data: share of examples with a twin": own}
    if not others:
        return measured, None
    near = _nearest(others[0][rng.permutation(len(others[0]))[:ROWS]], train, None)
    share = float((near <= _TWIN * usual).mean())
    measured["data: share of validation examples in the training data"] = share
    if share - own < 0.03:
        return measured, None
    return measured, Finding(
        "validation examples in the training data",
        "fault",
        share,
        f"{share:.0%} of the validation examples are in the training data too, or nearly so, while "
        f"only {own:.0%} of the training examples have such a twin among themselves. A validation "
        "score then tells what was learnt by heart, not what the model can do with new examples.",
        "split the data before anything else is done with it (augmenting, resampling), remove "
        "duplicates first, and keep what belongs together (one patient, one film) in one part.",
    )


def constant(x: np.ndarray) -> Check:
    """The share of examples whose numbers are all one value, such as blank pictures."""
    flat = x.reshape(len(x), -1)
    blank = float((flat == flat[:, :1]).all(1).mean()) if flat.shape[1] > 3 else 0.0
    features = float((flat == flat[:1]).all(0).mean())
    measured = {
        "data: share of blank examples": blank,
        "data: share of constant features": features,
    }
    if blank < 0.05:
        return measured, None
    return measured, Finding(
        "blank examples",
        "warning",
        blank,
        f"{blank:.0%} of the examples hold one value only: nothing can be told from them.",
        "look at some of them; files that could not be read are often filled with zeros.",
    )


def scale(x: np.ndarray) -> dict[str, float]:
    """The size of the inputs: root mean square, and the spread of the single features."""
    flat = x.reshape(len(x), -1).astype(np.float64)
    deviations = flat.std(0)
    return {
        "data: root mean square of the inputs": float(np.sqrt(np.square(flat).mean())),
        "data: smallest deviation of a feature": float(deviations.min()),
        "data: largest deviation of a feature": float(deviations.max()),
    }


def suspicious(measured: Mapping[str, float], x: np.ndarray) -> bool:
    """Whether inputs of such a size deserve an experiment with standardised ones."""
    size = measured["data: root mean square of the inputs"]
    return np.issubdtype(x.dtype, np.floating) and not 0.1 < size < 10


def standardised(x: np.ndarray) -> np.ndarray:
    """Inputs of mean 0 and variance 1, feature by feature; constant features become 0."""
    x64 = x.astype(np.float64)
    deviation = x64.std(0)
    # Pixels at the rim hardly vary; enlarged to variance 1 they would be noise.
    floor = 1e-3 * np.sqrt(np.square(deviation).mean()) if x.ndim > 2 else 0.0
    safe = np.where(deviation > floor, deviation, np.inf)
    return np.clip((x64 - x64.mean(0)) / safe, -10, 10).astype(x.dtype)


def unscaled(
    measured: Mapping[str, float], losses: Sequence[np.ndarray] | None, steps: int
) -> Check:
    """Whether training is better with standardised inputs: losses by step without and with.

    ``losses`` is None where the inputs gave no cause for the experiment.
    """
    if losses is None:
        return {}, None
    size = measured["data: root mean square of the inputs"]
    given, standard = (float(np.nan_to_num(x, nan=np.inf).mean()) for x in losses)
    first, standard_first = (float(x[0]) for x in losses)
    found = {
        "data: mean loss of a short training": given,
        "data: mean loss of one with standardised inputs": standard,
    }
    if standard >= 0.8 * given and standard_first >= 0.5 * first:
        return found, None
    return found, Finding(
        "inputs not scaled",
        "fault",
        size,
        f"The inputs have a root mean square of {size:.3g}; networks and their initial weights "
        f"are made for about 1. The loss begins at {first:.3g} and has a mean of {given:.3g} over "
        f"the first {steps} steps; with inputs of mean 0 and variance 1, and nothing else changed, "
        f"it begins at {standard_first:.3g} and has a mean of {standard:.3g}.",
        "subtract each feature's mean and divide by its standard deviation, both those of the "
        "training data alone (for pictures: x / 255), or begin the model with nn.BatchNorm().",
    )


def _nearest(rows: np.ndarray, others: np.ndarray, own: np.ndarray | None) -> np.ndarray:
    """Each row's distance to the nearest of ``others``, leaving out its own place among them."""
    best = np.full(len(rows), np.inf)
    for start in range(0, len(others), 8192):
        part = others[start : start + 8192]
        squares = np.square(rows).sum(1)[:, None] + np.square(part).sum(1) - 2 * rows @ part.T
        # The formula is inexact for near rows: those are computed again, difference by difference.
        if own is not None:
            inside = (own >= start) & (own < start + len(part))
            squares[np.flatnonzero(inside), own[inside] - start] = np.inf
        place = squares.argmin(1)
        exact = np.linalg.norm(rows - part[place], axis=1)
        exact = np.where(np.isfinite(squares.min(1)), exact, np.inf)
        best = np.minimum(best, exact)
    return best
