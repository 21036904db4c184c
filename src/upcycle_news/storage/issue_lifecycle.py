"""The life of an issue: its states, the events between them, and the sums with which it closes.

    open → awaiting approval → approved → sending ⇄ paused | stopped → closed; cancelled

`TRANSITIONS` is the whole of it. Every other module changes an issue's state by `advance` and the
functions built on it, in its own transaction; nobody else writes the table `issues`. Each event is a
row of `issue_events`: who, when, from which state to which, about which revision. A decision about a
revision is such an event and is stored nowhere else.

Deliveries end on their own; whoever sees that nothing of an issue is queued, deferred or on the wire
calls `close_if_done`, which counts once and stores the sums. What comes later (bounces, complaints,
erasure) changes no sum. A process that dies before that leaves the issue as it was, and the next run
of deliver-pending closes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import DeliveryState, EventKind, IssueId, IssueState
from upcycle_news.observability.logging import Log
from upcycle_news.observability.redaction import redact
from upcycle_news.storage import event_log, packed_deliveries
from upcycle_news.storage.schema import (
    deliveries,
    issue_events,
    issue_relays,
    issues,
    recent_refusals,
    relay_stats,
    variant_sums,
)

log = Log(__name__)


class IssueEvent(StrEnum):
    """What happens to an issue. The first six concern a revision, the others its deliveries."""

    COMPOSED = "composed"  # another revision is the newest now
    ASKED = "asked"  # a flow run asks for an approval of a revision
    WITHDRAWN = "withdrawn"  # that request ended without a decision: expired, or to be asked again
    APPROVED = "approved"
    REJECTED = "rejected"
    SENT_BEFORE_RESTORE = (
        "sent before restore"  # an operator knows what the restored store does not
    )
    QUEUED = "queued"
    PAUSED = "paused"
    STOPPED = "stopped"
    RESUMED = "resumed"
    RESUMED_PAST_GUARD = "resumed past guard"  # a person knows that the refusals are right
    CLOSED = "closed"
    REOPENED = "reopened"
    CANCELLED = "cancelled"
    TAKEN_BACK = "taken back"  # it lies in the embedded mailbox only: no reader has it


_OPEN, _AWAITING, _APPROVED = IssueState.OPEN, IssueState.AWAITING_APPROVAL, IssueState.APPROVED
_SENDING, _PAUSED, _STOPPED = IssueState.SENDING, IssueState.PAUSED, IssueState.STOPPED
_CLOSED, _CANCELLED = IssueState.CLOSED, IssueState.CANCELLED


def _all_to(state: IssueState, *states: IssueState) -> Mapping[IssueState, IssueState]:
    return dict.fromkeys(states, state)


TRANSITIONS: Mapping[IssueEvent, Mapping[IssueState, IssueState]] = {
    IssueEvent.COMPOSED: _all_to(_OPEN, _OPEN, _AWAITING, _APPROVED),
    # A run that asks takes nothing away from the revision that is approved.
    IssueEvent.ASKED: {**_all_to(_AWAITING, _OPEN, _AWAITING), _APPROVED: _APPROVED},
    IssueEvent.WITHDRAWN: {_AWAITING: _OPEN},
    IssueEvent.APPROVED: _all_to(_APPROVED, _OPEN, _AWAITING, _APPROVED),
    IssueEvent.REJECTED: _all_to(_OPEN, _OPEN, _AWAITING, _APPROVED),
    IssueEvent.SENT_BEFORE_RESTORE: _all_to(_CANCELLED, _OPEN, _AWAITING, _APPROVED),
    IssueEvent.QUEUED: {_APPROVED: _SENDING},
    IssueEvent.PAUSED: _all_to(_PAUSED, _SENDING, _PAUSED, _STOPPED),
    IssueEvent.STOPPED: _all_to(_STOPPED, _SENDING, _PAUSED, _STOPPED),
    IssueEvent.RESUMED: {**_all_to(_SENDING, _SENDING, _PAUSED, _STOPPED), _CLOSED: _CLOSED},
    IssueEvent.RESUMED_PAST_GUARD: {_STOPPED: _SENDING},
    # A closed issue closes again when its sums were corrected: a reply that came late.
    IssueEvent.CLOSED: {
        **_all_to(_CLOSED, _SENDING, _PAUSED, _STOPPED, _CLOSED),
        _CANCELLED: _CANCELLED,
    },
    IssueEvent.REOPENED: {_CLOSED: _SENDING},
    IssueEvent.CANCELLED: _all_to(_CANCELLED, _SENDING, _PAUSED, _STOPPED, _CANCELLED),
    IssueEvent.TAKEN_BACK: _all_to(_OPEN, _SENDING, _PAUSED, _STOPPED, _CLOSED),
}
"""The new state by event and state; what is missing is refused."""

_DECISIONS = (IssueEvent.APPROVED, IssueEvent.REJECTED)
# They say something even when the state stays: the others are recorded only when it changes.
_ALWAYS_RECORDED = frozenset(
    {
        IssueEvent.COMPOSED,
        IssueEvent.ASKED,
        IssueEvent.APPROVED,
        IssueEvent.REJECTED,
        IssueEvent.CLOSED,
    }
)
FINAL = (
    DeliveryState.SENT,
    DeliveryState.REJECTED,
    DeliveryState.UNKNOWN,
    DeliveryState.SUPPRESSED,
    DeliveryState.CANCELLED,
)
"""The states of deliveries that a closing sum is made of, as the columns of `issues` are called."""
_WAITING = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)
SYSTEM = "upcycle-news"
"""Who did it when nobody decided it."""


def next_state(state: IssueState, event: IssueEvent) -> IssueState | None:
    """Return the state after an event; None when the event cannot happen in this state."""
    return TRANSITIONS[event].get(state)


# --- one event


def create(
    connection: Connection, issue: IssueId, number: int, revision_id: str, *, now: datetime
) -> None:
    """Add an open issue with this number, for its first revision."""
    connection.execute(
        insert(issues).values(
            id=str(issue),
            day=issue.day,
            number=number,
            state=_OPEN,
            revision_id="",
            audience=0,
            stop_reason="",
            created_at=now,
            **dict.fromkeys((state.value for state in FINAL), 0),
        )
    )
    about = _about(by=SYSTEM, now=now, revision_id=revision_id)
    _apply(connection, str(issue), IssueEvent.COMPOSED, _OPEN, _OPEN, about)


def locked(connection: Connection, issue: str) -> Row[Any] | None:
    """Return the row of an issue, locked (Postgres) until this transaction ends; None without one."""
    return connection.execute(select(issues).where(issues.c.id == issue).with_for_update()).first()


def advance(
    connection: Connection,
    issue: str,
    event: IssueEvent,
    *,
    by: str,
    now: datetime,
    revision_id: str = "",
    reason: str = "",
    columns: Mapping[str, Any] | None = None,
) -> IssueState:
    """Apply an event to an issue, record it, and return the new state.

    `columns` are stored with it. Raises `IssueError` when the issue does not exist or the event
    cannot happen in its state; then nothing was changed.
    """
    row = locked(connection, issue)
    if row is None:
        raise IssueError(localized("issue-unknown", issue=issue))
    before = IssueState(row.state)
    after = next_state(before, event)
    if after is None:
        raise IssueError(_refusal(issue, event, before))
    about = _about(by=by, now=now, revision_id=revision_id, reason=reason)
    _apply(connection, issue, event, before, after, about, columns)
    return after


def _about(*, by: str, now: datetime, revision_id: str = "", reason: str = "") -> dict[str, Any]:
    """Return what is recorded of an event besides its states."""
    return {"by": by, "at": now, "revision_id": revision_id, "reason": reason}


def _apply(
    connection: Connection,
    issue: str,
    event: IssueEvent,
    before: IssueState,
    after: IssueState,
    about: Mapping[str, Any],
    columns: Mapping[str, Any] | None = None,
) -> None:
    if after is before and event not in _ALWAYS_RECORDED:
        return
    values = dict(columns or {})
    if after is not before:
        values |= {"state": after, "stop_reason": about["reason"]}
    if event is IssueEvent.QUEUED:
        values["revision_id"] = about["revision_id"]
    if values:
        connection.execute(update(issues).where(issues.c.id == issue).values(**values))
    states = {"from_state": before, "to_state": after}
    connection.execute(insert(issue_events).values(issue_id=issue, event=event, **states, **about))
    if (kind := _TOLD.get(event)) is not None:
        event_log.append(
            connection, kind, at=about["at"], issue=issue, detail=_detail(event, about, values)
        )


_TOLD = {
    IssueEvent.APPROVED: EventKind.ISSUE_APPROVED,
    IssueEvent.REJECTED: EventKind.ISSUE_REJECTED,
    IssueEvent.SENT_BEFORE_RESTORE: EventKind.ISSUE_CANCELLED,
    IssueEvent.QUEUED: EventKind.ISSUE_SENT,
    IssueEvent.PAUSED: EventKind.ISSUE_PAUSED,
    IssueEvent.STOPPED: EventKind.ISSUE_STOPPED,
    IssueEvent.RESUMED: EventKind.ISSUE_RESUMED,
    IssueEvent.RESUMED_PAST_GUARD: EventKind.ISSUE_RESUMED,
    IssueEvent.CLOSED: EventKind.ISSUE_CLOSED,
    IssueEvent.REOPENED: EventKind.ISSUE_REOPENED,
    IssueEvent.CANCELLED: EventKind.ISSUE_CANCELLED,
    IssueEvent.TAKEN_BACK: EventKind.ISSUE_TAKEN_BACK,
}
"""What other programs are told of an issue, and as what."""


def _detail(
    event: IssueEvent, about: Mapping[str, Any], values: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return what other programs are told besides: never who did it, nor what a person wrote as reason."""
    if event in _DECISIONS:
        return {"revision": about["revision_id"]}
    if event is IssueEvent.QUEUED:
        return {"revision": about["revision_id"], "audience": values.get("audience", 0)}
    if event is IssueEvent.STOPPED:  # the program's own sentence, with the relay's reply
        return {"reason": redact(about["reason"])}
    if event is IssueEvent.CLOSED:
        sums = {state.value: values.get(state.value, 0) for state in FINAL}
        return {"audience": sum(sums.values()), **sums}
    return {}


def _refusal(issue: str, event: IssueEvent, state: IssueState) -> LocalizedText:
    """Return why an event cannot happen in this state, and what to do instead."""
    done_to = {
        IssueEvent.COMPOSED: localized("not-changed", issue=issue),
        IssueEvent.ASKED: localized("not-asked", issue=issue),
        IssueEvent.APPROVED: localized("not-approved", issue=issue),
        IssueEvent.REJECTED: localized("not-rejected", issue=issue),
        IssueEvent.QUEUED: localized("not-queued", issue=issue),
        IssueEvent.PAUSED: localized("not-paused", issue=issue),
        IssueEvent.STOPPED: localized("not-stopped", issue=issue),
        IssueEvent.RESUMED: localized("not-resumed", issue=issue),
        IssueEvent.RESUMED_PAST_GUARD: localized("not-resumed-past-guard", issue=issue),
        IssueEvent.CANCELLED: localized("not-cancelled", issue=issue),
        IssueEvent.TAKEN_BACK: localized("not-taken-back", issue=issue),
    }
    because = {
        _OPEN: localized("not-now-open", issue=issue),
        _AWAITING: localized("not-now-awaiting", issue=issue),
        _APPROVED: localized("not-now-approved", issue=issue),
        _CLOSED: localized("not-now-closed", issue=issue),
        _CANCELLED: localized("not-now-cancelled"),
    }
    what = done_to.get(event) or localized("not-otherwise", issue=issue, event=event.value)
    why = because.get(state) or localized("not-now-sending", issue=issue)
    return localized("not-now", what=what, why=why)


# --- what happened so far


@dataclass(frozen=True)
class RecordedEvent:
    """An event of an issue. `by` is who decided it, or "upcycle-news" when nobody did.

    `revision_id` is empty for an event that concerns no revision, `reason` where none was given.
    """

    event: IssueEvent
    at: datetime
    by: str
    from_state: IssueState
    to_state: IssueState
    revision_id: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        """Return the JSON object of `issue status --history`; `hash` is the id of the revision."""
        return {
            "at": self.at.isoformat(timespec="seconds"),
            "event": self.event.value,
            "by": self.by,
            "from": self.from_state.value,
            "to": self.to_state.value,
            "hash": self.revision_id,
            "reason": self.reason,
        }


def history(connection: Connection, issue: str) -> tuple[RecordedEvent, ...]:
    """Return the events of an issue, oldest first."""
    rows = connection.execute(
        select(issue_events).where(issue_events.c.issue_id == issue).order_by(issue_events.c.id)
    )
    return tuple(
        RecordedEvent(
            event=IssueEvent(row.event),
            at=row.at,
            by=row.by,
            from_state=IssueState(row.from_state),
            to_state=IssueState(row.to_state),
            revision_id=row.revision_id,
            reason=row.reason,
        )
        for row in rows
    )


# --- revisions and decisions


@dataclass(frozen=True)
class Decision:
    """An approval or rejection of a revision."""

    approved: bool
    by: str
    at: datetime


def decision_about(connection: Connection, issue: str, revision_id: str) -> Decision | None:
    """Return the approval or rejection of a revision that holds; None without any.

    A rejection holds until the same revision is approved. An approval ends when another revision is
    composed or approved: it is about one state of the issue, the one that is sent next. It ends too
    when the issue is taken back from the mailbox: to send it to readers is another decision.
    """
    decided = connection.execute(
        select(issue_events)
        .where(
            issue_events.c.issue_id == issue,
            issue_events.c.revision_id == revision_id,
            issue_events.c.event.in_(_DECISIONS),
        )
        .order_by(issue_events.c.id.desc())
        .limit(1)
    ).first()
    if decided is None:
        return None
    approved = decided.event == IssueEvent.APPROVED
    if approved:
        ended = select(issue_events.c.id).where(
            issue_events.c.issue_id == issue,
            issue_events.c.id > decided.id,
            or_(
                issue_events.c.event == IssueEvent.TAKEN_BACK,
                and_(
                    issue_events.c.revision_id != revision_id,
                    issue_events.c.event.in_([IssueEvent.COMPOSED, IssueEvent.APPROVED]),
                ),
            ),
        )
        if connection.execute(ended.limit(1)).first():
            return None
    return Decision(approved, decided.by, decided.at)


def record_revision(
    connection: Connection, issue: str, revision_id: str, *, is_new: bool, now: datetime
) -> None:
    """Record that a revision is the newest one now: what was asked or approved of another one ends.

    Raises `IssueError` when the issue is frozen.
    """
    row = locked(connection, issue)
    if row is not None:
        state = IssueState(row.state)
        if state.is_frozen:
            cancelled = state is _CANCELLED
            why = localized("not-now-cancelled") if cancelled else localized("not-now-begun")
            raise IssueError(localized("issue-frozen", issue=issue, why=why))
        known = state is _OPEN or _subject(connection, issue, state) == revision_id
        if known and not is_new:
            return
    advance(connection, issue, IssueEvent.COMPOSED, by=SYSTEM, now=now, revision_id=revision_id)


def record_decision(
    connection: Connection,
    issue: str,
    revision_id: str,
    *,
    approved: bool,
    by: str,
    now: datetime,
) -> None:
    """Approve or reject a revision. To approve what is being sent already changes nothing.

    A rejection of another revision than the one that is approved, or asked about, leaves that one's
    state as it is. Raises `IssueError` when deliveries have begun, or the issue was cancelled.
    """
    row = locked(connection, issue)
    event = IssueEvent.APPROVED if approved else IssueEvent.REJECTED
    state = None if row is None else IssueState(row.state)
    if row is not None and approved and row.revision_id == revision_id and state is not _CANCELLED:
        return
    if not approved and state in (_AWAITING, _APPROVED):
        assert state is not None
        if _subject(connection, issue, state) != revision_id:
            about = _about(by=by, now=now, revision_id=revision_id)
            _apply(connection, issue, event, state, state, about)
            return
    advance(connection, issue, event, by=by, now=now, revision_id=revision_id)


def record_request(
    connection: Connection, issue: str, revision_id: str, *, by: str, now: datetime
) -> None:
    """Record that a run asks about a revision, unless the issue waits for just that.

    Raises `IssueError` when the issue is frozen.
    """
    row = locked(connection, issue)
    waits = row is not None and row.state == _AWAITING
    if waits and _subject(connection, issue, _AWAITING) == revision_id:
        return
    advance(connection, issue, IssueEvent.ASKED, by=by, now=now, revision_id=revision_id)


def withdraw_request(
    connection: Connection, issue: str, revision_id: str, *, reason: str, now: datetime
) -> None:
    """Record that nobody asks about a revision any more, if that is what the issue waits for."""
    row = locked(connection, issue)
    if row is None or row.state != _AWAITING:
        return
    if _subject(connection, issue, _AWAITING) == revision_id:
        advance(
            connection,
            issue,
            IssueEvent.WITHDRAWN,
            by=SYSTEM,
            now=now,
            revision_id=revision_id,
            reason=reason,
        )


def approved_revision(connection: Connection, issue: str) -> str | None:
    """Return the revision that was approved last, whatever came of it later."""
    return _subject(connection, issue, _APPROVED)


def _subject(connection: Connection, issue: str, state: IssueState) -> str | None:
    """Return the revision that an issue is asked about, or that is approved in this state."""
    event = IssueEvent.APPROVED if state is _APPROVED else IssueEvent.ASKED
    revision_id: str | None = connection.scalar(
        select(issue_events.c.revision_id)
        .where(issue_events.c.issue_id == issue, issue_events.c.event == event)
        .order_by(issue_events.c.id.desc())
        .limit(1)
    )
    return revision_id


# --- deliveries


def cancel(
    connection: Connection,
    issue: str,
    event: IssueEvent = IssueEvent.CANCELLED,
    *,
    by: str,
    now: datetime,
    reason: str = "",
    revision_id: str = "",
) -> None:
    """Cancel an issue and its deliveries, those on the wire aside; raises `IssueError`.

    `revision_id` is given where it is known which revision went out, without this store.
    """
    columns = {"revision_id": revision_id} if revision_id else None
    about = {"by": by, "reason": reason, "revision_id": revision_id}
    advance(connection, issue, event, now=now, columns=columns, **about)
    settle_returned_deliveries(connection, issue, now=now)
    close_if_done(connection, issue, now=now)


def settle_returned_deliveries(connection: Connection, issue: str, *, now: datetime) -> None:
    """Settle what came back to the queue: cancelled in a cancelled issue; a closed one is reopened.

    Called in the transaction that queued deliveries again, whatever the reason.
    """
    # The row is locked (Postgres), so that nobody cancels between this check and our commit.
    state = connection.scalar(
        select(issues.c.state).where(issues.c.id == issue).with_for_update(read=True)
    )
    if state == _CLOSED and has_waiting(connection, issue):
        reopen(connection, issue, by=SYSTEM, reason="deliveries came back to the queue", now=now)
    if state != _CANCELLED:
        return
    waiting = select(deliveries.c.id).where(
        deliveries.c.issue_id == issue,
        deliveries.c.state.in_([DeliveryState.QUEUED, DeliveryState.DEFERRED]),
    )
    connection.execute(
        update(deliveries)
        # Locked one after another, as workers claim them: in another order they could deadlock.
        .where(deliveries.c.id.in_(waiting.order_by(deliveries.c.id).with_for_update()))
        .values(
            state=DeliveryState.CANCELLED,
            reason=str(localized("reason-issue-cancelled")),
            changed_at=now,
            next_at=None,
        )
    )


def reopen(connection: Connection, issue: str, *, by: str, now: datetime, reason: str = "") -> None:
    """Let a closed issue be sent again; its sums are counted anew when it closes."""
    advance(
        connection,
        issue,
        IssueEvent.REOPENED,
        by=by,
        now=now,
        reason=reason,
        columns={"closed_at": None},
    )


def take_back(connection: Connection, issue: str, *, by: str, now: datetime, reason: str) -> None:
    """Open an issue again whose deliveries lie in the embedded mailbox only, and remove these.

    The caller knows that no relay has any of them. What it told still counts as told, until it is
    queued again. Raises `IssueError` for an issue that is not being sent, or is on the wire now.
    """
    locked(connection, issue)
    on_the_wire = select(deliveries.c.id).where(
        deliveries.c.issue_id == issue, deliveries.c.state == DeliveryState.SENDING
    )
    if connection.execute(on_the_wire.limit(1)).first():
        raise IssueError(localized("mailbox-busy", issue=issue))
    nothing_sent = dict.fromkeys((state.value for state in FINAL), 0)
    columns = {
        "revision_id": "",
        "audience": 0,
        "enqueued_at": None,
        "closed_at": None,
        "left_without": None,
        "digest_day": None,
        "left_for_digest": None,
    }
    advance(
        connection,
        issue,
        IssueEvent.TAKEN_BACK,
        by=by,
        now=now,
        reason=reason,
        columns={**columns, **nothing_sent},
    )
    connection.execute(delete(deliveries).where(deliveries.c.issue_id == issue))
    packed_deliveries.delete_issue(connection, issue)
    for table in (issue_relays, relay_stats, recent_refusals, variant_sums):
        connection.execute(delete(table).where(table.c.issue_id == issue))


def has_waiting(connection: Connection, issue: str) -> bool:
    """Return whether a delivery is queued, deferred or on the wire: three look-ups in the index."""
    return any(
        connection.execute(
            select(deliveries.c.id)
            .where(deliveries.c.issue_id == issue, deliveries.c.state == state)
            .limit(1)
        ).first()
        for state in _WAITING
    )


def count_deliveries(connection: Connection, issue: str) -> dict[DeliveryState, int]:
    """Count an issue's deliveries by state: reads an index entry for each that is not packed."""
    rows = connection.execute(
        select(deliveries.c.state, func.count())
        .where(deliveries.c.issue_id == issue)
        .group_by(deliveries.c.state)
    )
    counts = packed_deliveries.counts_by_state(connection, issue)
    for state, number in rows:
        counts[DeliveryState(state)] = counts.get(DeliveryState(state), 0) + number
    return counts


def record_variants(connection: Connection, issue: str, readers: Mapping[int, int]) -> None:
    """Record how many deliveries each variant of an issue has that is queued now."""
    connection.execute(delete(variant_sums).where(variant_sums.c.issue_id == issue))
    none_ended = dict.fromkeys((state.value for state in FINAL), 0)
    rows = [
        {"issue_id": issue, "variant": number, "audience": count, **none_ended}
        for number, count in sorted(readers.items())
    ]
    if rows:  # none where all readers get the issue in a digest
        connection.execute(insert(variant_sums), rows)


def count_variants(connection: Connection, issue: str) -> dict[int, dict[DeliveryState, int]]:
    """Count an issue's deliveries by variant and state: reads every row of it, and no packed one."""
    rows = connection.execute(
        select(deliveries.c.variant, deliveries.c.state, func.count())
        .where(deliveries.c.issue_id == issue)
        .group_by(deliveries.c.variant, deliveries.c.state)
    )
    total = packed_deliveries.counts(connection, issue)
    for variant, state, number in rows:
        key = (variant, DeliveryState(state))
        total[key] = total.get(key, 0) + number
    counts: dict[int, dict[DeliveryState, int]] = {}
    for (variant, of_state), number in total.items():
        counts.setdefault(variant, {})[of_state] = number
    return counts


def close_if_done(connection: Connection, issue: str, *, now: datetime) -> bool:
    """Close an issue of which nothing is queued, deferred or on the wire; False for any other.

    Counts its deliveries, checks that they are as many as its audience, and stores the sums. A
    cancelled issue stays cancelled and gets its sums.
    """
    state = connection.execute(
        select(issues.c.state, issues.c.closed_at).where(issues.c.id == issue)
    ).first()
    if state is None or state.closed_at is not None:
        return False
    if next_state(IssueState(state.state), IssueEvent.CLOSED) is None:
        return False
    if has_waiting(connection, issue):
        return False
    row = locked(connection, issue)
    # Looked at again under the lock: another process may have closed it, or queued something again.
    if row is None or row.closed_at is not None or has_waiting(connection, issue):
        return False
    return _store_sums(connection, row, now=now)


def correct_sums(connection: Connection, issue: str, *, now: datetime) -> None:
    """Count a closed issue again, after a delivery of it got another final state.

    That is a reply which came when its process had been given up, or a merge after a restore.
    """
    row = locked(connection, issue)
    if row is not None and row.closed_at is not None:
        _store_sums(connection, row, now=now)


def _store_sums(connection: Connection, row: Row[Any], *, now: datetime) -> bool:
    counts = count_deliveries(connection, row.id)
    if sum(counts.values()) != row.audience:
        log.error(
            "issue not closed: its deliveries are not as many as its audience; restore a backup",
            issue=row.id,
            audience=row.audience,
            deliveries=sum(counts.values()),
        )
        return False
    sums = {state.value: counts.get(state, 0) for state in FINAL}
    _store_variant_sums(connection, row.id)
    advance(
        connection,
        row.id,
        IssueEvent.CLOSED,
        by=SYSTEM,
        now=now,
        reason=row.stop_reason if row.state == _CANCELLED else "",
        columns={"closed_at": now, **sums},
    )
    connection.execute(delete(recent_refusals).where(recent_refusals.c.issue_id == row.id))
    log.info("issue closed", issue=row.id, audience=row.audience, **sums)
    return True


def _store_variant_sums(connection: Connection, issue: str) -> None:
    """Store how the deliveries of each variant ended, of an issue that has several."""
    has_variants = select(variant_sums.c.variant).where(variant_sums.c.issue_id == issue).limit(1)
    if connection.execute(has_variants).first() is None:
        return
    for number, counts in count_variants(connection, issue).items():
        connection.execute(
            update(variant_sums)
            .where(variant_sums.c.issue_id == issue, variant_sums.c.variant == number)
            .values({state.value: counts.get(state, 0) for state in FINAL})
        )


def stored_sums(row: Row[Any]) -> dict[DeliveryState, int]:
    """Return the sums of an issue that has `closed_at`, without the states that nothing ended in."""
    sums = {state: int(row._mapping[state.value]) for state in FINAL}
    return {state: number for state, number in sums.items() if number}


# --- a store that is restored


def record_digest_day(connection: Connection, issue: str, day: date, left: int | None) -> None:
    """Record which digest tells an issue that went out before the store was set back.

    And to how many; None where nobody knows.
    """
    values = {"digest_day": day, "left_for_digest": left}
    connection.execute(update(issues).where(issues.c.id == issue).values(**values))


def adopt(
    connection: Connection, values: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> None:
    """Store an issue as another store has it, with its events, in place of what is known of it.

    `values` are the columns of its row; the number of an issue that is known here stays.
    """
    issue = values["id"]
    if connection.scalar(select(issues.c.id).where(issues.c.id == issue)) is None:
        connection.execute(insert(issues).values(**values))
    else:
        others = {name: value for name, value in values.items() if name != "number"}
        connection.execute(update(issues).where(issues.c.id == issue).values(**others))
    connection.execute(issue_events.delete().where(issue_events.c.issue_id == issue))
    if events:
        connection.execute(insert(issue_events), [dict(event) for event in events])


def close_all_done(connection: Connection, *, now: datetime) -> None:
    """Close every issue of which nothing waits any more."""
    frozen = [state for state in IssueState if state.is_frozen]
    unsettled = select(issues.c.id).where(issues.c.state.in_(frozen), issues.c.closed_at.is_(None))
    for issue in connection.scalars(unsettled.order_by(issues.c.number)).all():
        close_if_done(connection, issue, now=now)
