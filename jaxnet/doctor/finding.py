"""What a diagnosis says: findings, each with its number and a remedy, and all measurements."""

import dataclasses
import textwrap
from collections.abc import Mapping
from typing import Literal

# What a check returns: what it measured, and what is wrong, if anything.
type Check = tuple[Mapping[str, float], Finding | None]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong: its name, the number that shows it, in words, and what to try.

    A "fault" keeps the model from learning, or makes its results worthless; a "warning" may.
    """

    name: str
    severity: Literal["fault", "warning"]
    measured: float
    says: str
    advice: str

    def __str__(self) -> str:
        text = textwrap.fill(self.says, 88, initial_indent="   ", subsequent_indent="   ")
        fix = textwrap.fill(
            f"Try: {self.advice}", 88, initial_indent="   ", subsequent_indent="        "
        )
        return f"{self.severity.upper()}: {self.name}\n{text}\n{fix}"


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """All findings, the most serious first, and everything that was measured, by name.

    >>> print(Diagnosis((), {"data: examples": 100.0}))
    Nothing wrong was found.
    <BLANKLINE>
    Measured:
      data: examples  100
    """

    findings: tuple[Finding, ...]
    measured: Mapping[str, float]

    @property
    def faults(self) -> tuple[str, ...]:
        """The names of the findings that are faults."""
        return tuple(finding.name for finding in self.findings if finding.severity == "fault")

    def __str__(self) -> str:
        parts = [str(finding) for finding in self.findings] or ["Nothing wrong was found."]
        if len(self.findings) > 1:
            parts.append(
                "One fault may cause the next: mend the first, then ask for a new diagnosis."
            )
        width = max(map(len, self.measured), default=0)
        lines = [f"  {name:{width}}  {value:.4g}" for name, value in self.measured.items()]
        return "\n\n".join([*parts, "\n".join(["Measured:", *lines])])


class Report:
    """Gathers what checks return."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.measured: dict[str, float] = {}

    def note(self, measured: Mapping[str, float]) -> None:
        """Keep measurements."""
        self.measured.update(measured)

    def add(self, check: Check) -> None:
        """Keep measurements and a finding, if there is one."""
        measured, finding = check
        self.note(measured)
        if finding:
            self.findings.append(finding)

    def first(self, *checks: Check) -> bool:
        """Keep all measurements, but the first finding only: it may be the cause of the others.

        Returns whether there was none.
        """
        for measured, _ in checks:
            self.note(measured)
        found = [finding for _, finding in checks if finding]
        self.findings += found[:1]
        return not found

    def diagnosis(self) -> Diagnosis:
        """What was gathered, faults before warnings."""
        ranked = sorted(self.findings, key=lambda finding: finding.severity != "fault")
        return Diagnosis(tuple(ranked), self.measured)
