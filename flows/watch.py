"""Remind editors of approvals, resolve stale runs, and emit alert events."""

from __future__ import annotations

import os
from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL
from upcycle_news_flows._issue_artifacts import language, write_missing_artifacts

from upcycle_news import open_app
from upcycle_news.api import runs
from upcycle_news.api.runs import ResolvedRuns
from upcycle_news_flows import run_by_hand


@task
def remind() -> int:
    """Tell the editors what they could not be told, and remind them of requests that expire soon."""
    with open_app() as app:
        events = [*app.runs.tell_editors(), *app.runs.send_reminders()]
    for event in events:
        emit_event(**event.as_event())
    return len(events)


@task
def resolve_stale_runs() -> ResolvedRuns:
    """Settle runs whose approval request expired, was decided elsewhere, or that have ended."""
    login = os.environ.get("PREFECT_API_AUTH_STRING", "")
    with open_app() as app:
        return app.runs.resolve_stale_runs(PREFECT_API_URL.value() or "", login)


@task
def emit_alerts() -> list[str]:
    """Emit the new alert events; return their sentences."""
    with open_app() as app:
        events = app.runs.alert_events()
    for event in events:
        emit_event(**event.as_event())
    return [event.message for event in events]


@task
def send_confirmations() -> list[str]:
    """Send the confirmation mails that wait, within the limits; return what became of it."""
    with open_app() as app:
        return app.subscribers.send_confirmations(due_only=True).sentences(app.language)


@task
def deliver_notices() -> list[str]:
    """Tell operators what could not be told before; return what became of it."""
    with open_app() as app:
        report = app.runs.deliver_notices()
    return [runs.notification_result(report).message] if report.delivered or report.waiting else []


@task
def report_closed_issues() -> None:
    """Write the artifacts of issues that a command closed, or for which a run died."""
    with open_app() as app:
        write_missing_artifacts(app)


@flow(name="watch", flow_run_name="watch")
def watch() -> State[Any]:
    """Check for late issues, dead feeds, slow relays and expiring approval requests.

    Confirmation mails that wait are sent before.
    """
    resolved = resolve_stale_runs()
    report_closed_issues()
    confirmations = send_confirmations()
    result = runs.watch_result(
        confirmations=confirmations,
        notices=deliver_notices(),
        reminders=remind(),
        resolved=resolved.count,
        problems=resolved.problems,
        language=language(),
        alerts=emit_alerts(),
    )
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(watch)
