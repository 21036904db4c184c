"""Back up the store and the secrets every night; a failed run raises the alert of failed runs."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType

from upcycle_news import open_app
from upcycle_news.models.runs import RunResult
from upcycle_news_flows import failing_with_a_sentence, run_by_hand


@task
def write_backup() -> RunResult:
    """Create a backup in the configured folder and delete the oldest ones."""
    with open_app() as app:
        return app.backups.create().result(app.language)


@flow(name="backup", flow_run_name="backup", timeout_seconds=6 * 3600)
@failing_with_a_sentence
def backup() -> State[Any]:
    """Back up a consistent snapshot of the store without interrupting anything."""
    result = write_backup()
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(backup)
