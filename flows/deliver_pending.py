"""Go on with what was approved, deferred or interrupted; harmless at any time."""

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
    """The issues that are approved and due, or that have deliveries left."""
    with AppContext.open() as context:
        return pipeline.pending(context, max_lateness_hours=max_lateness_hours)


@task
def why_paused() -> RunResult | None:
    """Why nothing goes out at all, after a restore."""
    with AppContext.open() as context:
        return pipeline.standstill(context)


@task
def deliver(issue: str) -> dict[str, Any]:
    """Deliver what is queued or due; the closing sum, and why it waits if the relay is away."""
    with AppContext.open() as context:
        return pipeline.go_on(context, issue)


@task
def report(issues: list[str]) -> None:
    """Renew the reports of these issues, and raise what is news."""
    with AppContext.open() as context:
        for issue in issues:
            create_markdown_artifact(
                pipeline.report(context, issue, {}), key=f"issue-{issue}-report"
            )
        for event in alerts.news(context):
            emit_event(**event.as_event())


@flow(name="deliver-pending")
def deliver_pending(max_lateness_hours: MaxLateness = 24.0) -> State[Any]:
    """Deliver what is left of every issue that may go out."""
    issues = find_pending(max_lateness_hours)
    sums = [deliver(issue) for issue in issues]
    if issues:
        report(issues)
    told = run_results.delivered_summary(sums, why_paused())
    return State(type=StateType[told.kind.upper()], name=told.name, message=told.message)


if __name__ == "__main__":
    deliver_pending()
