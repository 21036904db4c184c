"""Old issues with deliveries that ended in every way, and everything that is read of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from upcycle_news.models import (
    DeliveryState,
    EmailAddress,
    IssueId,
    Manifest,
    Related,
    Story,
    Subscriber,
    SuppressionSource,
    Verdict,
)
from upcycle_news.models.digest import DigestInterval
from upcycle_news.models.variants import variants_for
from upcycle_news.storage import (
    audience,
    bounces,
    deliveries,
    failures,
    issues,
    metrics,
    packed_deliveries,
    personal_data,
    replies,
    sending_history,
    statistics,
    subscribers,
    workers,
)
from upcycle_news.storage import schema as tables
from upcycle_news.storage.backup.snapshot import store_contents, unknown_and_unsent
from upcycle_news.storage.bounces import NewReport
from upcycle_news.storage.database import Store
from upcycle_news.storage.ledger import Ledger
from upcycle_news.storage.subscribers import NewSubscriber

from .sample_rows import ISSUE, NOW, approved, item, load, manifest

READERS = 22
FIRST, SECOND = IssueId(ISSUE.day - timedelta(weeks=2)), IssueId(ISSUE.day - timedelta(weeks=1))
LATER = NOW + timedelta(days=30)
ENDS = (
    DeliveryState.SENT, DeliveryState.SENT, DeliveryState.SENT, DeliveryState.REJECTED,
    DeliveryState.SENT, DeliveryState.SENT, DeliveryState.UNKNOWN,
)  # fmt: skip


ERASURE_KEY = b"k" * 32


def fill(store: Store, *, readers: int = READERS) -> tuple[Subscriber, ...]:
    """Send two issues, the second in two variants; returns the subscribers."""
    store.erasure_key = ERASURE_KEY
    new = [
        NewSubscriber(
            EmailAddress(f"reader{number}@domain{number % 3}.example.org"),
            language="de",
            topics=("Energie",) if number % 4 == 1 else (),
        )
        for number in range(readers)
    ]
    subscribers.add_subscribers(store, new, source="list", now=NOW, dry_run=False)
    people = tuple(subscribers.all_subscribers(store))
    send(store, FIRST, left=people[2:3])
    stories = (Story((item("urn:energie", topics=("Energie",)),)), Story((item("urn:1"),)))
    base = manifest(SECOND, related=tuple(Related(story, 1.0) for story in stories))
    choices = audience.count_choices(store, ())
    variants = variants_for(base.issue, choices, ("Energie", "bestand"), limit=8)
    send(store, SECOND, replace(base, variants=variants), ends=ENDS[::-1])
    return people


def send(
    store: Store,
    issue: IssueId,
    revision: Manifest | None = None,
    *,
    ends: tuple[DeliveryState, ...] = ENDS,
    left: Iterable[Subscriber] = (),
    interval: DigestInterval | None = None,
) -> None:
    """Queue an issue and end its deliveries in turn so; who is in `left` leaves once it is queued."""
    now = NOW + timedelta(days=(issue.day - ISSUE.day).days)
    found = load(store, approved(store, revision or manifest(issue)), issue)
    issues.enqueue(store, found, now=now, interval=interval)
    for one in left:
        subscribers.unsubscribe(store, one, now=now)
    worker = workers.register_worker(store, host="here", pid=1, process_start="1", now=now)
    ledger = Ledger(store, issue, worker)
    number = 0
    while leases := ledger.lease(8, now):
        ledger.commit([], leases, now)
        now += timedelta(milliseconds=17)
        ledger.commit(
            [
                (lease, verdict(ends[(number + one) % len(ends)], number + one))
                for one, lease in enumerate(leases)
            ],
            [],
            now,
        )
        number += len(leases)
    workers.deregister_worker(store, worker, now=now)
    assert issues.close_if_done(store, issue, now=now)


def verdict(state: DeliveryState, number: int) -> Verdict:
    if state is DeliveryState.SENT:
        return Verdict(state, code=250, enhanced="2.0.0", reason=f"Ok: queued as {number:08X}")
    if state is DeliveryState.REJECTED:
        return Verdict(state, code=550, enhanced="5.1.1", reason="unknown user")
    return Verdict(state, reason="the connection was lost")


def bounce(
    store: Store, issue: IssueId, who: int, key: str, *, kind: str = "hard", now: Any = LATER
) -> Any:
    """Record a report about a delivery; returns what became of it."""
    row = issues.get(store, issue)
    assert row is not None
    source = SuppressionSource.COMPLAINT if kind == "complaint" else SuppressionSource.BOUNCE
    suppress = (
        None if kind == "soft" else ("hard bounce" if kind == "hard" else "complained", source)
    )
    return bounces.record(
        store,
        NewReport(
            key,
            row.number,
            who,
            kind,
            code="5.1.1",
            reason="gone",
            raw=b"report",
            suppress_for=suppress,
        ),
        now=now,
    )


def pack(store: Store, *of: IssueId) -> int:
    """Pack these issues, or all that are closed; returns how many deliveries."""
    due = list(map(str, of)) or packed_deliveries.issues_to_pack(store, closed_before=LATER)
    return sum(packed_deliveries.pack_issue(store, issue, now=LATER) for issue in due)


def places(store: Store, issue: IssueId) -> tuple[list[int], list[int]]:
    """Return the subscribers of an issue whose deliveries are rows, and those whose are packed."""
    rows = select(tables.deliveries.c.subscriber_id).where(
        tables.deliveries.c.issue_id == str(issue)
    )
    with store.snapshot() as connection:
        packed = packed_deliveries.of_issue(connection, str(issue))
        return sorted(connection.scalars(rows)), sorted(one.subscriber_id for one in packed)


def all_rows(store: Store, issue: IssueId) -> list[dict[str, Any]]:
    """Return all deliveries of an issue with all their columns, by their ids, wherever they are."""
    columns = tables.deliveries.c
    with store.snapshot() as connection:
        rows = [
            dict(row._mapping)
            for row in connection.execute(select(columns).where(columns.issue_id == str(issue)))
        ]
        rows += [
            one._asdict() | {"next_at": None}
            for one in packed_deliveries.of_issue(connection, str(issue))
        ]
    return sorted(rows, key=lambda row: int(row["id"]))


def answers(store: Store, people: Iterable[Subscriber]) -> dict[str, Any]:
    """Return what everything that reads deliveries says; of every second of these people each."""
    people = list(people)[::2]
    every: dict[str, Any] = {
        "contents": store_contents(store),
        "unknown": unknown_and_unsent(store),
        "figures": statistics.issue_figures(store, 10),
        "queues": metrics.issue_queues(store, 10),
        "closed": metrics.closed_deliveries(store),
        "failures": failures.with_failures(store, [one.id for one in people], at_least=1),
    }
    for one in people:
        every[f"data {one.id}"] = personal_data.personal_data_of(store, one)
        every[f"failures {one.id}"] = (
            failures.soft_reports(store, one.id),
            failures.refused_deliveries(store, one.id),
            failures.issues_tried(store, one.id, 5),
            failures.issues_tried(store, one.id, 1),
        )
    for issue in (FIRST, SECOND):
        correction = IssueId(issue.day, correction=1)
        every[str(issue)] = {
            "list": {
                state: list(deliveries.list_deliveries(store, issue, state))
                for state in DeliveryState
            },
            "ended": {
                state: deliveries.count_ended(store, issue, state)
                for state in ("rejected", "unknown")
            },
            "status": issues.status(store, issue),
            "variants": [
                (one.number, one.audience, dict(one.counts))
                for one in issues.variant_sums(store, issue)
            ],
            "variant of": [deliveries.variant_of(store, issue, one.id) for one in people],
            "refusals": statistics.refusals(store, issue),
            "changed": statistics.last_delivery_change(store, issue),
            "by state": metrics.deliveries_by_state(store, str(issue)),
            "recipients": sorted(replies.recipients(store, str(issue))),
            "sent": sending_history.count_sent(store, str(issue)),
            "mostly refused": failures.mostly_refused(store, str(issue)),
            "refused again": failures.refused_again(store, issue),
            "correction": audience.count_choices(store, (), issue=correction),
            "may receive": [audience.may_receive(store, one.id, correction) for one in people],
            "rows": all_rows(store, issue),
        }
    return every


def number_of_rows(store: Store, table: Any) -> int:
    with store.reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)
