"""Collect the posts of the organisation's own sites as drafts of essays."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType
from upcycle_news_flows._issue_artifacts import language

from upcycle_news import open_app
from upcycle_news.api.essays import EssayRunReport, essays_result
from upcycle_news_flows import failing_with_a_sentence, run_by_hand


@task
def collect() -> EssayRunReport | None:
    """Collect all active sources; return what became of new and changed posts."""
    with open_app() as app:
        return app.essays.collect_if_configured()


@flow(name="collect-essays", flow_run_name="collect-essays", timeout_seconds=1800)
@failing_with_a_sentence
def collect_essays() -> State[Any]:
    """Turn new posts into drafts, each once; what waits for a person degrades the run."""
    result = essays_result(collect(), language())
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(collect_essays)
