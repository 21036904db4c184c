"""Tell the operators an event's message: by mail and by the webhook (deploy/automations.yaml)."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State, StateType
from upcycle_news_flows._issue_artifacts import language

from upcycle_news import open_app
from upcycle_news.api import runs
from upcycle_news.api.runs import NoticeReport
from upcycle_news_flows import failing_with_a_sentence, run_by_hand


@task
def write_to_operators(event: str, message: str, run: str) -> NoticeReport:
    """Mail the operators' group and post to the webhook; what is not taken now, watch tries again."""
    with open_app() as app:
        return app.runs.notify_operators(event, message, run)


@flow(name="notify", flow_run_name="notify-{event}", timeout_seconds=900)
@failing_with_a_sentence
def notify(event: str, message: str, run: str = "") -> State[Any]:
    """Tell the group `cockpit.operators`, and the webhook.

    Args:
        event: The event's name, such as upcycle-news.issue.late.
        message: What happened, in a sentence.
        run: The id, or the address, of the run that it is about; empty: none.

    """
    result = runs.notification_result(write_to_operators(event, message, run), language())
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(notify)
