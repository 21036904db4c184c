"""Delete expired data: unconfirmed sign-ups, texts of old bounce reports, who left long ago; pack deliveries."""

from __future__ import annotations

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from upcycle_news import open_app
from upcycle_news_flows import failing_with_a_sentence, run_by_hand


@task
def purge_expired() -> str:
    """Delete expired data, mail pending confirmations, pack old deliveries; return counts as a sentence."""
    with open_app() as app:
        return app.subscribers.tidy().sentence().in_language(app.language)


@flow(name="tidy", flow_run_name="tidy", timeout_seconds=6 * 3600)
@failing_with_a_sentence
def tidy() -> State[None]:
    """Delete unconfirmed addresses, as promised to subscribers; pack the deliveries of old issues."""
    return Completed(message=purge_expired())


if __name__ == "__main__":
    run_by_hand(tidy)
