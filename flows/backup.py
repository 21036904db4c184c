"""Back up the store and the secrets every night; a run that fails rings the alarm of failed runs."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType

from upcycle_news.app.context import AppContext
from upcycle_news.models.runs import RunResult
from upcycle_news.services.backup import create


@task
def write_backup() -> RunResult:
    """One file in the folder of backups; the oldest ones are deleted."""
    with AppContext.open() as context:
        return create.told(create.make_backup(context))


@flow(name="backup")
def backup() -> State[Any]:
    """Copy the store as of now, while everything goes on."""
    told = write_backup()
    return State(type=StateType[told.kind.upper()], name=told.name, message=told.message)


if __name__ == "__main__":
    backup()
