"""Issues: their state, the sums of their deliveries, and the content they used."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
)

from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    MAILBOX,
    DeliveryState,
    IssueId,
    IssueState,
    IssueStatus,
    Manifest,
    Variants,
    VariantStatus,
)
from upcycle_news.models.digest import DigestInterval, DigestPeriod
from upcycle_news.models.variants import issue_of, number_of
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage import issue_relays, manifest_json, refusal_guard, rhythms, send_hold
from upcycle_news.storage import revisions as revision_rows
from upcycle_news.storage.audience import (
    QueuedReaders,
    VariantOf,
    mailings_that_told,
    queue_deliveries,
)
from upcycle_news.storage.database import Store
from upcycle_news.storage.issue_lifecycle import SYSTEM, IssueEvent, RecordedEvent
from upcycle_news.storage.schema import (
    deliveries,
    issues,
    revisions,
    used_content,
)
from upcycle_news.storage.schema import issue_relays as issue_relays_table
from upcycle_news.storage.schema import variant_sums as variant_sums_table


@dataclass(frozen=True)
class IssueRow:
    """An issue. `revision_id` is the frozen revision, empty before; `closed_at`: its sums are final.

    The digest of `digest_day` tells it, to `left_for_digest` readers; None where none does, or nobody knows.
    """

    id: IssueId
    number: int
    state: IssueState
    revision_id: str
    audience: int
    stop_reason: str
    enqueued_at: datetime | None
    closed_at: datetime | None = None
    digest_day: date | None = None
    left_for_digest: int | None = None

    @property
    def frozen(self) -> bool:
        """True once its deliveries have begun: the issue takes no other revision any more."""
        return self.state.is_frozen


def get(store: Store, issue: IssueId) -> IssueRow | None:
    """Return the issue; None when it was never previewed."""
    with store.reading() as connection:
        row = connection.execute(select(issues).where(issues.c.id == str(issue))).first()
    return None if row is None else _issue(row)


def find_by_number(store: Store, number: int) -> IssueId | None:
    """Return the issue with this number, as links to it hold; None when there is none."""
    query = select(issues.c.id).where(issues.c.number == number)
    with store.reading() as connection:
        issue = connection.scalar(query)
    return None if issue is None else IssueId.parse(issue)


def all_issues(store: Store, last: int | None = None) -> tuple[IssueRow, ...]:
    """Return all issues, or the `last` so many, oldest first.

    What a run asks for is narrower: see the functions below.
    """
    newest = select(issues).order_by(issues.c.day.desc(), issues.c.number.desc()).limit(last)
    return _select(store, newest)


def issues_of_day(store: Store, day: date) -> tuple[IssueRow, ...]:
    """Return the issues of a day, oldest first."""
    return _select(store, select(issues).where(issues.c.day == day))


def newest_issue(store: Store, *, frozen: bool = False, digests: bool = True) -> IssueId | None:
    """Return the newest issue, with `frozen` the newest whose deliveries began; None without one."""
    states = [state for state in IssueState if state.is_frozen or not frozen]
    # One look-up in the index for each state, instead of reading all issues to sort them.
    wanted = true() if digests else issues.c.id.not_like("%-d%")
    newest = [
        select(func.max(issues.c.day)).where(issues.c.state == state, wanted) for state in states
    ]
    with store.reading() as connection:
        days = connection.execute(select(*(day.scalar_subquery() for day in newest))).one()
    if not (known := [day for day in days if day is not None]):
        return None
    rows = [
        row
        for row in issues_of_day(store, max(known))
        if row.state in states and (digests or not row.id.digest)
    ]
    return rows[-1].id if rows else None


def issues_in(store: Store, *states: IssueState, until: date | None = None) -> tuple[IssueRow, ...]:
    """Return the issues in these states, oldest first; with `until` only those of days up to it."""
    query = select(issues).where(issues.c.state.in_(states))
    return _select(store, query if until is None else query.where(issues.c.day <= until))


def unclosed_issues(store: Store) -> tuple[IssueRow, ...]:
    """Return the frozen issues whose sums are not final yet, oldest first."""
    states = [state for state in IssueState if state.is_frozen]
    query = select(issues).where(issues.c.state.in_(states), issues.c.closed_at.is_(None))
    return _select(store, query)


def issues_queued_since(store: Store, moment: datetime) -> tuple[IssueRow, ...]:
    """Return the issues that were queued at `moment` or later, oldest first."""
    return _select(store, select(issues).where(issues.c.enqueued_at >= moment))


def was_any_queued(store: Store) -> bool:
    """Return whether the deliveries of any issue ever began."""
    query = select(issues.c.id).where(issues.c.enqueued_at.is_not(None)).limit(1)
    with store.reading() as connection:
        return connection.execute(query).first() is not None


def history(store: Store, issue: IssueId) -> tuple[RecordedEvent, ...]:
    """Return what happened to an issue, by whom and when, oldest first."""
    with store.reading() as connection:
        return lifecycle.history(connection, str(issue))


def has_waiting(store: Store, issue: IssueId) -> bool:
    """Return whether a delivery of an issue is queued, deferred or on the wire."""
    with store.reading() as connection:
        return lifecycle.has_waiting(connection, str(issue))


def has_due(store: Store, issue: IssueId, *, now: datetime) -> bool:
    """Return whether a delivery of an issue may be sent now: it is queued, or deferred and due again."""
    is_due = or_(
        deliveries.c.state == DeliveryState.QUEUED,
        and_(deliveries.c.state == DeliveryState.DEFERRED, deliveries.c.next_at <= now),
    )
    query = select(deliveries.c.id).where(deliveries.c.issue_id == str(issue), is_due).limit(1)
    with store.reading() as connection:
        return connection.execute(query).first() is not None


def close_if_done(store: Store, issue: IssueId, *, now: datetime) -> bool:
    """Close an issue of which nothing waits any more; see `issue_lifecycle.close_if_done`."""
    with store.writing() as connection:
        return lifecycle.close_if_done(connection, str(issue), now=now)


def _select(store: Store, query: Select[Any]) -> tuple[IssueRow, ...]:
    with store.reading() as connection:
        rows = connection.execute(query).all()
    return tuple(sorted(map(_issue, rows), key=lambda row: row.id))


@dataclass(frozen=True)
class NewApproval:
    """An approval that is recorded together with the queue, or not at all.

    `overrules`: a rejection of the same revision is overruled. An approval that holds stays as it is.
    """

    by: str
    overrules: bool = False


def enqueue(
    store: Store,
    revision: revision_rows.Revision,
    *,
    by: str = SYSTEM,
    now: datetime,
    relay: str = "",
    approval: NewApproval | None = None,
    interval: DigestInterval | None = None,
) -> int:
    """Freeze an approved issue and queue one delivery for each confirmed, unsuppressed subscriber.

    Who chose the digest, whose `interval` it is, gets the issue in that.

    One transaction: the approval if one is given with it, the audience, the queue for `relay` (empty:
    the first that delivers) and the content that is used now. Returns the audience's size; raises
    `IssueError` when the issue is frozen already, is not approved with this revision any more, or has no
    audience, and `SendHoldError` while a send hold is active.
    """
    issue, manifest = revision.issue, revision.manifest
    with store.writing() as connection:
        send_hold.raise_if_held(connection)
        row = lifecycle.locked(connection, str(issue))
        if row is not None and IssueState(row.state).is_frozen:
            if row.revision_id == revision.revision_id:
                return int(row.audience)  # another process was faster with the same revision
            raise IssueError(localized("issue-queued-otherwise", issue=issue))
        _raise_unless_approved(connection, issue, revision.revision_id, approval, now)
        if issue.correction:
            _raise_unless_correctable(connection, issue, relay)
        if issue.digest:
            _raise_unless_untold(connection, issue, manifest.issue.digest_of)
        rhythms.lock_out_choices(connection)
        period = rhythms.issue_period(connection, issue, interval)
        if period is not None and issue.is_regular:
            period = rhythms.begin_period(connection, issue.day, interval)
        queued = queue_deliveries(
            connection,
            issue,
            manifest.publication.readers_of,
            variant_chooser(manifest),
            now=now,
            period=period,
        )
        if not queued.audience and not queued.left_for_digest:
            raise IssueError(nobody_to_send_to(issue))
        columns = {
            "enqueued_at": now,
            "audience": queued.audience,
            "left_without": dict(queued.without) or None,
            **_digest_columns(issue, period, queued.left_for_digest),
        }
        lifecycle.advance(
            connection,
            str(issue),
            IssueEvent.QUEUED,
            by=by,
            now=now,
            revision_id=revision.revision_id,
            columns=columns,
        )
        _record_queued(connection, manifest, queued, relay)
    return queued.audience


def _record_queued(
    connection: Connection, manifest: Manifest, queued: QueuedReaders, relay: str
) -> None:
    """Record over which relay an issue goes that is queued now, its variants, and what it tells."""
    issue = manifest.issue.id
    if manifest.variants:
        lifecycle.record_variants(connection, str(issue), queued.variants)
    if relay:
        issue_relays.record_queued(connection, str(issue), relay)
    if not issue.correction:  # which tells nothing new
        # A digest may tell any of the items.
        told = None if queued.left_for_digest else queued.variants
        record_used_content(connection, manifest, variants=told)


def _digest_columns(issue: IssueId, period: DigestPeriod | None, left: int) -> dict[str, Any]:
    """Return which digest tells an issue that is queued, and for how many; none for a digest itself."""
    told = period is not None and issue.is_regular
    return {
        "digest_day": period.end if told and period else None,
        "left_for_digest": left if told else None,
    }


def variant_chooser(manifest: Manifest) -> VariantOf | None:
    """Return what says which of a manifest's variants a choice gets; None where there is one only."""
    if manifest.variants == Variants():
        return None
    return partial(number_of, manifest.issue, manifest.variants)


def nobody_to_send_to(issue: IssueId) -> LocalizedText:
    """Return that an issue has no audience."""
    if issue.correction:
        return localized("correction-nobody", issue=str(issue.original))
    if issue.digest:
        return localized("digest-nobody", issue=str(issue))
    return localized("nobody-to-send-to")


def _raise_unless_correctable(connection: Connection, issue: IssueId, relay: str) -> None:
    """Raise `IssueError` while the issue that is corrected, or a digest that told it, is on its way.

    Also for an issue in the mailbox only.
    """
    original = str(issue.original)
    for mailing in mailings_that_told(connection, issue.original):
        if lifecycle.has_waiting(connection, mailing):
            raise IssueError(localized("correction-too-soon", issue=mailing))
    if relay != MAILBOX and issue_relays.lies_in_mailbox(connection, original):
        raise IssueError(localized("correction-unsent", issue=original))


def _raise_unless_untold(connection: Connection, digest: IssueId, told: Collection[str]) -> None:
    """Raise `IssueError` when another digest told one of these issues already."""
    earlier = _told_by_others(digest).where(used_content.c.value.in_(sorted(told)))
    if (issue := connection.scalar(earlier.limit(1))) is not None:
        raise IssueError(localized("digest-told", issue=str(digest), told=issue))


def _raise_unless_approved(
    connection: Connection,
    issue: IssueId,
    revision_id: str,
    approval: NewApproval | None,
    now: datetime,
) -> None:
    """Record an approval that is given now; raise `IssueError` when there is none for the revision."""
    decision = lifecycle.decision_about(connection, str(issue), revision_id)
    if decision is not None and decision.approved:
        return
    if decision is not None and not (approval and approval.overrules):
        raise IssueError(localized("issue-rejected-meanwhile", issue=str(issue)))
    if approval is None:
        raise IssueError(localized("issue-not-approved", issue=str(issue)))
    lifecycle.record_decision(
        connection, str(issue), revision_id, approved=True, by=approval.by, now=now
    )


def take_back_from_mailbox(
    store: Store, issue: IssueId, *, by: str, reason: str, now: datetime
) -> bool:
    """Open an issue again that lies in the mailbox; False when it does not, or another process was faster.

    What is queued next is a new audience: whoever has joined or left since is in or out. Raises
    `IssueError` while a delivery of it is on the wire.
    """
    with store.writing() as connection:
        lifecycle.locked(connection, str(issue))
        if not issue_relays.lies_in_mailbox(connection, str(issue)):
            return False
        lifecycle.take_back(connection, str(issue), by=by, now=now, reason=reason)
    return True


def record_used_content(
    connection: Connection, manifest: Manifest, variants: Collection[int] | None = None
) -> None:
    """Record what an issue tells, in place of what it told when it was taken back from the mailbox.

    An item counts as told when one of these `variants` has it (None: any, as where nobody knows which went
    out): others may be in a later issue. A digest tells issues, and nothing of its own.
    """
    issue = manifest.issue
    if issue.id.digest:
        record_told_issues(connection, issue.id, issue.digest_of)
        return
    numbers = range(len(manifest.variants.all) or 1) if variants is None else variants
    told = {
        related
        for number in numbers
        for related in issue_of(issue, manifest.variants, number).related
    }
    connection.execute(delete(used_content).where(used_content.c.issue_id == str(issue.id)))
    values = {("essay", essay.slug) for essay in issue.all_essays}
    for related in told:
        for item in related.story.items:
            values |= {("item", item.key), ("link", item.canonical)}
    if values:
        connection.execute(
            insert(used_content),
            [
                {"kind": kind, "value": value, "issue_id": str(issue.id)}
                for kind, value in sorted(values)
            ],
        )


def record_told_issues(connection: Connection, digest: IssueId, told: Collection[str]) -> None:
    """Record which issues a digest tells, in place of what it told before."""
    connection.execute(delete(used_content).where(used_content.c.issue_id == str(digest)))
    values = {"kind": "issue", "issue_id": str(digest)}
    connection.execute(insert(used_content), [{**values, "value": one} for one in sorted(told)])


def told_by_digests(store: Store) -> dict[str, tuple[str, ...]]:
    """Return which issues each digest told, or is about to: one look-up, whatever else the store holds."""
    query = select(used_content.c.issue_id, used_content.c.value).where(
        used_content.c.kind == "issue"
    )
    told: dict[str, tuple[str, ...]] = {}
    with store.reading() as connection:
        for digest, issue in connection.execute(query):
            told[digest] = (*told.get(digest, ()), issue)
    return told


POSSIBLY_RECEIVED = (DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.SENDING)
"""The states of deliveries that a reader has, or may have."""


def _went_out(mailing: FromClause) -> ColumnElement[bool]:
    """Whether an issue or a digest was queued, and not cancelled before anybody could receive it.

    Also one that went out without this store, which is cancelled here and was never queued.
    """
    cancelled, queued = mailing.c.state == IssueState.CANCELLED, mailing.c.enqueued_at.is_not(None)
    # Its sums are those of a time when it was closed; what came later is still among its deliveries.
    received = or_(
        mailing.c.sent + mailing.c.unknown > 0,
        exists().where(
            deliveries.c.issue_id == mailing.c.id, deliveries.c.state.in_(POSSIBLY_RECEIVED)
        ),
    )
    return or_(and_(queued, or_(~cancelled, received)), and_(~queued, cancelled))


def digest_days(store: Store, *, until: date) -> tuple[date, ...]:
    """Return the days up to `until` whose digests have something to tell, oldest first.

    That is an issue that went out, and is told by no digest that did; or a digest lies in the mailbox.
    """
    digests = issues.alias()
    told = (
        select(used_content.c.value)
        .join(digests, digests.c.id == used_content.c.issue_id)
        .where(used_content.c.kind == "issue", _went_out(digests))
    )
    untold = select(issues.c.digest_day).where(
        issues.c.digest_day <= until,
        _went_out(issues),
        issues.c.id.not_in(told),
    )
    in_mailbox = (
        select(issues.c.day)
        .join(issue_relays_table, issue_relays_table.c.issue_id == issues.c.id)
        .where(
            issues.c.id.contains("-d"),
            issues.c.day <= until,
            issue_relays_table.c.first_relay == MAILBOX,
        )
    )
    with store.reading() as connection:
        days = {*connection.scalars(untold.distinct()), *connection.scalars(in_mailbox)}
    return tuple(sorted(days))


def issues_for_digest(store: Store, digest: IssueId) -> tuple[IssueRow, ...]:
    """Return the issues that a digest has to tell: those of its day that no other digest told."""
    query = select(issues).where(
        issues.c.digest_day == digest.day,
        _went_out(issues),
        issues.c.id.not_in(_told_by_others(digest)),
    )
    return _select(store, query)


def earlier_digests(store: Store, digest: IssueId) -> tuple[IssueRow, ...]:
    """Return the digests of the same period that went out before a digest, oldest first."""
    same = and_(issues.c.day == digest.day, issues.c.id.contains("-d"), _went_out(issues))
    rows = _select(store, select(issues).where(same))
    return tuple(row for row in rows if row.id.digest < digest.digest)


def _told_by_others(digest: IssueId) -> Select[tuple[str]]:
    """Return the issues that other digests told, or told in the mailbox; not one that reached nobody."""
    other = issues.alias()
    reached_nobody = and_(
        other.c.state == IssueState.CANCELLED, other.c.enqueued_at.is_not(None), ~_went_out(other)
    )
    return (
        select(used_content.c.value)
        .join(other, other.c.id == used_content.c.issue_id)
        .where(used_content.c.kind == "issue", other.c.id != str(digest), ~reached_nobody)
    )


def record_used_essays(connection: Connection, issue: IssueId, slugs: Collection[str]) -> None:
    """Record essays that were in an issue of which nothing else is known; a correction or digest told none."""
    if not issue.is_regular:
        return
    query = select(used_content.c.value).where(
        used_content.c.issue_id == str(issue), used_content.c.kind == "essay"
    )
    missing = sorted(set(slugs) - set(connection.scalars(query)))
    if missing:
        values = {"kind": "essay", "issue_id": str(issue)}
        connection.execute(insert(used_content), [{**values, "value": slug} for slug in missing])


def published_essays(
    store: Store, slugs: Collection[str], *, apart_from: IssueId | None = None
) -> frozenset[str]:
    """Return which of these essays were in an issue, or in another one than `apart_from`."""
    return _used(store, ("essay",), slugs, apart_from)


def essays_of(store: Store, issue: IssueId) -> frozenset[str]:
    """Return the essays that an issue told: none before it is queued, unless it was taken back."""
    query = select(used_content.c.value).where(
        used_content.c.issue_id == str(issue), used_content.c.kind == "essay"
    )
    with store.reading() as connection:
        return frozenset(connection.scalars(query))


def used_items(
    store: Store, values: Collection[str], *, apart_from: IssueId | None = None
) -> frozenset[str]:
    """Return which of these keys and canonical links of feed items were in an issue, as above."""
    return _used(store, ("item", "link"), values, apart_from)


def _used(
    store: Store, kinds: Collection[str], values: Collection[str], apart_from: IssueId | None
) -> frozenset[str]:
    """Return the values that are used content: a look-up for each, whatever was used before."""
    wanted = sorted(set(values))
    used: set[str] = set()
    with store.reading() as connection:
        for start in range(0, len(wanted), 500):
            query = select(used_content.c.value).where(
                used_content.c.kind.in_(kinds),
                used_content.c.value.in_(wanted[start : start + 500]),
            )
            if apart_from is not None:
                query = query.where(used_content.c.issue_id != str(apart_from))
            used.update(connection.scalars(query))
    return frozenset(used)


def pause(store: Store, issue: IssueId, *, by: str, reason: str, now: datetime) -> None:
    """Pause an issue: no worker claims a delivery of it; raises `IssueError`."""
    with store.writing() as connection:
        lifecycle.advance(connection, str(issue), IssueEvent.PAUSED, by=by, now=now, reason=reason)


def resume(
    store: Store, issue: IssueId, *, by: str, now: datetime, put_off_until: datetime | None = None
) -> int:
    """Let a paused or stopped issue go on; a closed one stays closed. Raises `IssueError`.

    With `put_off_until` past the guard: those whose refusals stopped it are deferred until then, and no
    wave stops it again. Returns how many are deferred.
    """
    event = IssueEvent.RESUMED if put_off_until is None else IssueEvent.RESUMED_PAST_GUARD
    with store.writing() as connection:
        lifecycle.advance(connection, str(issue), event, by=by, now=now)
        count = 0
        if put_off_until is not None:
            count = refusal_guard.put_off(connection, str(issue), until=put_off_until, now=now)
        refusal_guard.forget_outcomes(connection, str(issue))
    return count


def stop(store: Store, issue: IssueId, *, reason: str, now: datetime) -> None:
    """Stop an issue that the relay refuses, unless it was cancelled or closed meanwhile."""
    with store.writing() as connection:
        row = lifecycle.locked(connection, str(issue))
        if row is not None and not IssueState(row.state).is_ended:
            lifecycle.advance(
                connection, str(issue), IssueEvent.STOPPED, by=SYSTEM, now=now, reason=reason
            )


def stop_unless_past_guard(store: Store, issue: IssueId, *, reason: str, now: datetime) -> bool:
    """Stop an issue that is being sent, unless a person resumed it past the guard; False then."""
    with store.writing() as connection:
        row = lifecycle.locked(connection, str(issue))
        if row is None or row.state != IssueState.SENDING:
            return False
        if refusal_guard.is_past_guard(connection, str(issue)):
            return False
        lifecycle.advance(
            connection, str(issue), IssueEvent.STOPPED, by=SYSTEM, now=now, reason=reason
        )
    return True


def cancel(store: Store, issue: IssueId, *, by: str, reason: str, now: datetime) -> None:
    """End an issue and everything of it that is not on the wire; raises `IssueError`."""
    with store.writing() as connection:
        lifecycle.cancel(connection, str(issue), by=by, now=now, reason=reason)


def cancel_sent_before_restore(
    store: Store, issue: IssueId, *, by: str = SYSTEM, now: datetime
) -> bool:
    """Cancel an issue that is not frozen only because the store was restored: it was sent before.

    The content of its newest revision counts as used, so that it is not sent again. False, and
    nothing changed, for any other issue, and for one that is younger than the restore.
    """
    newest = revision_rows.load_revision(store, issue)
    with store.writing() as connection:
        row = lifecycle.locked(connection, str(issue))
        if row is None or newest is None or IssueState(row.state).is_frozen:
            return False
        if not send_hold.restored_since(connection, row.created_at):
            return False
        lifecycle.cancel(
            connection,
            str(issue),
            IssueEvent.SENT_BEFORE_RESTORE,
            by=by,
            now=now,
            reason=str(localized("reason-before-restore")),
        )
        record_used_content(connection, newest.manifest)
    return True


def status(store: Store, issue: IssueId) -> IssueStatus | None:
    """Return the sums by state; None for an issue that was never previewed.

    Those of a closed issue stand in its row; of any other its deliveries are counted.
    """
    with store.snapshot() as connection:
        row = connection.execute(select(issues).where(issues.c.id == str(issue))).first()
        if row is None:
            return None
        newest = None
        if not row.revision_id:
            newest = connection.scalar(
                select(revisions.c.revision_id)
                .where(revisions.c.issue_id == str(issue))
                .order_by(revisions.c.created_at.desc(), revisions.c.id.desc())
                .limit(1)
            )
        if row.closed_at is not None:
            counts = lifecycle.stored_sums(row)
        else:
            counts = lifecycle.count_deliveries(connection, str(issue))
        in_mailbox = issue_relays.lies_in_mailbox(connection, str(issue))
    state = IssueState(row.state)
    reached_nobody = (
        state is IssueState.CANCELLED
        and row.enqueued_at is not None
        and not any(counts.get(one) for one in POSSIBLY_RECEIVED)
    )
    digest_day = None if reached_nobody else row.digest_day
    return IssueStatus(
        str(issue),
        row.revision_id or newest or "",
        row.audience,
        counts,
        state,
        in_mailbox=in_mailbox,
        without=row.left_without or {},
        left_for_digest=row.left_for_digest if digest_day else 0,
        digest_day=digest_day,
    )


def variant_sums(store: Store, issue: IssueId) -> tuple[VariantStatus, ...]:
    """Return the sums by state of each variant of a queued issue that has several; else none.

    Those of a closed issue are stored; of any other its deliveries are counted.
    """
    query = select(variant_sums_table).where(variant_sums_table.c.issue_id == str(issue))
    with store.snapshot() as connection:
        rows = connection.execute(query.order_by(variant_sums_table.c.variant)).all()
        if not rows:
            return ()
        closed_at, manifest = connection.execute(
            select(issues.c.closed_at, revisions.c.manifest)
            .join(revisions, revisions.c.issue_id == issues.c.id)
            .where(issues.c.id == str(issue), revisions.c.revision_id == issues.c.revision_id)
        ).one()
        counted = None if closed_at else lifecycle.count_variants(connection, str(issue))
    variants = manifest_json.variants_of(manifest)
    return tuple(
        VariantStatus(
            row.variant,
            variants.all[row.variant],
            row.audience,
            lifecycle.stored_sums(row) if counted is None else counted.get(row.variant, {}),
        )
        for row in rows
    )


def _issue(row: Row[Any]) -> IssueRow:
    return IssueRow(
        id=IssueId.parse(row.id),
        number=row.number,
        state=IssueState(row.state),
        revision_id=row.revision_id,
        audience=row.audience,
        stop_reason=row.stop_reason,
        enqueued_at=row.enqueued_at,
        closed_at=row.closed_at,
        digest_day=row.digest_day,
        left_for_digest=row.left_for_digest,
    )
