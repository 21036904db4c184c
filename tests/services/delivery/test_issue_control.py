"""Pause, resume and cancel: who may, and what it does to deliveries and archive."""

from __future__ import annotations

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.models import DeliveryState, IssueId, IssueState
from upcycle_news.services.delivery import issue_control, send
from upcycle_news.services.delivery.deliver_run import run_delivery
from upcycle_news.services.delivery.lateness import standstill
from upcycle_news.services.delivery.status import status_of
from upcycle_news.storage import issues

from ...publications import Publication, approve_issue, send_issue

ISSUE = IssueId.parse("2026-11-26")


@pytest.fixture
def context(publication: Publication) -> AppContext:
    """A context with an issue of two deliveries in the queue."""
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    send.enqueue(context, approve_issue(context)[1])
    return context


def test_a_paused_issue_is_not_delivered_until_it_is_resumed(context: AppContext) -> None:
    issue_control.pause(context, ISSUE, by="Anna")
    with pytest.raises(IssueError, match=r"is paused; .*issue resume 2026-11-26"):
        run_delivery(context, ISSUE)
    halt = standstill(context, ISSUE)
    assert halt is not None
    assert halt.state == IssueState.PAUSED
    issue_control.resume(context, ISSUE, by="Anna")
    assert standstill(context, ISSUE) is None
    assert run_delivery(context, ISSUE).status.sent == 2


def test_a_cancelled_issue_is_sent_to_nobody_and_leaves_the_archive(context: AppContext) -> None:
    page = context.archive_folder / "archive/2026-11-26/index.html"
    pages = list(context.archive_folder.rglob("*2026-11-26*"))
    assert pages or page.is_file()
    assert not issue_control.cancel(context, ISSUE, by="Anna").sent_before_restore
    assert status_of(context, ISSUE).counts == {DeliveryState.CANCELLED: 2}
    assert list(context.archive_folder.rglob("*2026-11-26*")) == []
    with pytest.raises(IssueError, match="was cancelled"):
        issue_control.resume(context, ISSUE)


@pytest.mark.parametrize("change", [issue_control.pause, issue_control.cancel])
def test_an_issue_that_was_not_queued_is_neither_paused_nor_cancelled(
    publication: Publication, change: object
) -> None:
    publication.write_essay()
    context = publication.context()
    for prepare in (lambda: None, lambda: approve_issue(context)):
        prepare()
        with pytest.raises(IssueError, match="is not being sent"):
            change(context, ISSUE)  # type: ignore[operator]
    with pytest.raises(IssueError, match="nothing to resume"):
        issue_control.resume(context, ISSUE)


def test_resuming_a_sent_issue_mails_nobody_twice(publication: Publication) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(2)
    context = publication.context()
    send_issue(context)
    issue_control.resume(context, ISSUE)
    run_delivery(context, ISSUE)
    assert publication.recipients() == readers
    row = issues.get(context.store, ISSUE)
    assert row is not None
    assert row.state is IssueState.CLOSED


def test_progress_begins_with_the_counts_of_what_was_sent_before(context: AppContext) -> None:
    shown: list[tuple[int, int]] = []
    run_delivery(
        context,
        ISSUE,
        progress=lambda status, report: shown.append((status.waiting, report.sent)),
    )
    assert shown[0] == (2, 0)
    assert shown[-1] == (2, 2)
