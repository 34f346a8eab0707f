"""What training was like: for each metric, its value in every epoch."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from jaxnet.core.checks import check_choice
from jaxnet.core.errors import near

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure

type Mode = Literal["min", "max"]

# Curves that span more than this are read on a logarithmic axis.
_WIDE = 30


class History(dict[str, list[float]]):
    """A dict of lists, ``history["val_loss"][epoch - 1]``, with a picture and the best epoch.

    ``append`` keeps all lists as long as there were epochs: NaN stands where a metric was not
    measured, as before it first appeared. ``json.dumps`` writes a history, and
    ``History(json.loads(text))`` is exactly the same again.

    >>> history = History(loss=[3.0, 1.0, 2.0])
    >>> history.best("loss")
    (2, 1.0)
    """

    def append(self, means: Mapping[str, float]) -> None:
        """Add an epoch with these metrics.

        >>> history = History()
        >>> history.append({"loss": 2.0})
        >>> history.append({"loss": 1.0, "val_loss": 1.5})
        >>> history
        {'loss': [2.0, 1.0], 'val_loss': [nan, 1.5]}
        """
        epochs = max(map(len, self.values()), default=0)
        for name in {**self, **means}:
            values = self.setdefault(name, [])
            values += [math.nan] * (epochs - len(values)) + [float(means.get(name, math.nan))]

    def best(self, name: str, *, mode: Mode = "min") -> tuple[int, float]:
        """The epoch, counted from 1 as in logs, in which a metric was best, and its value there.

        The first one, where several are equal; NaN is never best. Raises ValueError for an unknown
        name and where no value is a number.

        >>> History(accuracy=[0.5, 0.75, 0.75]).best("accuracy", mode="max")
        (2, 0.75)
        """
        check_choice(mode, ("min", "max"), "mode", "History.best")
        if name not in self:
            raise ValueError(f"the history has no metric {name!r}; {near(name, self)}")
        known = [(epoch, x) for epoch, x in enumerate(self[name], 1) if not math.isnan(x)]
        if not known:
            raise ValueError(f"{name!r} has no value that is a number in {len(self[name])} epochs")
        return (min if mode == "min" else max)(known, key=lambda point: point[1])

    def plot(self, path: "str | os.PathLike[str] | None" = None) -> "Figure":
        """A figure with a panel for each metric, training and validation together.

        A dotted line marks the epoch of the lowest ``val_loss`` (of ``loss``, without validation).
        An axis is logarithmic if its values are positive and differ by more than a factor of 30.
        ``path`` is where to write the figure, as the format that its ending names. Needs
        matplotlib: the extra ``plot``. No window is opened and pyplot is not used, so this works
        on a machine without a display; a notebook shows what is returned after
        ``%matplotlib inline``.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError("plots need matplotlib: pip install 'jaxnet[plot]'") from error
        if not any(self.values()):
            raise ValueError("the history is empty: there is no epoch to plot")
        names = list(dict.fromkeys(name.removeprefix("val_") for name in self))
        columns = min(len(names), 3)
        rows = -(-len(names) // columns)
        figure = Figure(figsize=(4.8 * columns, 3.2 * rows), layout="constrained")
        best = self._best_epoch()
        for place, name in enumerate(names, 1):
            axes = figure.add_subplot(rows, columns, place)
            self._panel(axes, name)
            if best is not None:
                axes.axvline(best, color="0.5", linestyle=":", label=f"best epoch: {best}")
            if axes.lines:
                axes.legend(frameon=False)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def _panel(self, axes: Any, name: str) -> None:
        from matplotlib.ticker import MaxNLocator

        curves = {kind: self[kind] for kind in (name, f"val_{name}") if kind in self}
        for kind, label, color in ((name, "training", "C0"), (f"val_{name}", "validation", "C1")):
            # What is not measured in every epoch is joined over the gaps.
            points = [(i, x) for i, x in enumerate(curves.get(kind, ()), 1) if math.isfinite(x)]
            if points:
                few = "o" if len(points) <= 20 else ""
                axes.plot(*zip(*points, strict=True), few + "-", color=color, label=label, ms=3)
        values = [x for curve in curves.values() for x in curve if math.isfinite(x)]
        if values and min(values) > 0 and max(values) > _WIDE * min(values):
            axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(title=name, xlabel="epoch")
        axes.spines[["top", "right"]].set_visible(False)

    def _best_epoch(self) -> int | None:
        for name in ("val_loss", "loss"):
            if any(not math.isnan(x) for x in self.get(name, ())):
                return self.best(name)[0]
        return None
