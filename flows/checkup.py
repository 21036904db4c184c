"""Look every day for what is wrong; an event when something turns red, and a table to read."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State, StateType
from prefect.events import emit_event

from upcycle_news.app.context import AppContext
from upcycle_news.diagnostics.scheduled import check_up
from upcycle_news.models.runs import RunResult


@task
def run_checks() -> RunResult:
    """Make all rounds; the table stands in the artifact `doctor`."""
    with AppContext.open() as context:
        found = check_up(context)
    create_markdown_artifact(found.table, key="doctor", description="what the doctor found")
    if found.event is not None:
        emit_event(**found.event.as_event())
    return found.told


@flow(name="checkup")
def checkup() -> State[Any]:
    """Relay, DNS, the way out, store, disk, Prefect, feeds: as `upcycle-news doctor` sees them."""
    told = run_checks()
    return State(type=StateType[told.kind.upper()], name=told.name, message=told.message)


if __name__ == "__main__":
    checkup()
