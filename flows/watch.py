"""Look after everything: reminders, runs that wait in vain, and what rings an alarm."""

from __future__ import annotations

import os
from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from upcycle_news.app.context import AppContext
from upcycle_news.prefect_api.client import Cockpit
from upcycle_news.services.monitoring import alerts, notifications


@task
def remind() -> int:
    """Remind the editors of approvals that end soon, by mail and by an event."""
    with AppContext.open() as context:
        events = notifications.remind(context)
    for event in events:
        emit_event(**event.as_event())
    return len(events)


@task
def settle() -> int:
    """End runs nobody answered in time; let those go on that were decided elsewhere."""
    cockpit = Cockpit(PREFECT_API_URL.value() or "", os.environ.get("PREFECT_API_AUTH_STRING", ""))
    with AppContext.open() as context:
        waiting = alerts.in_vain(context)
        for one in waiting:
            cockpit.settle(one)
            alerts.settled(context, one)
    return len(waiting)


@task
def alarm() -> list[str]:
    """Raise what happened to issues and feeds; the sentences."""
    with AppContext.open() as context:
        events = alerts.news(context)
    for event in events:
        emit_event(**event.as_event())
    return [event.message for event in events]


@flow(name="watch")
def watch() -> State[Any]:
    """See whether the planned issue went out, a feed is dead, a relay is slow, a question ends."""
    told = alerts.summary(reminded=remind(), settled=settle(), alarms=alarm())
    return State(type=StateType[told.kind.upper()], name=told.name, message=told.message)


if __name__ == "__main__":
    watch()
