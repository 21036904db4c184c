"""The guard against waves of refusals: counted in the store, over all workers and their restarts.

Each permanent refusal is a row of `recent_refusals` with the number of messages that its worker had
accepted before it, so the usual commit of an accepted message writes nothing. All of this happens in
the transaction that records the refusals: it has locked the issue before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, delete, insert, select, update

from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import DeliveryState, Verdict
from upcycle_news.models.refusal_wave import (
    LEAST,
    Outcome,
    RefusalWave,
    find_wave,
    find_waves_around,
)
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage import packed_deliveries, pending_suppressions
from upcycle_news.storage.issue_lifecycle import SYSTEM, IssueEvent
from upcycle_news.storage.schema import (
    bounces,
    deliveries,
    issue_events,
    recent_refusals,
    subscribers,
)
from upcycle_news.storage.workers import NO_WORKER

_ROWS = 500  # refusals that are looked at: as many of one domain may come in a row
_NEIGHBOURS = 200  # deliveries before and after the one that a report is about
_SPAN = 5000  # deliveries whose outcomes are looked at together
_CHUNK = 500
_REFUSED_STATES = (DeliveryState.REJECTED, DeliveryState.DEFERRED)
_PENDING_STATES = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENDING)


@dataclass(frozen=True)
class GuardStop:
    """Why an issue was stopped, and the deliveries that are queued again because of it."""

    reason: str
    deliveries: frozenset[int]


def is_refusal(verdict: Verdict) -> bool:
    """Return True for a permanent refusal of one delivery, whether it was rejected or put off."""
    return (verdict.code or 0) >= 500 and verdict.state in _REFUSED_STATES


def add_outcomes(
    connection: Connection, issue: str, delivery: int | None, *, accepted_before: int
) -> None:
    """Add a refused delivery, and how many its worker had accepted before; None: only these."""
    connection.execute(
        insert(recent_refusals).values(
            issue_id=issue, delivery_id=delivery, accepted_before=accepted_before
        )
    )


def check(
    connection: Connection, issue: str, last: Verdict, *, language: str, now: datetime
) -> GuardStop | None:
    """Look for a wave after a refusal; stop the issue when it is one of the relay or the sender.

    Then the wave's deliveries are queued again and their suppressions deleted. In a wave over few
    domains, and when a person has resumed the issue past the guard, the issue goes on, and what the
    wave suppresses waits for a person. None when the issue goes on.
    """
    wave = find_wave(_recent_outcomes(connection, issue))
    if wave is None:
        return None
    if is_past_guard(connection, issue) or not _must_stop(connection, issue, wave):
        pending_suppressions.keep_back(connection, issue, wave.doubtful, now=now)
        return None
    reason = _stop_reason(issue, wave, last).in_language(language)
    _queue_again(connection, issue, wave.deliveries, now=now)
    pending_suppressions.take_back(connection, issue, wave.deliveries, now=now)
    lifecycle.advance(connection, issue, IssueEvent.STOPPED, by=SYSTEM, now=now, reason=reason)
    return GuardStop(reason, wave.deliveries)


def _stop_reason(issue: str, wave: RefusalWave, last: Verdict) -> LocalizedText:
    reply = " ".join(part for part in (str(last.code or ""), last.enhanced, last.reason) if part)
    return localized(
        "guard-stopped",
        refused=wave.refused,
        outcomes=wave.outcomes,
        reply=reply,
        issue=issue,
    )


def _recent_outcomes(connection: Connection, issue: str) -> list[Outcome]:
    """Return the newest outcomes of an issue, newest first; a delivery that was refused twice once."""
    rows = connection.execute(
        select(
            recent_refusals.c.delivery_id,
            recent_refusals.c.accepted_before,
            subscribers.c.domain_key,
        )
        .select_from(recent_refusals)
        .outerjoin(deliveries, deliveries.c.id == recent_refusals.c.delivery_id)
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(recent_refusals.c.issue_id == issue)
        .order_by(recent_refusals.c.id.desc())
        .limit(_ROWS)
    )
    outcomes: list[Outcome] = []
    known: set[int] = set()
    for row in rows:
        if row.domain_key is not None and row.delivery_id not in known:
            known.add(row.delivery_id)
            outcomes.append(Outcome(row.delivery_id, row.domain_key))
        outcomes += [Outcome(0)] * min(row.accepted_before, _ROWS)
    return outcomes


def _must_stop(connection: Connection, issue: str, wave: RefusalWave) -> bool:
    """Return True if a wave over few domains is the relay's: nobody of another domain is left.

    A list may know only a few domains, or one. A single domain that refuses everybody is not the
    relay as long as another one has accepted something, or may.
    """
    if wave.spread:
        return True
    if not wave.unbroken:
        return False
    states: tuple[DeliveryState, ...] = _PENDING_STATES
    if len(wave.domains) == 1:
        states = (*_PENDING_STATES, DeliveryState.SENT)
    others = (
        select(deliveries.c.id)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(
            deliveries.c.issue_id == issue,
            deliveries.c.state.in_(states),
            subscribers.c.domain_key.not_in(sorted(wave.domains)),
        )
    )
    if connection.execute(others.limit(1)).first() is not None:
        return False
    return DeliveryState.SENT not in states or not _packed_elsewhere(connection, issue, wave)


def _packed_elsewhere(connection: Connection, issue: str, wave: RefusalWave) -> bool:
    """Return whether a packed delivery of the issue was accepted by another domain than the wave's."""
    readers = (
        one.subscriber_id
        for one in packed_deliveries.of_issue(connection, issue)
        if one.state == DeliveryState.SENT
    )
    while chunk := list(islice(readers, _CHUNK)):
        elsewhere = select(subscribers.c.id).where(
            subscribers.c.id.in_(chunk), subscribers.c.domain_key.not_in(sorted(wave.domains))
        )
        if connection.execute(elsewhere.limit(1)).first() is not None:
            return True
    return False


def _queue_again(
    connection: Connection, issue: str, refused: Collection[int], *, now: datetime
) -> None:
    ordered = sorted(refused)
    for start in range(0, len(ordered), _CHUNK):
        rows = select(deliveries.c.id).where(
            deliveries.c.issue_id == issue,
            deliveries.c.id.in_(ordered[start : start + _CHUNK]),
            deliveries.c.state.in_(_REFUSED_STATES),
        )
        connection.execute(
            update(deliveries)
            # Locked one after another, as workers claim them: in another order they could deadlock.
            .where(deliveries.c.id.in_(rows.order_by(deliveries.c.id).with_for_update()))
            .values(
                state=DeliveryState.QUEUED,
                next_at=None,
                code=None,
                enhanced="",
                worker_id=NO_WORKER,
                changed_at=now,
            )
        )


# --- what a person decides


def is_past_guard(connection: Connection, issue: str) -> bool:
    """Return whether a person resumed the issue past the guard, the last time it was resumed."""
    event = connection.scalar(
        select(issue_events.c.event)
        .where(
            issue_events.c.issue_id == issue,
            issue_events.c.event.in_(
                [IssueEvent.RESUMED, IssueEvent.RESUMED_PAST_GUARD, IssueEvent.REOPENED]
            ),
        )
        .order_by(issue_events.c.id.desc())
        .limit(1)
    )
    return bool(event == IssueEvent.RESUMED_PAST_GUARD)


def forget_outcomes(connection: Connection, issue: str) -> None:
    """Begin to count anew: a person has resumed the issue."""
    connection.execute(delete(recent_refusals).where(recent_refusals.c.issue_id == issue))


def put_off(connection: Connection, issue: str, *, until: datetime, now: datetime) -> int:
    """Defer the deliveries that a wave queued again until `until`; return how many."""
    refused = select(recent_refusals.c.delivery_id).where(recent_refusals.c.issue_id == issue)
    return connection.execute(
        update(deliveries)
        .where(
            deliveries.c.issue_id == issue,
            deliveries.c.state == DeliveryState.QUEUED,
            deliveries.c.worker_id == NO_WORKER,
            deliveries.c.attempts > 0,
            deliveries.c.id.in_(refused),
        )
        .values(state=DeliveryState.DEFERRED, next_at=until, changed_at=now)
    ).rowcount


# --- reports that come back later


def keep_back_waves_of_reports(
    connection: Connection, issue: str, of_deliveries: Collection[int], *, now: datetime
) -> int:
    """Keep back the suppressions of the waves of hard bounces that these deliveries are part of.

    The deliveries of an issue are looked at in the order of its queue. Returns how many are kept back
    now, 0 without such a wave.
    """
    doubtful: set[int] = set()
    for span in _neighbourhoods(of_deliveries):
        first, last = span[0] - _NEIGHBOURS, span[-1] + _NEIGHBOURS
        refused = _refused_between(connection, issue, first, last)
        # The usual case: a few dead addresses in a list.
        suspicious = [one for one in span if _count_near(refused, one) >= LEAST]
        if suspicious:
            outcomes = _outcomes_between(connection, issue, first, last)
            doubtful |= find_waves_around(outcomes, suspicious, reach=_NEIGHBOURS)
    if not doubtful:
        return 0
    return pending_suppressions.keep_back(connection, issue, doubtful, now=now)


def _count_near(refused: Sequence[int], delivery: int) -> int:
    """Return how many of the refused deliveries, which are in order, are neighbours of this one."""
    first, last = delivery - _NEIGHBOURS, delivery + _NEIGHBOURS
    return bisect_right(refused, last) - bisect_left(refused, first)


def _neighbourhoods(of_deliveries: Collection[int]) -> Iterator[list[int]]:
    """Yield the deliveries in order, those that share neighbours together, as far as `_SPAN` reaches."""
    span: list[int] = []
    for delivery in sorted(of_deliveries):
        if span and (delivery - span[-1] > 2 * _NEIGHBOURS or delivery - span[0] > _SPAN):
            yield span
            span = []
        span.append(delivery)
    if span:
        yield span


def _refused_between(connection: Connection, issue: str, first: int, last: int) -> list[int]:
    """Return the deliveries of an issue that bounced or were refused, in order, by their ids."""
    bounced = select(bounces.c.delivery_id).where(
        bounces.c.issue_id == issue,
        bounces.c.kind == "hard",
        bounces.c.delivery_id.between(first, last),
    )
    refused = select(deliveries.c.id).where(
        deliveries.c.id.between(first, last),
        deliveries.c.issue_id == issue,
        deliveries.c.state.in_(_REFUSED_STATES),
        deliveries.c.code >= 500,
    )
    return sorted({*connection.scalars(bounced), *connection.scalars(refused)})


def _outcomes_between(connection: Connection, issue: str, first: int, last: int) -> list[Outcome]:
    """Return the outcomes of the deliveries with these ids, in the order of the queue."""
    hard = (
        select(bounces.c.id)
        .where(
            bounces.c.subscriber_id == deliveries.c.subscriber_id,
            bounces.c.issue_id == issue,
            bounces.c.kind == "hard",
        )
        .correlate(deliveries)
        .exists()
    )
    rows = connection.execute(
        # By their ids alone, which is quick however long the list: those of an issue lie together.
        select(
            deliveries.c.id,
            deliveries.c.issue_id,
            deliveries.c.state,
            deliveries.c.code,
            subscribers.c.domain_key,
            hard.label("hard"),
        )
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.id.between(first, last))
        .order_by(deliveries.c.id)
    )
    outcomes = []
    for row in rows:
        refused = row.hard or (row.state in _REFUSED_STATES and (row.code or 0) >= 500)
        if row.issue_id != issue or not (refused or row.state == DeliveryState.SENT):
            continue
        domain = row.domain_key or f"erased {row.id}"
        outcomes.append(Outcome(row.id, domain if refused else ""))
    for one in packed_deliveries.of_issue(connection, issue, first=first, last=last):
        if one.state == DeliveryState.SENT:  # and no report is about it, or it were not packed
            outcomes.append(Outcome(one.id, ""))
    return sorted(outcomes, key=lambda outcome: outcome.delivery)
