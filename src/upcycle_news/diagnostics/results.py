"""Results of the doctor's checks: the finding, its state, its impact, and the fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """State of a check. `PROBLEM` makes the exit code 1; a `SKIPPED` check says why it did not run."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Record:
    """A DNS record, exactly as it has to be published."""

    name: str
    type: str
    value: str

    def as_zone_line(self) -> str:
        """Return the record in zone file syntax; a string of a TXT holds 255 characters (RFC 1035)."""
        if self.type != "TXT":
            return f"{self.name}. IN {self.type} {self.value}"
        pieces = [self.value[at : at + 255] for at in range(0, len(self.value), 255)]
        return f"{self.name}. IN TXT " + " ".join(f'"{piece}"' for piece in pieces)


@dataclass(frozen=True)
class CheckResult:
    """One result of the check `check`; `about` tells several results of one check apart.

    No text holds a subscriber's address or a secret: results are mailed and stored by Prefect.
    The JSON keys of `finding`, `impact` and `fix` are `found`, `meaning` and `cure`.
    """

    check: str
    state: State
    finding: str
    impact: str = ""
    fix: str = ""
    about: str = ""
    records: tuple[Record, ...] = ()

    @property
    def subject(self) -> str:
        """Return the identity of the result, the same from run to run."""
        return f"{self.check} {self.about}".strip()[:128]  # as long as the store keeps it

    def as_dict(self) -> dict[str, Any]:
        """Return the result as it stands in the JSON report."""
        return {
            "check": self.check,
            "about": self.about,
            "state": str(self.state),
            "found": self.finding,
            "meaning": self.impact,
            "cure": self.fix,
            "records": [
                {"name": record.name, "type": record.type, "value": record.value}
                for record in self.records
            ],
        }


@dataclass(frozen=True)
class Report:
    """All results by group, in the order in which they are shown."""

    groups: tuple[tuple[str, tuple[CheckResult, ...]], ...]

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """Return all results without their groups."""
        return tuple(result for _, results in self.groups for result in results)

    @property
    def problems(self) -> tuple[CheckResult, ...]:
        """Return the results in state `PROBLEM`."""
        return tuple(result for result in self.results if result.state is State.PROBLEM)

    def count(self, state: State) -> int:
        """Return the number of results in `state`."""
        return sum(result.state is state for result in self.results)

    def summary(self) -> str:
        """Return the counts as a sentence, such as "1 problem, 12 ok"."""
        names = (
            (State.PROBLEM, "problem", "problems"),
            (State.WARNING, "warning", "warnings"),
            (State.OK, "ok", "ok"),
            (State.SKIPPED, "skipped", "skipped"),
        )
        counts = [(self.count(state), singular, plural) for state, singular, plural in names]
        parts = (f"{n} {singular if n == 1 else plural}" for n, singular, plural in counts if n)
        return ", ".join(parts) or "nothing was found wrong"

    def as_dict(self) -> dict[str, Any]:
        """Return the report as `doctor --json` prints it; `healthy` is false with any problem."""
        return {
            "healthy": not self.problems,
            "counts": {str(state): self.count(state) for state in State},
            "groups": {
                name: [result.as_dict() for result in results] for name, results in self.groups
            },
        }


def ok(check: str, finding: str, *, impact: str = "", about: str = "") -> CheckResult:
    """Return a result in state `OK`."""
    return CheckResult(check, State.OK, finding, impact, about=about)


def warning(
    check: str,
    finding: str,
    *,
    impact: str,
    fix: str,
    about: str = "",
    records: Iterable[Record] = (),
) -> CheckResult:
    """Return a result in state `WARNING`: it works, but should be looked at."""
    return CheckResult(check, State.WARNING, finding, impact, fix, about, tuple(records))


def problem(
    check: str,
    finding: str,
    *,
    impact: str,
    fix: str,
    about: str = "",
    records: Iterable[Record] = (),
) -> CheckResult:
    """Return a result in state `PROBLEM`: it does not work, or harms subscribers or the sender."""
    return CheckResult(check, State.PROBLEM, finding, impact, fix, about, tuple(records))


def skipped(check: str, reason: str, *, fix: str = "", about: str = "") -> CheckResult:
    """Return a result in state `SKIPPED` with the reason."""
    return CheckResult(check, State.SKIPPED, reason, fix=fix, about=about)
