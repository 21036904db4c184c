"""Fetch the feeds, so that the next issue has their items."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType

from upcycle_news.app.context import AppContext
from upcycle_news.services import pipeline, run_results


@task
def collect() -> dict[str, Any]:
    """Fetch the feeds that are due."""
    with AppContext.open() as context:
        return pipeline.collect(context)


@flow(name="collect-feeds")
def collect_feeds() -> State[Any]:
    """Fetch all active feeds that are due; a failing one degrades the run and stops nothing."""
    result = run_results.collection_result(collect())
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    collect_feeds()
