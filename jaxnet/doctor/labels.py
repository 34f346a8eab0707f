"""Whether labels are fit to be learnt: in range, balanced, mixed, and related to the inputs."""

from collections.abc import Sequence, Set

import numpy as np

from jaxnet.doctor.finding import Check, Finding
from jaxnet.doctor.task import Task

_PERMUTATIONS = 50
_RELATED = 400  # examples that are compared with each other


def in_range(y: np.ndarray, task: Task) -> Check:
    """Whether class numbers are those of the model's outputs, 0 to C - 1.

    >>> _, finding = in_range(np.array([1, 2, 3]), Task("classes", 3))
    >>> finding.says
    'The labels go from 1 to 3, but a model of 3 outputs knows the classes 0 to 2.'
    """
    if task.kind != "classes":
        return {}, None
    least, most = int(y.min()), int(y.max())
    measured = {"labels: classes": len(np.unique(y))}
    if least >= 0 and most < task.classes:
        return measured, None
    return measured, Finding(
        "labels out of range",
        "fault",
        most if most >= task.classes else least,
        f"The labels go from {least} to {most}, but a model of {task.classes} outputs knows the "
        f"classes 0 to {task.classes - 1}.",
        "subtract 1 if they count from 1, give the model as many outputs as there are classes, and "
        "leave out examples without a class.",
    )


def balance(task: Task, metrics: Set[str], accuracies: Sequence[float] | None) -> Check:
    """Whether one answer is right so often that accuracy, if it is among the metrics, says little.

    ``accuracies`` are those of a training so far, if any.
    """
    if not task.classes:
        return {}, None
    share = task.majority
    measured = {"labels: share of the most frequent class": share}
    if share < 0.8:
        return measured, None
    used = any("accuracy" in name for name in metrics)
    reached = f", and yours {accuracies[-1]:.1%}" if accuracies else ""
    return measured, Finding(
        "class imbalance",
        "fault" if used else "warning",
        share,
        f"{share:.1%} of the labels are the same. A model that always gives this answer has learnt "
        f"nothing, but has an accuracy of {share:.1%}{reached}.",
        "judge by jn.metrics.balanced_accuracy, f_beta, average_precision or the confusion matrix; "
        "weight the rare classes in the loss, or draw their examples more often.",
    )


def order(y: np.ndarray, task: Task, *, shuffle: bool) -> Check:
    """Whether neighbours in the data have like labels, which matters if it is not shuffled."""
    values = _centred(y, task)
    if values is None or len(values) < 20:
        return {}, None
    total = np.square(values).sum(1).mean()
    alike = float((values[1:] * values[:-1]).sum(1).mean() / max(total, 1e-30))
    measured = {"labels: likeness of consecutive ones": alike}
    if shuffle or alike < max(0.2, 5 / np.sqrt(len(values))):
        return measured, None
    return measured, Finding(
        "data not shuffled",
        "fault",
        alike,
        f"Consecutive labels are alike (correlation {alike:.2f}, where mixed data has about 0), "
        "and the data is used in its order. So a batch shows one kind of example only, and each "
        "step forgets what the one before has learnt.",
        "shuffle: fit(..., shuffle=True), and split off validation data at random, too.",
    )


def relation(
    x: np.ndarray, y: np.ndarray, task: Task, rng: np.random.Generator
) -> dict[str, float]:
    """How surely labels hang together with inputs, in standard deviations above chance.

    Two similarities of examples, that of nearest neighbours and that of a ridge regression, are
    asked how well each foretells an example's label from the others; permuting the labels tells
    what chance would give.
    """
    values = _centred(y, task)
    numeric = np.issubdtype(x.dtype, np.floating) or x.dtype == np.uint8
    if values is None or not numeric or len(values) < 20:
        return {}
    rows = rng.permutation(len(x))[:_RELATED]
    x, values = x[rows].reshape(len(rows), -1).astype(np.float64), values[rows]
    x = (x - x.mean(0)) / (x.std(0) + 1e-3 * x.std() + 1e-12)
    gram = x @ x.T
    squares = np.diag(gram)
    near = squares[:, None] + squares - 2 * gram
    np.fill_diagonal(near, np.inf)
    neighbours = np.zeros_like(near)
    np.put_along_axis(neighbours, np.argpartition(near, 5, axis=1)[:, :5], 0.2, axis=1)
    ridge = gram @ np.linalg.inv(gram + 0.1 * squares.mean() * np.eye(len(rows)))
    np.fill_diagonal(ridge, 0)
    orders = [rng.permutation(len(rows)) for _ in range(_PERMUTATIONS)]
    surely = {}
    for name, likeness in {"nearest neighbours": neighbours, "a linear model": ridge}.items():
        real = (values * (likeness @ values)).sum()
        mixed = [(values[p] * (likeness @ values[p])).sum() for p in orders]
        surely[f"labels: foretold by {name}, in deviations"] = float(
            (real - np.mean(mixed)) / max(np.std(mixed), 1e-30)
        )
    return surely


def unrelated(surely: dict[str, float], skill: float, examples: int) -> Check:
    """Whether nothing finds a relation: neither ``surely`` nor the model on unseen examples."""
    # The skill of a guess is uncertain by about one over the root of the number of examples.
    own = skill * np.sqrt(examples)
    measured = surely | {"labels: skill of the model on unseen examples": skill}
    if not surely or max(surely.values()) > 4 or own > 4:
        return measured, None
    best = max(surely.values())
    return measured, Finding(
        "labels unrelated to inputs",
        "fault",
        best,
        "The labels look like chance: neither nearest neighbours nor a linear model can foretell "
        f"them (at best {best:.1f} standard deviations above chance, where real labels have far "
        f"more than 4), and what the model learns in a short training does not hold for unseen "
        f"examples (skill {skill:.2f} of 1).",
        "look at some examples beside their labels; were x and y shuffled or sorted apart, or one "
        "of them filtered alone? Shuffle with one order: x[order], y[order].",
    )


def target_scale(y: np.ndarray, task: Task, skill: float) -> Check:
    """Whether the targets of a regression are of a size that outputs can reach."""
    if task.kind != "regression":
        return {}, None
    mean, deviation = float(y.mean()), float(y.std())
    measured = {"labels: mean": mean, "labels: deviation": deviation}
    if 0.02 < np.hypot(mean, deviation) < 10 or skill > 0.5:
        return measured, None
    return measured, Finding(
        "targets not scaled",
        "fault",
        deviation,
        f"The targets have mean {mean:.3g} and standard deviation {deviation:.3g}, while outputs "
        "begin at about 0 with a deviation below 1: training spends its steps on getting there.",
        "train on (y - y.mean()) / y.std(), and undo it after predicting.",
    )


def _centred(y: np.ndarray, task: Task) -> np.ndarray | None:
    """Labels as vectors ``[n, C]`` of mean 0; None where they have no such form."""
    if task.kind == "classes":
        if y.ndim > 1:
            return None
        y = np.eye(task.classes)[y]
    elif task.kind == "other":
        return None
    values = y.reshape(len(y), -1).astype(np.float64)
    return values - values.mean(0)
