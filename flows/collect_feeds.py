"""Ask the feeds for news, so that the next issue finds it."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType

from upcycle_news.app.context import AppContext
from upcycle_news.services import pipeline, run_results


@task
def collect() -> dict[str, Any]:
    """Ask the feeds that are due."""
    with AppContext.open() as context:
        return pipeline.collect(context)


@flow(name="collect-feeds")
def collect_feeds() -> State[Any]:
    """Ask all active feeds that are due; a dead one degrades the run and stops nothing."""
    told = run_results.collected_summary(collect())
    return State(type=StateType[told.kind.upper()], name=told.name, message=told.message)


if __name__ == "__main__":
    collect_feeds()
