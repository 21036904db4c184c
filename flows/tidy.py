"""Delete what has had its time: sign-ups nobody confirmed, and the texts of old reports."""

from __future__ import annotations

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from upcycle_news.app.context import AppContext
from upcycle_news.services import run_results


@task
def tidy_up() -> dict[str, int]:
    """Delete, and mail confirmations that could not leave when they should have; counts only."""
    with AppContext.open() as context:
        return run_results.tidy(context)


@flow(name="tidy")
def tidy() -> State[dict[str, int]]:
    """Keep the promise that unconfirmed addresses are deleted."""
    return Completed(message=run_results.tidy_summary(tidy_up()))


if __name__ == "__main__":
    tidy()
