"""The scheduled checkup: raise one event for new problems; a check that is green again is reset."""

from __future__ import annotations

from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.diagnostics.formatting import markdown
from upcycle_news.diagnostics.results import CheckResult, Report, State
from upcycle_news.diagnostics.runner import run_checks
from upcycle_news.i18n.messages import localized
from upcycle_news.models.runs import RunResult
from upcycle_news.observability.redaction import redact
from upcycle_news.services.monitoring.alerts import Event
from upcycle_news.storage import alerts

RED_EVENT = "upcycle-news.doctor.red"


@dataclass(frozen=True)
class Checkup:
    """The run's result, the Markdown table for Prefect's pages, and the event for new problems."""

    result: RunResult
    table: str
    event: Event | None


def check_up(context: AppContext) -> Checkup:
    """Run all checks and record which are red now. No text of the result holds an address."""
    report = run_checks(context)
    language = context.language
    return Checkup(
        run_result(report, language),
        redact(markdown(report, language)),
        _event(new_problems(context, report), language),
    )


def run_result(report: Report, language: str = "en") -> RunResult:
    """Return the run's result: "Degraded" with the first three problems, if there are any."""
    summary = report.summary().in_language(language)
    if not report.problems:
        return RunResult("completed", "Completed", summary)
    worst = "; ".join(
        redact(result.finding.in_language(language)) for result in report.problems[:3]
    )
    return RunResult("completed", "Degraded", f"{summary}: {worst}")


def new_problems(context: AppContext, report: Report) -> tuple[CheckResult, ...]:
    """Return the problems that were not reported yet, and forget those that are gone.

    A damaged store cannot record what was reported: then every checkup reports every problem.
    """
    problems = report.problems
    if any(result.check in ("store", "store-version", "store-check") for result in problems):
        return problems
    # One check may have several findings about the same subject: that is one alert.
    red = {result.subject for result in problems}
    skipped = {result.check for result in report.results if result.state is State.SKIPPED}
    for subject in alerts.open_alerts(context.store, RED_EVENT):
        if subject not in red and subject.partition(" ")[0] not in skipped:
            alerts.clear_alert(context.store, RED_EVENT, subject)
    now = context.clock()
    new = {
        subject
        for subject in sorted(red)
        if alerts.alert_once(context.store, RED_EVENT, subject, now=now)
    }
    return tuple(result for result in problems if result.subject in new)


def _event(problems: tuple[CheckResult, ...], language: str) -> Event | None:
    if not problems:
        return None
    texts = [localized("alarm-found", count=len(problems))]
    texts += [
        localized("alarm-finding", found=found.finding, means=found.impact, cure=found.fix)
        if found.fix
        else localized("alarm-finding-alone", found=found.finding, means=found.impact)
        for found in problems
    ]
    message = "\n\n".join(text.in_language(language) for text in texts)
    return Event(
        RED_EVENT, "doctor", redact(message), {"checks": [result.check for result in problems]}
    )
