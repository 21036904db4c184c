"""The guard against waves of refusals where no issue is: the welcome, and mails that the store does not know.

The rule is that of `refusal_guard` (`models.refusal_wave`), counted from what is stored anyway. What the
relay refuses suppresses nobody here, and is tried again when it came in a wave; a hard bounce suppresses,
and in a wave waits for a person.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select, update

from upcycle_news.i18n.messages import localized
from upcycle_news.models import DeliveryState, SuppressionSource, Verdict
from upcycle_news.models.refusal_wave import LEAST, Outcome, find_wave, find_waves_around
from upcycle_news.models.welcome import SERIES
from upcycle_news.storage import pending_suppressions as pending
from upcycle_news.storage.chunks import chunks
from upcycle_news.storage.refusal_guard import GuardStop
from upcycle_news.storage.schema import (
    pending_suppressions,
    subscribers,
    suppressions,
    welcome_deliveries,
)
from upcycle_news.storage.suppressions import HARD_BOUNCE
from upcycle_news.storage.workers import NO_WORKER

_LOOK_BACK = 2000  # ids of deliveries whose outcomes are looked at
_ROWS = 500
_NEIGHBOURS = 200  # deliveries before and after the one that a report is about
_PAUSE = timedelta(hours=1)
_UNKNOWN_FOR = timedelta(days=14)  # a bounce comes within some days
_REFUSED_STATES = (DeliveryState.REJECTED, DeliveryState.DEFERRED)
_rows = welcome_deliveries.c
_IS_REFUSED = _rows.state.in_(_REFUSED_STATES) & (_rows.code >= 500)


# --- refusals at SMTP time


def check(
    connection: Connection,
    last: Verdict,
    *,
    language: str,
    give_up_after: timedelta,
    now: datetime,
) -> GuardStop | None:
    """Look for a wave after a refusal of a welcome mail; put off what it refused, for an hour.

    Except for what is older than `give_up_after`: a refusal of that stays. Returns why the run stops; None
    when it goes on, also where one domain refuses its own readers and others are accepted.
    """
    wave = find_wave(_recent_outcomes(connection))
    if wave is None:
        return None
    refused = wave.deliveries if wave.spread else wave.doubtful
    put_off = _put_off(connection, refused, queued_after=now - give_up_after, now=now)
    if not (wave.spread or wave.unbroken):
        return None
    reply = " ".join(part for part in (str(last.code or ""), last.enhanced, last.reason) if part)
    reason = localized(
        "welcome-guard-stopped", refused=wave.refused, outcomes=wave.outcomes, reply=reply
    )
    return GuardStop(reason.in_language(language), put_off)


def _recent_outcomes(connection: Connection) -> list[Outcome]:
    """Return the newest outcomes of the whole series, newest first."""
    newest = select(func.max(_rows.id)).scalar_subquery()
    query = (
        select(_rows.id, subscribers.c.domain_key, _IS_REFUSED.label("refused"))
        .outerjoin(subscribers, subscribers.c.id == _rows.subscriber_id)
        .where(
            _rows.id > newest - _LOOK_BACK,
            or_(_rows.state == DeliveryState.SENT, _IS_REFUSED),
        )
        .order_by(_rows.changed_at.desc(), _rows.id.desc())
        .limit(_ROWS)
    )
    return [_outcome(row, refused=row.refused) for row in connection.execute(query)]


def _outcome(row: Row[Any], *, refused: bool) -> Outcome:
    domain = row.domain_key or f"erased {row.id}"
    return Outcome(row.id, domain if refused else "")


def _put_off(
    connection: Connection, refused: Collection[int], *, queued_after: datetime, now: datetime
) -> frozenset[int]:
    """Defer these deliveries, which were rejected or deferred; returns those that wait now."""
    put_off: set[int] = set()
    for chunk in chunks(sorted(refused)):
        statement = (
            update(welcome_deliveries)
            .where(_rows.id.in_(chunk), _IS_REFUSED, _rows.queued_at > queued_after)
            .values(state=DeliveryState.DEFERRED, next_at=now + _PAUSE, worker_id=NO_WORKER)
        )
        put_off |= set(connection.scalars(statement.returning(_rows.id)))
    return frozenset(put_off)


# --- reports that come back later


def readers_welcomed(connection: Connection, of: Collection[int]) -> frozenset[int]:
    """Return those of these subscribers to whom a step of the welcome was sent."""
    found: set[int] = set()
    for chunk in chunks(sorted(of)):
        sent = _rows.state == DeliveryState.SENT
        found |= set(
            connection.scalars(
                select(_rows.subscriber_id).where(_rows.subscriber_id.in_(chunk), sent)
            )
        )
    return frozenset(found)


def keep_back_waves_of_welcome(
    connection: Connection, of_subscribers: Collection[int], *, now: datetime
) -> int:
    """Keep back the suppressions of the waves of hard bounces of the welcome that these readers are part of.

    A report does not say which step it is about: the last one that was sent counts. Returns how many are
    kept back now, 0 without such a wave.
    """
    newest: dict[int, int] = {}
    for chunk in chunks(sorted(of_subscribers)):
        sent = (_rows.subscriber_id.in_(chunk), _rows.state == DeliveryState.SENT)
        query = select(_rows.subscriber_id, func.max(_rows.id)).where(*sent)
        newest |= {
            number: subscriber
            for subscriber, number in connection.execute(query.group_by(_rows.subscriber_id))
        }
    doubtful: set[int] = set()
    for number in sorted(newest):
        if newest[number] in doubtful:
            continue
        readers, outcomes = _outcomes_around(connection, number)
        if sum(outcome.refused for outcome in outcomes) >= LEAST:
            found = find_waves_around(outcomes, [number], reach=_NEIGHBOURS)
            doubtful |= {readers[delivery] for delivery in found}
    return pending.keep_back_of(connection, SERIES, doubtful, now=now)


def _outcomes_around(connection: Connection, number: int) -> tuple[dict[int, int], list[Outcome]]:
    """Return the outcomes around a delivery, oldest first, and the subscriber of each.

    Of a reader with a hard bounce the last delivery failed, and the others say nothing.
    """
    query = (
        select(
            _rows.id,
            _rows.subscriber_id,
            subscribers.c.domain_key,
            _IS_REFUSED.label("refused"),
            _has_bounced().label("bounced"),
        )
        .outerjoin(subscribers, subscribers.c.id == _rows.subscriber_id)
        .where(
            _rows.id.between(number - _NEIGHBOURS, number + _NEIGHBOURS),
            or_(_rows.state == DeliveryState.SENT, _IS_REFUSED),
        )
        .order_by(_rows.id)
    )
    rows = connection.execute(query).all()
    last = {row.subscriber_id: row.id for row in rows}
    readers = {row.id: row.subscriber_id for row in rows}
    return readers, [
        _outcome(row, refused=row.refused or row.bounced)
        for row in rows
        if not row.bounced or last[row.subscriber_id] == row.id
    ]


def _has_bounced() -> ColumnElement[bool]:
    suppressed = select(suppressions.c.email_key).where(
        suppressions.c.email_key == subscribers.c.email_key,
        suppressions.c.issue_id == SERIES,
        suppressions.c.reason == HARD_BOUNCE,
    )
    waits = select(pending_suppressions.c.subscriber_id).where(
        pending_suppressions.c.subscriber_id == subscribers.c.id,
        pending_suppressions.c.issue_id == SERIES,
    )
    return or_(suppressed.correlate(subscribers).exists(), waits.correlate(subscribers).exists())


def keep_back_unknown(connection: Connection, *, now: datetime) -> int:
    """Keep back what hard bounces of mails suppressed that the store does not know; return how many.

    A restored store does not know what was sent after its backup, nor what of it was accepted: so many
    bounces that they could be a wave are taken for one, all of the last two weeks.
    """
    reported = (
        suppressions.c.issue_id == "",
        suppressions.c.delivery_id.is_(None),
        suppressions.c.reason == HARD_BOUNCE,
        suppressions.c.source == SuppressionSource.BOUNCE,
        suppressions.c.created_at > now - _UNKNOWN_FOR,
    )
    new = connection.scalars(
        select(subscribers.c.id)
        .join(suppressions, suppressions.c.email_key == subscribers.c.email_key)
        .where(*reported)
    ).all()
    waiting = connection.scalar(
        select(func.count()).where(
            pending_suppressions.c.issue_id == "",
            pending_suppressions.c.created_at > now - _UNKNOWN_FOR,
        )
    )
    if len(new) + (waiting or 0) < LEAST:
        return 0
    return pending.keep_back_of(connection, "", new, now=now)
