"""Tell the operators by mail, through our own relay, what an event says (deploy/automations.yaml)."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType
from pydantic import Field

from upcycle_news.app.context import AppContext
from upcycle_news.services import pipeline
from upcycle_news.services.monitoring import notifications

Event = Annotated[str, Field(description="The event's name, such as upcycle-news.issue.late.")]
Message = Annotated[str, Field(description="What happened, in a sentence.")]


def _relay_is_away(task: Any, run: Any, state: State[Any]) -> bool:
    return pipeline.passes_by(state.data)


@task(retries=3, retry_delay_seconds=[60, 600, 3600], retry_condition_fn=_relay_is_away)
def write_to_operators(event: str, message: str) -> int:
    """A letter to each member of the operators' group; how many."""
    with AppContext.open() as context:
        return notifications.send_notice(
            context, context.settings.cockpit.operators, event, message
        )


@flow(name="notify")
def notify(event: Event, message: Message) -> State[Any]:
    """Write to the group `cockpit.operators`."""
    told = notifications.told(write_to_operators(event, message))
    return State(type=StateType[told.kind.upper()], name=told.name, message=told.message)
