"""The failures of one subscriber over several issues: soft reports, and refusals at SMTP time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, ScalarSelect, func, or_, select

from upcycle_news.models import DeliveryState, IssueId
from upcycle_news.storage import packed_deliveries
from upcycle_news.storage.bounces import UNCLEAR
from upcycle_news.storage.database import Store
from upcycle_news.storage.earlier_addresses import present_since
from upcycle_news.storage.schema import bounces, deliveries, issues, subscribers
from upcycle_news.storage.suppressions import suppression_reason_sql

_CHUNK = 500


@dataclass(frozen=True)
class SoftReport:
    """The newest soft report of an issue; `understood` is False if its form is unknown."""

    issue: str
    at: datetime
    understood: bool


@dataclass(frozen=True)
class RefusedDelivery:
    """A delivery that the relay refused for good, or deferred until it was given up."""

    issue: str
    at: datetime
    code: int
    enhanced: str
    reason: str


def soft_reports(store: Store, subscriber: int) -> tuple[SoftReport, ...]:
    """Return the soft reports of a subscriber's present address, one for each issue and kind."""
    query = (
        select(bounces.c.issue_id, bounces.c.kind, func.max(bounces.c.received_at).label("at"))
        .where(bounces.c.subscriber_id == subscriber, bounces.c.kind.in_(("soft", UNCLEAR)))
        .group_by(bounces.c.issue_id, bounces.c.kind)
    )
    with store.reading() as connection:
        if (since := present_since(connection, subscriber)) is not None:
            query = query.join(issues, issues.c.id == bounces.c.issue_id).where(
                issues.c.enqueued_at >= since
            )
        rows = connection.execute(query).all()
    return tuple(SoftReport(row.issue_id, row.at, row.kind != UNCLEAR) for row in rows)


def refused_deliveries(store: Store, subscriber: int) -> tuple[RefusedDelivery, ...]:
    """Return the deliveries to a subscriber's present address that a relay refused."""
    query = select(deliveries).where(
        deliveries.c.subscriber_id == subscriber,
        deliveries.c.state == DeliveryState.REJECTED,
        deliveries.c.code >= 400,
    )
    with store.reading() as connection:
        if (since := present_since(connection, subscriber)) is not None:
            query = query.join(issues, issues.c.id == deliveries.c.issue_id).where(
                issues.c.enqueued_at >= since
            )
        return tuple(
            RefusedDelivery(row.issue_id, row.changed_at, row.code, row.enhanced, row.reason)
            for row in connection.execute(query)
        )


def with_failures(store: Store, of: Collection[int], *, at_least: int) -> frozenset[int]:
    """Return those of these subscribers who had so many soft reports and refusals, all counted."""
    ids = sorted(of)
    found: set[int] = set()
    with store.reading() as connection:
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            reports = select(bounces.c.subscriber_id).where(
                bounces.c.subscriber_id.in_(chunk), bounces.c.kind.in_(("soft", UNCLEAR))
            )
            refused = select(deliveries.c.subscriber_id).where(
                deliveries.c.subscriber_id.in_(chunk),
                deliveries.c.state == DeliveryState.REJECTED,
                deliveries.c.code >= 400,
            )
            both = reports.union_all(refused).subquery()
            query = (
                select(both.c.subscriber_id)
                .group_by(both.c.subscriber_id)
                .having(func.count() >= at_least)
            )
            found |= set(connection.scalars(query))
    return frozenset(found)


def mostly_refused(store: Store, issue: str) -> bool:
    """Return True if relays refused more of an issue than they accepted: no evidence against one.

    Its deliveries are counted only if its stored sums leave that open.
    """

    def count(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
        query = select(func.count()).where(deliveries.c.issue_id == issue, *conditions)
        return query.scalar_subquery()

    sent = count(deliveries.c.state == DeliveryState.SENT)
    refused = count(deliveries.c.state == DeliveryState.REJECTED, deliveries.c.code >= 400)
    mostly_accepted = select(issues.c.id).where(
        issues.c.id == issue, issues.c.closed_at.is_not(None), issues.c.rejected <= issues.c.sent
    )
    with store.snapshot() as connection:
        if connection.execute(mostly_accepted).first():
            return False
        packed = packed_deliveries.counts_by_state(connection, issue).get(DeliveryState.SENT, 0)
        return bool(connection.scalar(select(refused > sent + packed)))


def issues_tried(store: Store, subscriber: int, last: int) -> tuple[str, ...]:
    """Return the last issues sent to a subscriber's present address or refused, newest first."""
    query = select(deliveries.c.issue_id).where(
        deliveries.c.subscriber_id == subscriber,
        deliveries.c.state.in_((DeliveryState.SENT, DeliveryState.REJECTED)),
    )
    with store.snapshot() as connection:
        tried = set(connection.scalars(query)) | {
            one.issue_id
            for one in packed_deliveries.of_subscriber(connection, subscriber)
            if one.state == DeliveryState.SENT
        }
        newest = (
            select(issues.c.id)
            .where(issues.c.id.in_(tried))
            .order_by(issues.c.enqueued_at.desc(), issues.c.number.desc())
        )
        if (since := present_since(connection, subscriber)) is not None:
            newest = newest.where(issues.c.enqueued_at >= since)
        return tuple(connection.scalars(newest.limit(last)))


def refused_again(store: Store, issue: IssueId) -> tuple[tuple[int, int], ...]:
    """Return who was refused in this issue, had a failure in another, and is not suppressed.

    Each as subscriber id and delivery id.
    """
    other = deliveries.alias()
    failed_before = or_(
        select(other.c.id)
        .where(
            other.c.subscriber_id == deliveries.c.subscriber_id,
            other.c.issue_id != deliveries.c.issue_id,
            other.c.state == DeliveryState.REJECTED,
        )
        .correlate(deliveries)
        .exists(),
        select(bounces.c.id)
        .where(bounces.c.subscriber_id == deliveries.c.subscriber_id)
        .correlate(deliveries)
        .exists(),
    )
    query = (
        select(deliveries.c.subscriber_id, deliveries.c.id)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(
            deliveries.c.issue_id == str(issue),
            deliveries.c.state == DeliveryState.REJECTED,
            deliveries.c.code >= 400,
            failed_before,
            suppression_reason_sql().is_(None),
        )
        .order_by(deliveries.c.subscriber_id)
    )
    with store.reading() as connection:
        return tuple((row.subscriber_id, row.id) for row in connection.execute(query))
