"""Process the bounce inbox: bounces and complaints clean the list, other mail stays untouched."""

from __future__ import annotations

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from upcycle_news.app.context import AppContext
from upcycle_news.services import run_results


@task
def collect() -> dict[str, int]:
    """Process the inbox; return counts."""
    with AppContext.open() as context:
        return run_results.process_bounces(context)


@task
def health() -> list[str]:
    """Return the alerts of the newest issues."""
    with AppContext.open() as context:
        return run_results.bounce_alerts(context)


@flow(name="collect-bounces")
def collect_bounces() -> State[dict[str, int]]:
    """Clean the list; an alert degrades the run."""
    result = run_results.bounce_result(collect(), health())
    return Completed(name=result.name, message=result.message)


if __name__ == "__main__":
    collect_bounces()
