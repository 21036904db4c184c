"""A store with issues, readers, reports, reply times and collections of many weeks, written at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from upcycle_news.models import IssueId
from upcycle_news.models.relay_stats import RelayStatsCounter
from upcycle_news.storage import feeds, relay_stats
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    bounces,
    consents,
    issues,
    quota_marks,
    quota_scopes,
    subscribers,
    unsubscribes,
)

NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
"""The clock of a test's publication."""


def write_consents(
    store: Store, at: list[datetime], *, imported: bool = False, first: int = 1
) -> None:
    """Confirm subscribers, one for each time; a sign-up of one's own has a token, an import has none."""
    rows: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    for number, moment in enumerate(at, first):
        people.append(
            {
                "id": number, "email": f"reader{number}@example.org",
                "email_key": f"reader{number}@example.org", "domain_key": "@example.org",
                "hash_key": f"#{number}", "name": "", "language": "de", "status": "confirmed",
                "topics": [], "groups": [], "created_at": moment,
            }
        )  # fmt: skip
        rows.append(
            {
                "subscriber_id": number, "purpose": "newsletter", "source": "list", "wording": "",
                "token_hash": "" if imported else f"hash{number}", "ip": "", "given_at": moment,
                "confirmed_at": moment,
            }
        )  # fmt: skip
    with store.writing() as connection:
        connection.execute(insert(subscribers), people)
        connection.execute(insert(consents), rows)


def write_unsubscribe(store: Store, subscriber: int, at: datetime, *, issue: int = 0) -> None:
    with store.writing() as connection:
        connection.execute(
            insert(unsubscribes).values(
                subscriber_id=subscriber, issue_number=issue, method="link", at=at
            )
        )


def write_bounce(
    store: Store, subscriber: int, at: datetime, kind: str, *, issue: str = "x"
) -> None:
    with store.writing() as connection:
        connection.execute(
            insert(bounces).values(
                report_key=f"{issue}-{subscriber}-{at.isoformat()}-{kind}", delivery_id=subscriber,
                subscriber_id=subscriber, issue_id=issue, kind=kind, code="5.1.1", reason="",
                received_at=at,
            )
        )  # fmt: skip


def write_issue(
    store: Store, number: int, at: datetime, *, audience: int, rejected: int = 0
) -> str:
    """Store a closed issue whose deliveries were accepted but for the rejected ones; return its id."""
    issue = at.date().isoformat()
    with store.writing() as connection:
        connection.execute(
            insert(issues).values(
                id=issue, day=at.date(), number=number, state="closed", revision_id="0" * 64,
                audience=audience, stop_reason="", created_at=at, enqueued_at=at,
                closed_at=at + timedelta(hours=1), sent=audience - rejected, rejected=rejected,
                unknown=0, suppressed=0, cancelled=0,
            )
        )  # fmt: skip
    return issue


def write_reply_times(store: Store, issue: str, relay: str, *seconds: float) -> None:
    counter = RelayStatsCounter(relay)
    for duration in seconds:
        counter.add("accepted", duration)
    relay_stats.save(store, IssueId.parse(issue), 1, counter.snapshot(), now=NOW)


def write_weeks(store: Store, weeks: int, readers: int) -> None:
    """Write a list and its weekly issues up to `NOW`, each with some bounces and one complaint."""
    begin = NOW - timedelta(weeks=weeks)
    write_consents(store, [begin + timedelta(hours=1)] * (readers * 9 // 10), imported=True)
    own = readers - readers * 9 // 10
    span = timedelta(weeks=weeks) / own
    # Unevenly, as people do it.
    joined = [begin + span * (n * n * 7 % own) for n in range(own)]
    write_consents(store, joined, first=readers - own + 1)
    for week in range(weeks):
        at = begin + timedelta(weeks=week, hours=6)
        audience = readers * (weeks + week) // (2 * weeks)
        issue = write_issue(
            store, week + 1, at, audience=audience, rejected=audience * (1 + week * 5 % 7) // 900
        )
        for reader in range(1, 3 + week * 3 % 8):
            kind = "complaint" if reader == 2 and week % 7 == 0 else "hard"
            write_bounce(store, reader, at + timedelta(days=1), kind, issue=issue)
        for reader in range(1, 2 + week * 5 % 6):
            write_unsubscribe(store, reader, at + timedelta(hours=3), issue=week + 1)
        if week != 2:
            write_reply_times(store, issue, "main", *[0.1 + 0.01 * (week % 5)] * 30)
        if week % 4 == 0:
            write_reply_times(store, issue, "reserve", *[0.6] * 5)
    for hours in range(70, 0, -1):
        write_collection(store, NOW - timedelta(hours=hours), asked=12, failed=hours % 5 // 4)


def write_collection(
    store: Store, at: datetime, *, asked: int, failed: int = 0, waiting: int = 0
) -> None:
    report = {
        "asked": asked,
        "failed": [{"feed": "Bote", "error": "no answer"}] * failed,
        "waiting": [{"feed": "Bote", "reason": "back-off"}] * waiting,
    }
    feeds.save_report(store, report, now=at)


def write_sent_marks(store: Store, scope: str, count: int) -> None:
    """Count so many messages, one a second up to `NOW`, against a quota's scope."""
    with store.writing() as connection:
        connection.execute(insert(quota_scopes).values(scope=scope, count=count))
        connection.execute(
            insert(quota_marks),
            [
                {"scope": scope, "number": number, "at": NOW - timedelta(seconds=count - number)}
                for number in range(1, count + 1)
            ],
        )
