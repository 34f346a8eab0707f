"""Live progress in a terminal; elsewhere plain lines, not more than one a second."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

_SHOWN = "examples/s", "tokens/s"


class Progress:
    """Shows where training is, its metrics and rates, and the time that is left."""

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = enabled
        self._bar: Any = None
        self._began: tuple[float, float] | None = None
        self._printed = 0.0

    def __enter__(self) -> Self:
        if self.enabled and sys.stdout.isatty():
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[text]}"),
            )
            self._bar = Progress(*columns)
            self._task = self._bar.add_task("", total=1.0, text="compiling")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(
        self, label: str, share: float, means: Mapping[str, float], rates: Mapping[str, float]
    ) -> None:
        """A ``share`` of the way is behind us, with these means so far."""
        if self._bar is not None:
            text = self._text(share, means, rates)
            self._bar.update(self._task, completed=share, description=label, text=text)

    def end_epoch(
        self, label: str, share: float, means: Mapping[str, float], rates: Mapping[str, float]
    ) -> None:
        """An epoch is through, with these means."""
        self.advance(label, share, means, rates)
        if self._bar is None and (share >= 1 or time.perf_counter() - self._printed >= 1):
            self._printed = time.perf_counter()
            self.note(f"{label}  {self._text(share, means, rates)}")
        if self._began is None:
            # By now all has been compiled.
            self._began = time.perf_counter(), share

    def note(self, line: str) -> None:
        """One line of text."""
        if self._bar is not None:
            self._bar.console.print(line, highlight=False)
        elif self.enabled:
            print(line, flush=True)

    def _text(self, share: float, means: Mapping[str, float], rates: Mapping[str, float]) -> str:
        parts = [f"{name} {value:.4g}" for name, value in means.items()]
        parts += [f"{rates[name]:,.0f} {name}" for name in _SHOWN if name in rates]
        began, first = self._began or (0.0, share)
        if share > first:
            left = (time.perf_counter() - began) / (share - first) * (1 - share)
            parts.append(f"{left:.0f} s left")
        return "  ".join(parts)
