"""Run the doctor every day: a table as an artifact, and an event when a check turns red."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State, StateType
from prefect.events import emit_event

from upcycle_news import open_app
from upcycle_news.models.runs import RunResult
from upcycle_news_flows import failing_with_a_sentence, run_by_hand


@task
def run_checks() -> RunResult:
    """Run all checks; the table is stored in the artifact `doctor`."""
    with open_app() as app:
        report = app.doctor.check_up()
    create_markdown_artifact(report.table, key="doctor", description="what the doctor found")
    if report.event is not None:
        emit_event(**report.event.as_event())
    return report.result


@flow(name="checkup", flow_run_name="checkup", timeout_seconds=1800)
@failing_with_a_sentence
def checkup() -> State[Any]:
    """Relay, DNS, the way out, store, disk, Prefect, feeds: as `upcycle-news doctor` sees them."""
    result = run_checks()
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(checkup)
