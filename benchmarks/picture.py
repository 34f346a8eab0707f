"""Results as a picture: how many times as long the others take, on a logarithmic axis."""

from pathlib import Path

from benchmarks.contender import CONTENDERS
from benchmarks.results import Result
from benchmarks.table import heading, ratios

MARKS = dict(zip(CONTENDERS[1:], "oDs^vP", strict=True))


def draw(result: Result, file: Path) -> None:
    """Write the picture; raises ImportError without matplotlib."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    cases = ratios(result)
    figure, axes = plt.subplots(figsize=(9, 1.6 + 0.3 * len(cases)), layout="constrained")
    axes.axvline(1, color="black", linewidth=0.8)
    for who, mark in MARKS.items():
        points = [(others[who], i) for i, (_, _, others) in enumerate(cases) if who in others]
        if points:
            axes.plot(*zip(*points, strict=True), mark, label=who, alpha=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(cases)), [title for title, _, _ in cases], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", which="both", alpha=0.2)
    axes.set_xlabel("time / jaxnet's time (right of 1: jaxnet is faster)")
    axes.set_title(heading(result), fontsize=7)
    axes.legend(fontsize=8, ncols=3)
    figure.savefig(file, dpi=150)
    plt.close(figure)
