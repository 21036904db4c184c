"""A further sender: delivers an issue together with the run of publish-issue that started it."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType
from upcycle_news_flows._issue_artifacts import language, write_artifacts

from upcycle_news import open_app
from upcycle_news.api import runs
from upcycle_news.api.runs import ResumedDelivery
from upcycle_news_flows import failing_with_a_sentence, run_by_hand


@task
def deliver(issue: str) -> ResumedDelivery:
    """Deliver what is queued or due; return the delivery counts."""
    with open_app() as app:
        return app.runs.resume_delivery(issue)


@task
def report(issue: str) -> None:
    """Renew the issue's artifacts: the run that started this one may have died."""
    with open_app() as app:
        write_artifacts(app, issue)


@flow(name="deliver-issue", flow_run_name="deliver-{issue}", timeout_seconds=48 * 3600)
@failing_with_a_sentence
def deliver_issue(issue: str) -> State[Any]:
    """Deliver an issue whose deliveries have begun; several runs of this share the work.

    Args:
        issue: The issue, such as 2026-11-26; its deliveries have begun.

    """
    result = runs.delivery_result([deliver(issue)], language=language())
    report(issue)
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(deliver_issue)
