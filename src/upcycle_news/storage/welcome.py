"""The steps of the welcome: their revisions and approvals, whom each is due for, and how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, exists, func, or_, select, update

from upcycle_news.i18n.messages import localized
from upcycle_news.models import Choice, DeliveryState, SubscriberStatus
from upcycle_news.models.welcome import SERIES, WelcomeRevision
from upcycle_news.storage import packed_deliveries, rhythms
from upcycle_news.storage.audience import VariantOf
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import (
    consents,
    deliveries,
    send_holds,
    subscribers,
    welcome_deliveries,
    welcome_revisions,
    workers,
)
from upcycle_news.storage.send_hold import HoldKind
from upcycle_news.storage.suppressions import suppression_reason_sql
from upcycle_news.storage.workers import NO_WORKER, Worker

_OPEN = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENDING)


# --- revisions


def save_revision(store: Store, revision: WelcomeRevision) -> None:
    """Store what a step says; one that was stored before is the newest again."""
    created_at = _after_all(
        store, revision.step, welcome_revisions.c.created_at, revision.created_at
    )
    values = {
        "series": SERIES, "step": revision.step, "revision_id": revision.revision_id,
        "after_days": revision.after.days, "newest_issue": revision.newest_issue,
        "language": revision.language, "subject": revision.subject, "html": revision.html,
        "text": revision.text, "created_at": created_at, "approved_by": "",
    }  # fmt: skip
    with store.writing() as connection:
        connection.execute(
            dialect_insert(store.dialect, welcome_revisions)
            .values(**values)
            .on_conflict_do_update(
                index_elements=list(welcome_revisions.primary_key),
                set_={"created_at": created_at},
            )
        )


def approve(store: Store, step: str, revision_id: str, *, by: str, now: datetime) -> bool:
    """Approve a revision of a step; False if it was never previewed. The last one approved is sent."""
    now = _after_all(store, step, welcome_revisions.c.approved_at, now)
    with store.writing() as connection:
        return bool(
            connection.execute(
                update(welcome_revisions)
                .where(
                    welcome_revisions.c.series == SERIES,
                    welcome_revisions.c.step == step,
                    welcome_revisions.c.revision_id == revision_id,
                )
                .values(approved_at=now, approved_by=by)
            ).rowcount
        )


def _after_all(store: Store, step: str, at: Any, now: datetime) -> datetime:
    """Return a time later than any other of the step, whatever the clock says."""
    query = select(func.max(at)).where(
        welcome_revisions.c.series == SERIES, welcome_revisions.c.step == step
    )
    with store.reading() as connection:
        last: datetime | None = connection.scalar(query)
    return now if last is None else max(now, last + timedelta(microseconds=1))


def previewed(store: Store, step: str) -> WelcomeRevision | None:
    """Return the revision of a step that was previewed last; None without any."""
    return _newest(store, step, welcome_revisions.c.created_at)


def approved(store: Store, step: str) -> WelcomeRevision | None:
    """Return the revision of a step that was approved last; None without any."""
    return _newest(store, step, welcome_revisions.c.approved_at)


def revision(store: Store, step: str, revision_id: str) -> WelcomeRevision:
    """Return a revision that is stored."""
    query = select(welcome_revisions).where(
        welcome_revisions.c.series == SERIES,
        welcome_revisions.c.step == step,
        welcome_revisions.c.revision_id == revision_id,
    )
    with store.reading() as connection:
        return _revision(connection.execute(query).one())


def first_approved_at(store: Store, step: str) -> datetime | None:
    """Return when a step was approved for the first time, in whatever form; None if it never was."""
    query = select(func.min(welcome_revisions.c.approved_at)).where(
        welcome_revisions.c.series == SERIES, welcome_revisions.c.step == step
    )
    with store.reading() as connection:
        at: datetime | None = connection.scalar(query)
    return at


def _newest(store: Store, step: str, at: Any) -> WelcomeRevision | None:
    query = (
        select(welcome_revisions)
        .where(
            welcome_revisions.c.series == SERIES, welcome_revisions.c.step == step, at.is_not(None)
        )
        .order_by(at.desc(), welcome_revisions.c.revision_id)
        .limit(1)
    )
    with store.reading() as connection:
        row = connection.execute(query).first()
    return None if row is None else _revision(row)


def _revision(row: Row[Any]) -> WelcomeRevision:
    return WelcomeRevision(
        step=row.step,
        revision_id=row.revision_id,
        after=timedelta(days=row.after_days),
        newest_issue=row.newest_issue,
        language=row.language,
        subject=row.subject,
        html=row.html,
        text=row.text,
        created_at=row.created_at,
        approved_at=row.approved_at,
    )


# --- the queue


def queue_due(
    store: Store,
    step: WelcomeRevision,
    *,
    since: datetime,
    now: datetime,
    issue: str = "",
    variant_of: VariantOf = lambda _: 0,
) -> int:
    """Queue a step for each reader for whom it is due; returns for how many.

    Readers who confirmed by a link, the step's time ago or longer, but so that it was due after `since`.
    Nobody for whom it was queued before; with `issue` nobody in that issue's audience or who gets it in a
    digest, and nobody for whose choice `variant_of` has no variant of it.
    """
    confirmed = exists().where(
        consents.c.subscriber_id == subscribers.c.id,
        consents.c.token_hash != "",  # of a link: no list, and nobody's word
        consents.c.ended_at.is_(None),
        consents.c.confirmed_at <= now - step.after,
        consents.c.confirmed_at >= since - step.after,
    )
    had = exists().where(
        welcome_deliveries.c.series == SERIES,
        welcome_deliveries.c.step == step.step,
        welcome_deliveries.c.subscriber_id == subscribers.c.id,
    )
    in_audience = exists().where(
        deliveries.c.issue_id == issue, deliveries.c.subscriber_id == subscribers.c.id
    )
    query = select(subscribers.c.id, subscribers.c.language, subscribers.c.topics).where(
        subscribers.c.status == SubscriberStatus.CONFIRMED,
        suppression_reason_sql().is_(None),
        confirmed,
        ~had,
        *([~in_audience] if issue else []),
    )
    values = {
        "series": SERIES, "step": step.step, "revision_id": step.revision_id, "issue_id": issue,
        "state": DeliveryState.QUEUED, "attempts": 0, "worker_id": NO_WORKER, "enhanced": "", "reason": "",
        "queued_at": now, "changed_at": now,
    }  # fmt: skip
    statement = (
        dialect_insert(store.dialect, welcome_deliveries)
        .on_conflict_do_nothing()
        .returning(welcome_deliveries.c.id)
    )
    with store.writing() as connection:
        if period := rhythms.period_told(connection, issue):
            query = query.where(subscribers.c.id.not_in(rhythms.digest_readers(period)))
        due = connection.execute(query.order_by(subscribers.c.id)).all()
        packed = packed_deliveries.of_subscribers(connection, issue, {row.id for row in due})
        got_it = {one.subscriber_id for one in packed}
        rows = [
            {**values, "subscriber_id": row.id, "variant": variant}
            for row in due
            if row.id not in got_it
            and (variant := variant_of(Choice(row.language, tuple(row.topics)))) is not None
        ]
        return len(connection.scalars(statement, rows).all()) if rows else 0


def has_due(store: Store, *, now: datetime) -> bool:
    """Return whether something is queued or deferred and due."""
    query = select(welcome_deliveries.c.id).where(_is_due(now)).limit(1)
    with store.reading() as connection:
        return connection.execute(query).first() is not None


def due_parts(store: Store, *, now: datetime) -> Sequence[tuple[str, str, str]]:
    """Return what there is to send now: (step, revision, issue), each a mail of its own."""
    query = (
        select(
            welcome_deliveries.c.step,
            welcome_deliveries.c.revision_id,
            welcome_deliveries.c.issue_id,
        )
        .where(_is_due(now))
        .distinct()
        .order_by(welcome_deliveries.c.step)
    )
    with store.reading() as connection:
        return [(row.step, row.revision_id, row.issue_id) for row in connection.execute(query)]


def _is_due(now: datetime) -> Any:
    return or_(
        welcome_deliveries.c.state == DeliveryState.QUEUED,
        (welcome_deliveries.c.state == DeliveryState.DEFERRED)
        & (welcome_deliveries.c.next_at <= now),
    )


def counts(store: Store, step: str) -> Mapping[DeliveryState, int]:
    """Return the deliveries of a step by state."""
    query = (
        select(welcome_deliveries.c.state, func.count().label("number"))
        .where(welcome_deliveries.c.series == SERIES, welcome_deliveries.c.step == step)
        .group_by(welcome_deliveries.c.state)
    )
    with store.reading() as connection:
        return {DeliveryState(row.state): row.number for row in connection.execute(query)}


# --- dead workers and restored stores


def workers_in_flight(store: Store) -> tuple[Worker, ...]:
    """Return the workers that have steps leased or on the wire."""
    ids = select(welcome_deliveries.c.worker_id).where(
        welcome_deliveries.c.state.in_(_OPEN), welcome_deliveries.c.worker_id > NO_WORKER
    )
    with store.reading() as connection:
        rows = connection.execute(select(workers).where(workers.c.id.in_(ids)))
        return tuple(Worker(**row._mapping) for row in rows)


def reclaim(store: Store, dead: Sequence[Worker], *, resend: bool, now: datetime) -> int:
    """Settle what dead workers had on the wire: unknown, or queued with `resend`; returns how many."""
    of_the_dead = welcome_deliveries.c.worker_id.in_([worker.id for worker in dead])
    unknown = {"state": DeliveryState.UNKNOWN, "reason": str(localized("reason-sender-died"))}
    queued = {"state": DeliveryState.QUEUED, "reason": "", "worker_id": NO_WORKER}
    with store.writing() as connection:
        connection.execute(
            update(welcome_deliveries)
            .where(of_the_dead, welcome_deliveries.c.state.in_(_OPEN[:2]))
            .values(worker_id=NO_WORKER)
        )
        return connection.execute(
            update(welcome_deliveries)
            .where(of_the_dead, welcome_deliveries.c.state == DeliveryState.SENDING)
            .values(**(queued if resend else unknown), changed_at=now, next_at=None)
        ).rowcount


def set_back_at(store: Store) -> datetime | None:
    """Return when the store was restored, or set back otherwise, for the last time; None if never."""
    query = select(func.max(send_holds.c.started_at)).where(
        send_holds.c.kind.in_([HoldKind.RESTORED, HoldKind.OUTDATED])
    )
    with store.reading() as connection:
        at: datetime | None = connection.scalar(query)
    return at


def doubt_queued_before(store: Store, moment: datetime, *, now: datetime) -> int:
    """Set to unknown what was queued before `moment`: a store that was set back knows no more of it."""
    with store.writing() as connection:
        return connection.execute(
            update(welcome_deliveries)
            .where(welcome_deliveries.c.state.in_(_OPEN), welcome_deliveries.c.queued_at < moment)
            .values(
                state=DeliveryState.UNKNOWN,
                reason=str(localized("welcome-set-back")),
                changed_at=now,
                next_at=None,
            )
        ).rowcount
