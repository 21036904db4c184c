"""What a run has to know about old issues costs the same with two of them and with many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.services.delivery import send
from upcycle_news.services.delivery.manual_send import Approver, queue_issue
from upcycle_news.services.issues import ids
from upcycle_news.services.monitoring import alerts
from upcycle_news.services.runs.admission import admit_run
from upcycle_news.services.runs.pending import due_issues, pending_issues
from upcycle_news.storage import issues

from ...delivery.memory_ledger import Clock
from ...publications import Publication, approve_issue
from ...storage.query_cost import QueryCost, add_closed_issues, query_cost

TODAY = IssueId.parse("2026-11-26")
LAST = IssueId.parse("2026-11-19")
DELIVERIES = 40
FEW = 5  # the figures of list health, which raise alerts, are those of the four newest issues
PLANNED = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)

QUESTIONS: dict[str, Callable[[AppContext], object]] = {
    "what is pending": pending_issues,
    "what is due": due_issues,
    "which issue is today's": ids.current_issue,
    "which issue is the newest": ids.latest_issue,
    "how many a sent issue went to": lambda context: issues.status(context.store, LAST),
    "whether a run may send": lambda context: admit_run(
        context, "next", planned_at=PLANNED, run="run", max_lateness_hours=12
    ),
    "what is new for the alerts": alerts.new_events,
}


def cost_of(context: AppContext, question: Callable[[AppContext], object]) -> QueryCost:
    with query_cost(context.store) as cost:
        question(context)
    return cost


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_what_is_asked_at_the_start_of_a_run_costs_the_same_with_many_closed_issues(
    publication: Publication, clock: Clock, question: Callable[[AppContext], object]
) -> None:
    context = publication.context()
    add_closed_issues(context.store, FEW, DELIVERIES, before=TODAY.day)
    question(context)  # what is written once (an alert, a scheduled run) is there
    few = cost_of(context, question)
    add_closed_issues(context.store, 30, DELIVERIES, before=TODAY.day - timedelta(weeks=FEW))
    many = cost_of(context, question)
    assert many.statements == few.statements
    assert many.instructions == few.instructions < 5 * DELIVERIES * len(few.statements)


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_no_question_counts_the_deliveries_of_a_closed_issue(
    publication: Publication, clock: Clock, question: Callable[[AppContext], object]
) -> None:
    context = publication.context()
    add_closed_issues(context.store, FEW, 1, before=TODAY.day)
    question(context)
    few = cost_of(context, question)
    with context.store.writing() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET subscriber_id = subscriber_id + 1000000")
        connection.exec_driver_sql(
            "WITH RECURSIVE reader(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM reader WHERE n < 500) "
            "INSERT INTO deliveries (issue_id, subscriber_id, state, attempts, enhanced, reason,"
            " queued_at, changed_at) SELECT issue_id, n, state, attempts, enhanced, reason,"
            " queued_at, changed_at FROM deliveries, reader"
        )
    assert cost_of(context, question).instructions == few.instructions


def test_sending_begins_at_the_same_cost_with_many_closed_issues(
    publication: Publication, clock: Clock
) -> None:
    """From the command to the first lease: resume the issue, and look at what it has left."""
    publication.add_many_subscribers(3)
    publication.write_essay()
    context = publication.context()
    _, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    add_closed_issues(context.store, FEW, DELIVERIES, before=TODAY.day)

    def start(context: AppContext) -> None:
        queue_issue(context, ids.current_issue(context), approver=Approver("Anna"))
        send.deliver_issue(context, TODAY, stopping=lambda: True)

    start(context)
    few = cost_of(context, start)
    add_closed_issues(context.store, 30, DELIVERIES, before=TODAY.day - timedelta(weeks=FEW))
    many = cost_of(context, start)
    assert many.statements == few.statements
    assert many.instructions == few.instructions
