"""Live progress in a terminal; elsewhere plain lines, not more than one a second."""

import sys
import time
from types import TracebackType
from typing import Any, Self


class Progress:
    """Shows epochs, metrics, examples a second and the time that is left.

    The rate leaves the first calls out, which compile.
    """

    def __init__(self, epochs: int, examples: int, *, enabled: bool) -> None:
        self.epochs, self.examples, self.enabled = epochs, examples, enabled
        self._bar: Any = None
        self._began: tuple[float, int] | None = None
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
            self._task = self._bar.add_task("", total=self.epochs * self.examples, text="compiling")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, epoch: int, done: int, means: dict[str, float]) -> None:
        """``done`` examples of the epoch are through, with these means so far."""
        total = epoch * self.examples + done
        if self._began is None:
            self._began = time.perf_counter(), total
        if self._bar is not None:
            text = self._text(means, total)
            self._bar.update(self._task, completed=total, description=self._name(epoch), text=text)

    def end_epoch(self, epoch: int, means: dict[str, float]) -> None:
        """An epoch is through, with these means."""
        self.advance(epoch, self.examples, means)
        last = epoch + 1 == self.epochs
        if self._bar is None and (last or time.perf_counter() - self._printed >= 1):
            self._printed = time.perf_counter()
            self.note(f"{self._name(epoch)}  {self._text(means, (epoch + 1) * self.examples)}")
        if epoch == 0:
            # By now a last, smaller batch and the evaluation have been compiled, too.
            self._began = time.perf_counter(), self.examples

    def note(self, line: str) -> None:
        """One line of text."""
        if self._bar is not None:
            self._bar.console.print(line, highlight=False)
        elif self.enabled:
            print(line, flush=True)

    def _name(self, epoch: int) -> str:
        return f"epoch {epoch + 1:>{len(str(self.epochs))}}/{self.epochs}"

    def _text(self, means: dict[str, float], total: int) -> str:
        parts = [f"{name} {value:.4g}" for name, value in means.items()]
        began, first = self._began or (0.0, total)
        if total > first:
            rate = (total - first) / (time.perf_counter() - began)
            parts.append(f"{rate:,.0f} examples/s")
            parts.append(f"{(self.epochs * self.examples - total) / rate:.0f} s left")
        return "  ".join(parts)
