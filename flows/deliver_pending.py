"""Go on with what was approved, deferred or interrupted; harmless at any time."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from upcycle_news.newsroom import Newsroom
from upcycle_news.steps import publishing


@task
def find_pending() -> list[str]:
    """The issues that are approved and due, or that have deliveries left."""
    with Newsroom.open() as room:
        return publishing.pending(room)


@task
def deliver(issue: str) -> dict[str, Any]:
    """Deliver what is queued or due; the closing sum."""
    with Newsroom.open() as room:
        return publishing.deliver(room, issue)


@flow(name="deliver-pending")
def deliver_pending() -> State[Any]:
    """Deliver what is left of every issue that may go out."""
    issues = find_pending()
    if not issues:
        return Completed(name="NothingPending", message="no issue has deliveries left")
    sums = [deliver(issue) for issue in issues]
    return Completed(message="; ".join(publishing.summary(told, {}).message for told in sums))


if __name__ == "__main__":
    deliver_pending()
