"""Process the bounce inbox: bounces and complaints clean the list, other mail stays untouched."""

from __future__ import annotations

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.states import Completed
from upcycle_news_flows._issue_artifacts import language

from upcycle_news import open_app
from upcycle_news.api.bounces import Collected, collection_result
from upcycle_news_flows import failing_with_a_sentence, run_by_hand


@task
def collect() -> Collected | None:
    """Process the inbox; return counts, none where no inbox is configured."""
    with open_app() as app:
        return app.bounces.collect_if_configured()


@task
def health() -> tuple[str, ...]:
    """Return the alerts of the newest issues."""
    with open_app() as app:
        return app.bounces.alerts()


@flow(name="collect-bounces", flow_run_name="collect-bounces", timeout_seconds=1800)
@failing_with_a_sentence
def collect_bounces() -> State[None]:
    """Clean the list; an alert degrades the run."""
    result = collection_result(collect(), health(), language())
    return Completed(name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(collect_bounces)
