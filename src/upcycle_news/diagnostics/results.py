"""What the doctor says: a line for each finding, with its state, its meaning and its cure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """`PROBLEM` makes the exit code 1; `SKIPPED` was not looked at, and the line says why."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Record:
    """A DNS record to publish, exactly."""

    name: str
    type: str
    value: str

    def as_zone_line(self) -> str:
        """The record as zone files have it; a string of a TXT holds 255 characters (RFC 1035)."""
        if self.type != "TXT":
            return f"{self.name}. IN {self.type} {self.value}"
        pieces = [self.value[at : at + 255] for at in range(0, len(self.value), 255)]
        return f"{self.name}. IN TXT " + " ".join(f'"{piece}"' for piece in pieces)


@dataclass(frozen=True)
class Line:
    """One finding of the check `check`; `about` tells several of one check apart.

    No text holds an address of a person or a secret: lines are mailed and kept by Prefect.
    """

    check: str
    state: State
    found: str
    meaning: str = ""
    cure: str = ""
    about: str = ""
    records: tuple[Record, ...] = ()

    @property
    def subject(self) -> str:
        """What this line is about, the same from run to run."""
        return f"{self.check} {self.about}".strip()[:128]  # as long as the store keeps it

    def as_dict(self) -> dict[str, Any]:
        """The line for programs."""
        return {
            "check": self.check,
            "about": self.about,
            "state": str(self.state),
            "found": self.found,
            "meaning": self.meaning,
            "cure": self.cure,
            "records": [
                {"name": one.name, "type": one.type, "value": one.value} for one in self.records
            ],
        }


@dataclass(frozen=True)
class Report:
    """All lines, by group, in the order people read them."""

    groups: tuple[tuple[str, tuple[Line, ...]], ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines, without their groups."""
        return tuple(line for _, lines in self.groups for line in lines)

    @property
    def problems(self) -> tuple[Line, ...]:
        """What is red."""
        return tuple(line for line in self.lines if line.state is State.PROBLEM)

    def count(self, state: State) -> int:
        """How many lines are in `state`."""
        return sum(line.state is state for line in self.lines)

    def summary(self) -> str:
        """The counts as a sentence."""
        named = (
            (State.PROBLEM, "problem", "problems"),
            (State.WARNING, "warning", "warnings"),
            (State.OK, "ok", "ok"),
            (State.SKIPPED, "skipped", "skipped"),
        )
        counts = [(self.count(state), one, many) for state, one, many in named]
        told = (f"{n} {one if n == 1 else many}" for n, one, many in counts if n)
        return ", ".join(told) or "nothing was found wrong"

    def as_dict(self) -> dict[str, Any]:
        """The report for programs; `healthy` is false when something is red."""
        return {
            "healthy": not self.problems,
            "counts": {str(state): self.count(state) for state in State},
            "groups": {name: [line.as_dict() for line in lines] for name, lines in self.groups},
        }


def ok(check: str, found: str, *, meaning: str = "", about: str = "") -> Line:
    """All is well."""
    return Line(check, State.OK, found, meaning, about=about)


def warning(
    check: str,
    found: str,
    *,
    meaning: str,
    cure: str,
    about: str = "",
    records: Iterable[Record] = (),
) -> Line:
    """It works, but should be looked at."""
    return Line(check, State.WARNING, found, meaning, cure, about, tuple(records))


def problem(
    check: str,
    found: str,
    *,
    meaning: str,
    cure: str,
    about: str = "",
    records: Iterable[Record] = (),
) -> Line:
    """It does not work, or harms the readers or the sender."""
    return Line(check, State.PROBLEM, found, meaning, cure, about, tuple(records))


def skipped(check: str, why: str, *, cure: str = "", about: str = "") -> Line:
    """It was not looked at, for this reason."""
    return Line(check, State.SKIPPED, why, cure=cure, about=about)
