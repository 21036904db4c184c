"""Mail an event's message to the operators, through our own relay (deploy/automations.yaml)."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType
from pydantic import Field

from upcycle_news import open_app
from upcycle_news.api import runs
from upcycle_news_flows import run_by_hand

Event = Annotated[str, Field(description="The event's name, such as upcycle-news.issue.late.")]
Message = Annotated[str, Field(description="What happened, in a sentence.")]


def _relay_is_unreachable(task: Any, run: Any, state: State[Any]) -> bool:
    return runs.is_transient(state.data)


@task(retries=3, retry_delay_seconds=[60, 600, 3600], retry_condition_fn=_relay_is_unreachable)
def write_to_operators(event: str, message: str) -> int:
    """Mail each member of the operators' group; return the number accepted."""
    with open_app() as app:
        return app.runs.notify_operators(event, message)


@flow(name="notify")
def notify(event: Event, message: Message) -> State[Any]:
    """Mail the group `cockpit.operators`."""
    result = runs.notification_result(write_to_operators(event, message))
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(notify)
