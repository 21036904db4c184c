"""Deliver what was approved, deferred or interrupted; safe to run at any time."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType
from prefect.events import emit_event
from upcycle_news_flows._issue_artifacts import language, write_artifacts, write_missing_artifacts

from upcycle_news import open_app
from upcycle_news.api import runs
from upcycle_news.api.runs import PendingIssues, ResumedDelivery
from upcycle_news.models.runs import RunResult
from upcycle_news_flows import failing_with_a_sentence, run_by_hand


@task
def find_pending(max_lateness_hours: float) -> PendingIssues:
    """Return the issues that are approved and due, or that have deliveries left."""
    with open_app() as app:
        return app.runs.find_pending(max_lateness_hours=max_lateness_hours)


@task
def find_halted(max_lateness_hours: float) -> tuple[str, ...]:
    """Return a sentence for each issue that waits for a person."""
    with open_app() as app:
        return app.runs.halted(max_lateness_hours=max_lateness_hours)


@task
def find_waiting() -> tuple[str, ...]:
    """Return a sentence for each issue that waits for its day or hour."""
    with open_app() as app:
        return app.runs.waiting()


@task
def find_send_hold() -> RunResult | None:
    """Return the result of the run if the store has a send hold (after a restore)."""
    with open_app() as app:
        return app.runs.send_hold()


@task
def deliver(issue: str) -> ResumedDelivery:
    """Deliver what is queued or due; return the counts, and why it waits for the relay."""
    with open_app() as app:
        return app.runs.resume_delivery(issue)


@task
def report(issues: list[str]) -> None:
    """Renew the artifacts of these issues, and emit new alert events."""
    with open_app() as app:
        for issue in issues:
            write_artifacts(app, issue)
        write_missing_artifacts(app)
        for event in app.runs.alert_events():
            emit_event(**event.as_event())


@task
def send_welcome() -> None:
    """Send the steps of the welcome that are due."""
    with open_app() as app:
        if app.runs.send_hold() is None:
            app.welcome.send_due()


@flow(name="deliver-pending", flow_run_name="deliver-pending", timeout_seconds=48 * 3600)
@failing_with_a_sentence
def deliver_pending(max_lateness_hours: float = 24.0) -> State[Any]:
    """Deliver what is left of every issue that may be sent.

    Args:
        max_lateness_hours: An approval older than so many hours is left to people; 0: it is never too old.

    """
    pending = find_pending(max_lateness_hours)
    delivered = [deliver(issue) for issue in pending.issues]
    if delivered:
        report(pending.issues)
    send_welcome()
    halted = [*pending.refused, *find_halted(max_lateness_hours)]
    result = runs.delivery_result(
        delivered, find_send_hold(), halted, language(), waiting=find_waiting()
    )
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(deliver_pending)
