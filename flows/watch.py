"""Remind editors of approvals, resolve stale runs, and emit alert events."""

from __future__ import annotations

import os
from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from upcycle_news.app.context import AppContext
from upcycle_news.prefect_api.client import PrefectClient
from upcycle_news.services.monitoring import alerts, notifications


@task
def remind() -> int:
    """Remind the editors of approval requests that expire soon, by mail and by an event."""
    with AppContext.open() as context:
        events = notifications.send_reminders(context)
    for event in events:
        emit_event(**event.as_event())
    return len(events)


@task
def resolve_stale_runs() -> int:
    """Cancel runs whose approval request expired; resume those that were decided elsewhere."""
    client = PrefectClient(
        PREFECT_API_URL.value() or "", os.environ.get("PREFECT_API_AUTH_STRING", "")
    )
    with AppContext.open() as context:
        stale_runs = alerts.find_stale_runs(context)
        for stale in stale_runs:
            client.resolve_stale_run(stale)
            alerts.mark_resolved(context, stale)
    return len(stale_runs)


@task
def emit_alerts() -> list[str]:
    """Emit the new alert events; return their sentences."""
    with AppContext.open() as context:
        events = alerts.new_events(context)
    for event in events:
        emit_event(**event.as_event())
    return [event.message for event in events]


@flow(name="watch")
def watch() -> State[Any]:
    """Check for late issues, dead feeds, slow relays and expiring approval requests."""
    result = alerts.watch_result(
        reminders=remind(), resolved=resolve_stale_runs(), alerts=emit_alerts()
    )
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    watch()
