"""Postgres is restarted several times in one send: nobody is needed, and nothing stays in `sending`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import StoreError
from upcycle_news.models import DeliveryState, IssueId
from upcycle_news.services.delivery import send
from upcycle_news.services.runs.deliver import resume_delivery
from upcycle_news.services.runs.pending import due_issues, pending_issues

from ...postgres_server import DebianPostgres, skip_without_postgres
from ...publications import (
    Publication,
    add_confirmed_subscribers,
    approve_issue,
    issue_status,
    relay_variables,
)
from .sink_relay import Sink

READERS, RESTARTS = 600, (60, 200, 350, 500)


@pytest.fixture
def postgres() -> Iterator[DebianPostgres]:
    skip_without_postgres()
    with DebianPostgres("fsync=off") as server:
        yield server


def deliver_what_is_due(context: AppContext, failures: list[StoreError]) -> None:
    """Look again and again, as watch does, and deliver until nothing is due."""
    while len(failures) < 50:
        try:
            if not due_issues(context):
                return
            for issue in pending_issues(context):
                resume_delivery(context, IssueId.parse(issue))
        except StoreError as error:  # the run failed
            failures.append(error)
            time.sleep(0.5)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_restarts_of_postgres_in_one_send_leave_nothing_in_sending(
    publication: Publication, postgres: DebianPostgres
) -> None:
    store = postgres.database("store").replace("postgresql://", "postgresql+psycopg://")
    publication.write_essay()
    with Sink() as sink:
        context = publication.context(
            STORE=store, RELAYS__MAIN__CONNECTIONS="4", **relay_variables(sink.port)
        )
        readers = [f"leser{number}@example.org" for number in range(READERS)]
        add_confirmed_subscribers(context, *readers)
        issue, rendered = approve_issue(context)
        send.enqueue(context, rendered)
        failures: list[StoreError] = []
        # The server ends with the thread that started it, so that restarts belong to this one.
        sender = threading.Thread(target=deliver_what_is_due, args=(context, failures))
        sender.start()
        for point in RESTARTS:
            while not sink.wait_for(point) and sender.is_alive():
                pass
            assert sink.count < READERS, "restarted in mid-send"
            postgres.restart()
        sender.join()
        status = issue_status(context, issue)
    assert status.closed, failures
    assert sorted(sink.accepted) == sorted(readers)
    assert {len(ids) for ids in sink.accepted.values()} == {1}
    assert status.counts == {DeliveryState.SENT: READERS}
