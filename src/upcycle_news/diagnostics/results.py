"""Results of the doctor's checks: the finding, its state, its impact, and the fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import FALLBACK, LocalizedText, localized, supported_language


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
class TextPart(LocalizedText):
    """What stands before, or behind, the last `mark` of a text; without the mark, all of it, or nothing."""

    whole: LocalizedText = field(default_factory=lambda: LocalizedText(""))
    mark: LocalizedText = field(default_factory=lambda: LocalizedText(""))
    behind: bool = False

    def in_language(self, language: str) -> str:
        """Return the part of the text in `language`."""
        text = self.whole.in_language(language)
        before, mark, behind = text.rpartition(self.mark.in_language(language))
        part = (behind if mark else "") if self.behind else (before if mark else text)
        return part if supported_language(language) == FALLBACK else part[:1].upper() + part[1:]


@dataclass(frozen=True)
class ErrorText(LocalizedText):
    """An error as a text, with its place."""

    error: UpcycleError = field(default_factory=UpcycleError)

    def in_language(self, language: str) -> str:
        """Return what the error says in `language`."""
        return self.error.in_language(language)


def text_of(error: UpcycleError) -> LocalizedText:
    """Return an error as a text, with its place."""
    return ErrorText("", (), error)


def split_cure(
    text: LocalizedText, mark: LocalizedText
) -> tuple[LocalizedText, LocalizedText | None]:
    """Return what an error says, and the cure behind its last `mark`; None when it names none."""
    if str(mark) not in str(text):
        return text, None
    return TextPart("", (), text, mark), TextPart("", (), text, mark, behind=True)


@dataclass(frozen=True)
class CheckResult:
    """One result of the check `check`; `about` tells several results of one check apart.

    No text holds a subscriber's address or a secret: results are mailed and stored by Prefect.
    The JSON keys of `finding`, `impact` and `fix` are `found`, `meaning` and `cure`, in English.
    """

    check: str
    state: State
    finding: LocalizedText
    impact: LocalizedText | None = None
    fix: LocalizedText | None = None
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
            "found": str(self.finding),
            "meaning": str(self.impact or ""),
            "cure": str(self.fix or ""),
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

    def summary(self) -> LocalizedText:
        """Return the counts as a sentence, such as "1 problem, 12 ok"."""
        counts = {state: self.count(state) for state in State}
        texts = {
            State.PROBLEM: localized("doctor-problems", count=counts[State.PROBLEM]),
            State.WARNING: localized("doctor-warnings", count=counts[State.WARNING]),
            State.OK: localized("doctor-fine", number=counts[State.OK]),
            State.SKIPPED: localized("doctor-skipped", number=counts[State.SKIPPED]),
        }
        parts = tuple(text for state, text in texts.items() if counts[state])
        return localized("doctor-summary", parts=parts) if parts else localized("doctor-nothing")

    def as_dict(self) -> dict[str, Any]:
        """Return the report as `doctor --json` prints it; `healthy` is false with any problem."""
        return {
            "healthy": not self.problems,
            "counts": {str(state): self.count(state) for state in State},
            "groups": {
                name: [result.as_dict() for result in results] for name, results in self.groups
            },
        }


def ok(
    check: str, finding: LocalizedText, *, impact: LocalizedText | None = None, about: str = ""
) -> CheckResult:
    """Return a result in state `OK`."""
    return CheckResult(check, State.OK, finding, impact, about=about)


def warning(
    check: str,
    finding: LocalizedText,
    *,
    impact: LocalizedText,
    fix: LocalizedText | None,
    about: str = "",
    records: Iterable[Record] = (),
) -> CheckResult:
    """Return a result in state `WARNING`: it works, but should be looked at."""
    return CheckResult(check, State.WARNING, finding, impact, fix, about, tuple(records))


def problem(
    check: str,
    finding: LocalizedText,
    *,
    impact: LocalizedText,
    fix: LocalizedText | None,
    about: str = "",
    records: Iterable[Record] = (),
) -> CheckResult:
    """Return a result in state `PROBLEM`: it does not work, or harms subscribers or the sender."""
    return CheckResult(check, State.PROBLEM, finding, impact, fix, about, tuple(records))


def skipped(
    check: str, reason: LocalizedText, *, fix: LocalizedText | None = None, about: str = ""
) -> CheckResult:
    """Return a result in state `SKIPPED` with the reason."""
    return CheckResult(check, State.SKIPPED, reason, fix=fix, about=about)
