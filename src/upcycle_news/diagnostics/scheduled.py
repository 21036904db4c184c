"""The checkup: what turned red since the last one, told once; green again resets it."""

from __future__ import annotations

from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.diagnostics.formatting import markdown
from upcycle_news.diagnostics.results import Line, Report, State
from upcycle_news.diagnostics.runner import examine
from upcycle_news.models.runs import RunResult
from upcycle_news.observability.redaction import redact
from upcycle_news.services.monitoring.alerts import Event
from upcycle_news.storage import coordination

RED = "upcycle-news.doctor.red"


@dataclass(frozen=True)
class Checkup:
    """How the run ends, the table for Prefect's pages, and the event, if something turned red."""

    told: RunResult
    table: str
    event: Event | None


def check_up(context: AppContext) -> Checkup:
    """Examine everything, and note what is red now. No text of it holds an address."""
    report = examine(context)
    return Checkup(told(report), redact(markdown(report)), _event(turned_red(context, report)))


def told(report: Report) -> RunResult:
    """The state of the run."""
    summary = report.summary()
    if not report.problems:
        return RunResult("completed", "Completed", summary)
    worst = "; ".join(redact(line.found) for line in report.problems[:3])
    return RunResult("completed", "Degraded", f"{summary}: {worst}")


def turned_red(context: AppContext, report: Report) -> tuple[Line, ...]:
    """The problems that were not told yet; what is not red any more may be told again.

    A store that is itself red remembers nothing: then every problem is told, at every checkup.
    """
    problems = report.problems
    if any(line.check in ("store", "store-version", "store-check") for line in problems):
        return problems
    # One check may find several things wrong with the same subject: that is one alarm.
    red = {line.subject for line in problems}
    unseen = {line.check for line in report.lines if line.state is State.SKIPPED}
    for subject in coordination.ringing(context.store, RED):
        if subject not in red and subject.partition(" ")[0] not in unseen:
            coordination.silence(context.store, RED, subject)
    now = context.clock()
    new = {
        subject
        for subject in sorted(red)
        if coordination.ring(context.store, RED, subject, now=now)
    }
    return tuple(line for line in problems if line.subject in new)


def _event(lines: tuple[Line, ...]) -> Event | None:
    if not lines:
        return None
    one = len(lines) == 1
    sentences = [f"{line.found}. It means: {line.meaning}. Cure: {line.cure}." for line in lines]
    message = "\n\n".join([f"{len(lines)} {'thing' if one else 'things'} turned red.", *sentences])
    return Event(RED, "doctor", redact(message), {"checks": [line.check for line in lines]})
