"""Deliver what was approved, deferred or interrupted; safe to run at any time."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State, StateType
from prefect.events import emit_event
from pydantic import Field

from upcycle_news.app.context import AppContext
from upcycle_news.models.runs import RunResult
from upcycle_news.services import pipeline, run_results
from upcycle_news.services.monitoring import alerts

MaxLateness = Annotated[
    float,
    Field(description="An approval older than so many hours is left to people; 0: never."),
]


@task
def find_pending(max_lateness_hours: float) -> list[str]:
    """Return the issues that are approved and due, or that have deliveries left."""
    with AppContext.open() as context:
        return pipeline.pending_issues(context, max_lateness_hours=max_lateness_hours)


@task
def find_send_hold() -> RunResult | None:
    """Return the result of the run if the store has a send hold (after a restore)."""
    with AppContext.open() as context:
        return pipeline.send_hold_result(context)


@task
def deliver(issue: str) -> dict[str, Any]:
    """Deliver what is queued or due; return the counts, and why it waits for the relay."""
    with AppContext.open() as context:
        return pipeline.resume_delivery(context, issue)


@task
def report(issues: list[str]) -> None:
    """Renew the reports of these issues, and emit new alert events."""
    with AppContext.open() as context:
        for issue in issues:
            create_markdown_artifact(
                pipeline.issue_report(context, issue, {}), key=f"issue-{issue}-report"
            )
        for event in alerts.new_events(context):
            emit_event(**event.as_event())


@flow(name="deliver-pending")
def deliver_pending(max_lateness_hours: MaxLateness = 24.0) -> State[Any]:
    """Deliver what is left of every issue that may be sent."""
    issues = find_pending(max_lateness_hours)
    statuses = [deliver(issue) for issue in issues]
    if issues:
        report(issues)
    result = run_results.delivery_result(statuses, find_send_hold())
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    deliver_pending()
