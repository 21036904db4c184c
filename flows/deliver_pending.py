"""Go on with what was approved, deferred or interrupted; harmless at any time."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State, StateType
from prefect.events import emit_event
from pydantic import Field

from upcycle_news.newsroom import Newsroom
from upcycle_news.steps import publishing, starting, summaries, watching
from upcycle_news.steps.told import Told

MaxLateness = Annotated[
    float,
    Field(description="An approval older than so many hours is left to people; 0: never."),
]


@task
def find_pending(max_lateness_hours: float) -> list[str]:
    """The issues that are approved and due, or that have deliveries left."""
    with Newsroom.open() as room:
        return publishing.pending(room, max_lateness_hours=max_lateness_hours)


@task
def why_paused() -> Told | None:
    """Why nothing goes out at all, after a restore."""
    with Newsroom.open() as room:
        return starting.standstill(room)


@task
def deliver(issue: str) -> dict[str, Any]:
    """Deliver what is queued or due; the closing sum, and why it waits if the relay is away."""
    with Newsroom.open() as room:
        return publishing.go_on(room, issue)


@task
def report(issues: list[str]) -> None:
    """Renew the reports of these issues, and raise what is news."""
    with Newsroom.open() as room:
        for issue in issues:
            create_markdown_artifact(
                publishing.report(room, issue, {}), key=f"issue-{issue}-report"
            )
        for event in watching.news(room):
            emit_event(**event.as_event())


@flow(name="deliver-pending")
def deliver_pending(max_lateness_hours: MaxLateness = 24.0) -> State[Any]:
    """Deliver what is left of every issue that may go out."""
    issues = find_pending(max_lateness_hours)
    sums = [deliver(issue) for issue in issues]
    if issues:
        report(issues)
    told = summaries.delivered_summary(sums, why_paused())
    return State(type=StateType[told.kind.upper()], name=told.name, message=told.message)


if __name__ == "__main__":
    deliver_pending()
