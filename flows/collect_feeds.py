"""Fetch the feeds, so that the next issue has their items."""

from __future__ import annotations

import os
from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType
from prefect.settings import PREFECT_API_URL
from upcycle_news_flows._issue_artifacts import language

from upcycle_news import open_app
from upcycle_news.api import runs
from upcycle_news.api.runs import FeedRunReport
from upcycle_news_flows import failing_with_a_sentence, run_by_hand


@task
def collect() -> FeedRunReport:
    """Fetch the feeds that are due."""
    with open_app() as app:
        return app.runs.collect()


@task
def renew_forms() -> int:
    """Suggest the present topics, groups and essays in Prefect's forms; return how many changed."""
    login = os.environ.get("PREFECT_API_AUTH_STRING", "")
    with open_app() as app:
        return app.runs.renew_forms(PREFECT_API_URL.value() or "", login)


@flow(name="collect-feeds", flow_run_name="collect-feeds", timeout_seconds=1800)
@failing_with_a_sentence
def collect_feeds() -> State[Any]:
    """Fetch all active feeds that are due; a failing one degrades the run and stops nothing."""
    result = runs.collection_result(collect(), language())
    renew_forms()
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(collect_feeds)
