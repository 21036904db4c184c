"""Read what came back: bounces and complaints clean the list, people's mail stays where it is."""

from __future__ import annotations

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from upcycle_news.app.context import AppContext
from upcycle_news.services import run_results


@task
def collect() -> dict[str, int]:
    """Handle everything in the inbox; counts only."""
    with AppContext.open() as context:
        return run_results.collect_bounces(context)


@task
def health() -> list[str]:
    """The alarms of the newest issues."""
    with AppContext.open() as context:
        return run_results.alarms(context)


@flow(name="collect-bounces")
def collect_bounces() -> State[dict[str, int]]:
    """Clean the list; an alarm degrades the run."""
    told = run_results.bounce_summary(collect(), health())
    return Completed(name=told.name, message=told.message)


if __name__ == "__main__":
    collect_bounces()
