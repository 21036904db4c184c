"""Counts for reports: refusals, and what each issue did to the list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, case, cast, func, select

from upcycle_news.models import DeliveryState, IssueId, Rate, SubscriberStatus
from upcycle_news.models.digest import DigestInterval, Rhythm
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage import packed_deliveries
from upcycle_news.storage.database import Store, from_json
from upcycle_news.storage.rhythms import count_digest_readers
from upcycle_news.storage.schema import (
    bounces,
    consent_proofs,
    consents,
    deliveries,
    issue_replies,
    issues,
    quota_marks,
    quota_scopes,
    subscribers,
    suppressions,
    unsubscribes,
)

COMPLAINT = "complaint"
"""The kind of a report that somebody marked a mail as spam."""

Counts = Mapping[int, int]


@dataclass(frozen=True)
class RefusalCount:
    """How many deliveries ended, or wait, because of this reply."""

    state: DeliveryState
    code: int | None
    enhanced: str
    count: int


def refusals(store: Store, issue: IssueId) -> tuple[RefusalCount, ...]:
    """Return the relay's refusals of an issue's deliveries, the most frequent first."""
    states = (DeliveryState.REJECTED, DeliveryState.DEFERRED)
    columns = (deliveries.c.state, deliveries.c.code, deliveries.c.enhanced)
    with store.reading() as connection:
        rows = connection.execute(
            select(*columns, func.count().label("number"))
            .where(deliveries.c.issue_id == str(issue), deliveries.c.state.in_(states))
            .group_by(*columns)
            .order_by(func.count().desc())
        ).all()
    return tuple(
        RefusalCount(DeliveryState(row.state), row.code, row.enhanced, row.number) for row in rows
    )


def last_delivery_change(store: Store, issue: IssueId) -> datetime | None:
    """Return when a delivery of this issue last changed its state; None without deliveries."""
    query = select(func.max(deliveries.c.changed_at)).where(deliveries.c.issue_id == str(issue))
    with store.snapshot() as connection:
        times = (connection.scalar(query), packed_deliveries.last_change(connection, str(issue)))
    return max((at for at in times if at is not None), default=None)


def count_sent_within(store: Store, scope: str, rate: Rate, *, now: datetime) -> int:
    """Return how many messages counted against a quota's scope in the last span of one of its rates."""
    of_scope = quota_marks.c.scope == scope
    since = now - timedelta(seconds=rate.seconds)
    with store.reading() as connection:
        count = connection.scalar(select(quota_scopes.c.count).where(quota_scopes.c.scope == scope))
        before = connection.scalar(
            select(func.max(quota_marks.c.number)).where(of_scope, quota_marks.c.at <= since)
        )
        oldest = connection.scalar(select(func.min(quota_marks.c.number)).where(of_scope))
    if count is None or oldest is None:
        return 0
    if before is not None:
        return int(count - before)
    # All that are kept lie within the span: as many as the limit, or more where it was lowered.
    return int(max(min(count, rate.limit), count - oldest + 1))


@dataclass(frozen=True)
class IssueFigures:
    """One issue, and what happened between it and the one before.

    `replies` were written by people, `auto_replies` by their absence assistants.
    """

    issue: str
    at: datetime
    audience: int
    sent: int
    rejected: int
    bounced: int
    complaints: int
    unsubscribed: int
    joined: int
    left: int
    replies: int = 0
    auto_replies: int = 0


@dataclass(frozen=True)
class ListCounts:
    """Subscribers by status, confirmed ones by topic and by rhythm, suppressions by reason.

    `by_rhythm` is empty where nobody can choose one: all get every issue.
    """

    by_status: Mapping[str, int]
    by_topic: Mapping[str, int]
    suppressions: Mapping[str, int]
    by_rhythm: Mapping[str, int] = field(default_factory=dict)


def count_subscribers(
    store: Store, *, today: date | None = None, interval: DigestInterval | None = None
) -> ListCounts:
    """Count subscribers by status, confirmed ones by topic and by rhythm, and suppressions by reason.

    The rhythms are those that hold for the issues of `today`; without it they are not counted.
    """
    with store.reading() as connection:
        by_status = dict.fromkeys((status.value for status in SubscriberStatus), 0)
        for status, count in connection.execute(
            select(subscribers.c.status, func.count()).group_by(subscribers.c.status)
        ):
            by_status[status] = count
        topics: Counter[str] = Counter()
        chosen = cast(subscribers.c.topics, Text)  # few sets are distinct, and JSON has no equality
        for names, count in connection.execute(
            select(chosen, func.count())
            .where(subscribers.c.status == SubscriberStatus.CONFIRMED)
            .group_by(chosen)
        ):
            topics.update(dict.fromkeys(from_json(names), count))
        reasons = connection.execute(
            select(suppressions.c.reason, func.count())
            .group_by(suppressions.c.reason)
            .order_by(suppressions.c.reason)
        ).all()
        in_digest = 0 if today is None else count_digest_readers(connection, today, interval)
    rhythms = {
        Rhythm.EVERY_ISSUE.value: by_status[SubscriberStatus.CONFIRMED] - in_digest,
        Rhythm.DIGEST.value: in_digest,
    }
    return ListCounts(
        by_status,
        dict(sorted(topics.items())),
        {row[0]: row[1] for row in reasons},
        rhythms if in_digest or interval is not None else {},
    )


def issue_figures(store: Store, last: int) -> tuple[IssueFigures, ...]:
    """Return the figures of the last `last` queued issues, newest first.

    A handful of statements however many issues are asked for; those that are not closed are counted.
    """
    with store.snapshot() as connection:
        rows = connection.execute(
            select(issues)
            .where(issues.c.enqueued_at.is_not(None))
            .order_by(issues.c.enqueued_at.desc())
            .limit(last + 1)
        ).all()
        shown = rows[:last]
        if not shown:
            return ()
        ids = [row.id for row in shown]
        readers = func.count(func.distinct(bounces.c.subscriber_id))
        is_complaint = bounces.c.kind == COMPLAINT
        reports = {
            (row[0], bool(row[1])): int(row[2])
            for row in connection.execute(
                select(bounces.c.issue_id, is_complaint, readers)
                .where(bounces.c.issue_id.in_(ids))
                .group_by(bounces.c.issue_id, is_complaint)
            )
        }
        unsubscribed = {
            row[0]: int(row[1])
            for row in connection.execute(
                select(unsubscribes.c.issue_number, func.count())
                .where(unsubscribes.c.issue_number.in_([row.number for row in shown]))
                .group_by(unsubscribes.c.issue_number)
            )
        }
        answers = {
            row.issue_id: row
            for row in connection.execute(
                select(issue_replies).where(issue_replies.c.issue_id.in_(ids))
            )
        }
        ends = [row.enqueued_at for row in reversed(rows)]
        # What came before the first end is only asked for where no issue is older.
        begin = ends[0] if len(rows) > last else None
        joined = _count_in_spans(connection, consents.c.confirmed_at, ends, after=begin)
        left = _count_in_spans(connection, unsubscribes.c.at, ends, after=begin)
        results = []
        for newer, row in enumerate(shown):
            span = len(ends) - 1 - newer
            sums = (
                lifecycle.count_deliveries(connection, row.id)
                if row.closed_at is None
                else lifecycle.stored_sums(row)
            )
            answered = answers.get(row.id)
            results.append(
                IssueFigures(
                    issue=row.id,
                    at=row.enqueued_at,
                    audience=row.audience,
                    sent=sums.get(DeliveryState.SENT, 0),
                    rejected=sums.get(DeliveryState.REJECTED, 0),
                    bounced=reports.get((row.id, False), 0),
                    complaints=reports.get((row.id, True), 0),
                    unsubscribed=unsubscribed.get(row.number, 0),
                    joined=joined.get(span, 0),
                    left=left.get(span, 0),
                    replies=answered.replies if answered else 0,
                    auto_replies=answered.auto_replies if answered else 0,
                )
            )
    return tuple(results)


@dataclass(frozen=True)
class ListChanges:
    """What happened to the list in a span of time.

    `joined` confirmed a sign-up themselves, `imported` were taken over from a list or added by hand,
    `left` unsubscribed. `bounced` and `complained` count the readers such a report came for.
    """

    joined: int
    imported: int
    left: int
    bounced: int
    complained: int


def first_list_change(store: Store) -> datetime | None:
    """Return when the list first changed; None while nobody has joined it and nobody left."""
    times = [
        func.min(column).label("at")
        for column in (
            consents.c.confirmed_at,
            consent_proofs.c.confirmed_at,
            unsubscribes.c.at,
            bounces.c.received_at,
        )
    ]
    with store.reading() as connection:
        found = [connection.scalar(select(time)) for time in times]
    return min((at for at in found if at is not None), default=None)


def list_changes(store: Store, ends: Sequence[datetime]) -> tuple[ListChanges, ...]:
    """Return the changes of the list in the spans between these ascending times, the later end included.

    Those who were erased on request are not among the joined any more; who left and was forgotten
    after a while is, by the proof of consent that stays. One scan of each table of consents, by the store.
    """
    with store.reading() as connection:

        def between(column: ColumnElement[Any], *where: ColumnElement[bool], **kind: Any) -> Counts:
            return _count_in_spans(connection, column, ends, *where, after=ends[0], **kind)

        by_table = [
            (
                between(table.c.confirmed_at, table.c.token_hash != ""),
                between(table.c.confirmed_at, table.c.token_hash == ""),
            )
            for table in (consents, consent_proofs)
        ]
        left = between(unsubscribes.c.at)
        readers = func.count(func.distinct(bounces.c.subscriber_id))
        bounced = between(bounces.c.received_at, bounces.c.kind != COMPLAINT, count=readers)
        complained = between(bounces.c.received_at, bounces.c.kind == COMPLAINT, count=readers)
    return tuple(
        ListChanges(
            joined=sum(signed_up.get(span, 0) for signed_up, _ in by_table),
            imported=sum(imported.get(span, 0) for _, imported in by_table),
            left=left.get(span, 0),
            bounced=bounced.get(span, 0),
            complained=complained.get(span, 0),
        )
        for span in range(1, len(ends))
    )


def _count_in_spans(
    connection: Connection,
    column: ColumnElement[Any],
    ends: Sequence[datetime],
    *where: ColumnElement[bool],
    count: ColumnElement[int] | None = None,
    after: datetime | None = None,
) -> Counts:
    """Return how many rows have their time in which span: 0 up to the first end, 1 up to the second.

    Only what is later than `after` is read, where it is given.
    """
    if after is not None:
        where = (*where, column > after)
    span = case(*((column <= end, number) for number, end in enumerate(ends)))
    inner = (
        select(span.label("span"), func.count() if count is None else count)
        .where(column <= ends[-1], *where)
        .group_by("span")
    )
    return {int(row[0]): int(row[1]) for row in connection.execute(inner)}
