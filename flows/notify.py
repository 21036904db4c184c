"""Tell the operators an event's message: by mail and by the webhook (deploy/automations.yaml)."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType
from pydantic import Field

from upcycle_news import open_app
from upcycle_news.api import runs
from upcycle_news.api.runs import NoticeReport
from upcycle_news_flows import run_by_hand

Event = Annotated[str, Field(description="The event's name, such as upcycle-news.issue.late.")]
Message = Annotated[str, Field(description="What happened, in a sentence.")]


@task
def write_to_operators(event: str, message: str) -> NoticeReport:
    """Mail the operators' group and post to the webhook; what is not taken now, watch tries again."""
    with open_app() as app:
        return app.runs.notify_operators(event, message)


@flow(name="notify")
def notify(event: Event, message: Message) -> State[Any]:
    """Tell the group `cockpit.operators`, and the webhook."""
    result = runs.notification_result(write_to_operators(event, message))
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(notify)
