"""Delete expired data: unconfirmed sign-ups, and the texts of old bounce reports."""

from __future__ import annotations

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from upcycle_news.app.context import AppContext
from upcycle_news.services import run_results


@task
def purge_expired() -> dict[str, int]:
    """Delete expired data, and mail pending confirmations; return counts."""
    with AppContext.open() as context:
        return run_results.purge_expired(context)


@flow(name="tidy")
def tidy() -> State[dict[str, int]]:
    """Delete unconfirmed addresses, as promised to subscribers."""
    return Completed(message=run_results.purge_summary(purge_expired()))


if __name__ == "__main__":
    tidy()
