"""Merge newer data of a store that is replaced into the backup that replaces it.

Only what protects subscribers and readers is merged: unsubscribes, suppressions, erasures, who was
asked once, sent issues, corrections and withdrawals, the results of deliveries, and who gets issues in a
digest: what was sent since follows from it. What a restore is
meant to undo (a list that should not have been imported) stays undone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import sqlite

from upcycle_news.models import (
    MAILBOX,
    ConfirmationMailKind,
    DeliveryState,
    EventKind,
    IssueState,
    SubscriberStatus,
)
from upcycle_news.storage import event_log, packed_deliveries
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage.backup.copy import BATCH, WIDE_BATCH
from upcycle_news.storage.issue_lifecycle import IssueEvent
from upcycle_news.storage.personal_data import erase_rows
from upcycle_news.storage.schema import (
    address_changes,
    asked_addresses,
    blobs,
    confirmation_mails,
    consent_proofs,
    consents,
    corrections,
    deliveries,
    digest_periods,
    issue_events,
    issue_relays,
    issues,
    pending_suppressions,
    question_answers,
    quota_marks,
    quota_scopes,
    renderings,
    revisions,
    rhythms,
    subscribers,
    suppressions,
    used_content,
    variant_renderings,
    variant_sums,
    welcome_deliveries,
    welcome_revisions,
)
from upcycle_news.storage.schema import packed_deliveries as packed_rows
from upcycle_news.storage.suppressions import MOVED, suppress_many, suppressions_in

BY = "restore"
"""Who did what a restore does to an issue."""

# Clocks of the machines that write and back up may differ by so much.
_SKEW = timedelta(hours=1)
# A delivery that has ended in the replaced store was sent or never will be.
_ENDED = (
    DeliveryState.SENT,
    DeliveryState.REJECTED,
    DeliveryState.SUPPRESSED,
    DeliveryState.CANCELLED,
)
_IN_DOUBT = (
    DeliveryState.QUEUED,
    DeliveryState.SENDING,
    DeliveryState.DEFERRED,
    DeliveryState.UNKNOWN,
)


@dataclass(frozen=True)
class MergeReport:
    """Counts of what was merged. `joined`: subscribers newer than the backup, not merged."""

    suppressed: int = 0
    unsubscribed: int = 0
    erased: int = 0
    results: int = 0
    issues: int = 0
    joined: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts under the keys that `restore --json` prints."""
        return {
            "suppressed": self.suppressed,
            "left": self.unsubscribed,
            "forgotten": self.erased,
            "results": self.results,
            "issues": self.issues,
            "joined": self.joined,
        }


def merge_newer_data(
    old: Connection, new: Connection, *, since: datetime, now: datetime
) -> MergeReport:
    """Write newer data of `old` into `new`, a backup of `since` in SQLite.

    Both have the newest migration and belong to one publication: ids mean the same subscribers.
    """
    _merge_address_changes(old, new, since)  # first: who has another address is no erased one
    suppressed = _merge_suppressions(old, new)
    _merge_pending_suppressions(old, new)
    _merge_hashes(old, new)
    _merge_questions(old, new)
    unsubscribed = _merge_unsubscribes(old, new, since)
    erased = _repeat_erasures(new, now)
    copied = _merge_issues(old, new, now)
    results = sum(
        _merge_results(old, new, issue, now) for issue in _unfinished_issues(new, without=copied)
    )
    _merge_first_relays(old, new)
    _merge_corrections(old, new)
    _merge_quotas(old, new)
    _merge_answers(old, new)
    _merge_welcome(old, new)
    _merge_rhythms(old, new)
    joined = select(func.count()).where(subscribers.c.created_at > since)
    return MergeReport(
        suppressed=suppressed,
        unsubscribed=unsubscribed,
        erased=erased,
        results=results,
        issues=len(copied),
        joined=old.scalar(joined) or 0,
    )


def _merge_hashes(old: Connection, new: Connection) -> None:
    """Take over who was asked by a list, and the proofs of those who were forgotten."""
    for table in (asked_addresses, consent_proofs):
        for rows in _rows(old, select(table)):
            _add(new, table, rows)


def _merge_questions(old: Connection, new: Connection) -> None:
    """End the mails of lists that were sent since: their links work, and nobody is asked twice.

    Where the question is gone from `old`, it was sent and expired, or its recipient was erased.
    """
    waiting = select(confirmation_mails.c.consent_id).where(
        confirmation_mails.c.kind == ConfirmationMailKind.LIST,
        confirmation_mails.c.next_at.is_not(None),
    )
    numbers = list(new.scalars(waiting))
    columns = (consents.c.id, consents.c.token_hash, consents.c.mailed_at, consents.c.given_at)
    for start in range(0, len(numbers), BATCH):
        batch = numbers[start : start + BATCH]
        asked = old.execute(select(*columns).where(consents.c.id.in_(batch))).all()
        still = {row.id for row in asked if row.mailed_at is None}
        ended = [number for number in batch if number not in still]
        new.execute(
            update(confirmation_mails)
            .where(
                confirmation_mails.c.consent_id.in_(ended),
                confirmation_mails.c.kind == ConfirmationMailKind.LIST,
            )
            .values(next_at=None, holder="", held_until=None)
        )
        for row in asked:
            if row.id not in still:
                values = {key: value for key, value in row._mapping.items() if key != "id"}
                new.execute(update(consents).where(consents.c.id == row.id).values(**values))


def _rows(connection: Connection, query: Select[Any], size: int = BATCH) -> Iterator[Any]:
    return connection.execute(query, execution_options={"yield_per": size}).partitions()


def _add(new: Connection, table: Table, rows: Sequence[Row[Any]], **changed: Any) -> int:
    """Insert missing rows; returns how many."""
    before = new.scalar(select(func.count()).select_from(table)) or 0
    new.execute(
        sqlite.insert(table).on_conflict_do_nothing(),
        [{**row._mapping, **changed} for row in rows],
    )
    return (new.scalar(select(func.count()).select_from(table)) or 0) - before


def _merge_suppressions(old: Connection, new: Connection) -> int:
    return suppress_many(new, suppressions_in(old))


def _merge_address_changes(old: Connection, new: Connection, since: datetime) -> None:
    """Give subscribers who changed their address after the backup their new one."""
    columns = ("email", "email_key", "domain_key", "hash_key")
    query = (
        select(address_changes, *(subscribers.c[name] for name in columns))
        .join(subscribers, subscribers.c.id == address_changes.c.subscriber_id)
        .where(address_changes.c.confirmed_at > since - _SKEW)
        .order_by(address_changes.c.id)
    )
    for row in old.execute(query).all():
        taken = new.scalar(
            select(subscribers.c.id).where(
                subscribers.c.email_key == row.email_key, subscribers.c.id != row.subscriber_id
            )
        )
        known = new.scalar(select(subscribers.c.id).where(subscribers.c.id == row.subscriber_id))
        if taken is not None or known is None:
            continue
        new.execute(
            update(subscribers)
            .where(subscribers.c.id == row.subscriber_id)
            .values({name: row._mapping[name] for name in columns})
        )
        new.execute(delete(address_changes).where(address_changes.c.id == row.id))
        new.execute(
            address_changes.insert().values(
                {column.name: row._mapping[column.name] for column in address_changes.columns}
            )
        )


def _merge_pending_suppressions(old: Connection, new: Connection) -> None:
    """Copy what waits for a person, as far as the backup knows the subscribers."""
    known = set(new.scalars(select(subscribers.c.id)))
    for rows in _rows(old, select(pending_suppressions)):
        if waiting := [row for row in rows if row.subscriber_id in known]:
            _add(new, pending_suppressions, waiting)


def _merge_unsubscribes(old: Connection, new: Connection, since: datetime) -> int:
    """Unsubscribe those who did after the backup, and end their consent."""
    newer = select(subscribers.c.id, subscribers.c.email_key, subscribers.c.unsubscribed_at).where(
        subscribers.c.status == SubscriberStatus.UNSUBSCRIBED,
        subscribers.c.unsubscribed_at > since - _SKEW,
    )
    unsubscribe = (
        update(subscribers)
        .where(
            subscribers.c.id == bindparam("number"),
            subscribers.c.email_key == bindparam("key"),
            subscribers.c.status != SubscriberStatus.UNSUBSCRIBED,
        )
        .values(status=SubscriberStatus.UNSUBSCRIBED, unsubscribed_at=bindparam("at"))
    )
    end_consent = (
        update(consents)
        .where(
            consents.c.subscriber_id == bindparam("number"),
            consents.c.ended_at.is_(None),
            consents.c.confirmed_at.is_not(None),
        )
        .values(ended_at=bindparam("at"))
    )
    count = 0
    for rows in _rows(old, newer):
        for row in rows:
            values = {"number": row.id, "key": row.email_key, "at": row.unsubscribed_at}
            if new.execute(unsubscribe, values).rowcount:
                count += 1
                new.execute(end_consent, {"number": row.id, "at": row.unsubscribed_at})
                event_log.append(
                    new,
                    EventKind.SUBSCRIBER_LEFT,
                    at=row.unsubscribed_at,
                    subscriber=row.id,
                    detail={"method": BY},
                )
    return count


def _repeat_erasures(new: Connection, now: datetime) -> int:
    """Erase again whom the suppressions know as erased after the backup; returns how many."""
    erased_hashes = select(suppressions.c.email_key).where(
        suppressions.c.email_key.startswith("#"), suppressions.c.reason != MOVED
    )
    ids = new.scalars(
        select(subscribers.c.id).where(subscribers.c.hash_key.in_(erased_hashes))
    ).all()
    for number in ids:
        erase_rows(new, number, now=now)
    return len(ids)


def _merge_issues(old: Connection, new: Connection, now: datetime) -> list[str]:
    """Copy issues that were started after the backup, with their deliveries; returns their ids."""
    is_frozen = issues.c.state.in_([state for state in IssueState if state.is_frozen])
    started = {row.id: row.state for row in new.execute(select(issues).where(is_frozen))}
    copied = []
    for row in old.execute(select(issues).where(is_frozen)).all():
        if row.id not in started:
            _copy_issue(old, new, row)
            copied.append(row.id)
        elif row.state == IssueState.CANCELLED:
            _cancel_issue(new, row, started[row.id], now)
    return copied


def _cancel_issue(new: Connection, row: Row[Any], state: str, now: datetime) -> None:
    """Cancel an issue as the replaced store did; what its deliveries became is merged later."""
    if state == IssueState.CLOSED:  # it was closed at the time of the backup and sent again since
        lifecycle.reopen(new, row.id, by=BY, now=now)
    lifecycle.advance(new, row.id, IssueEvent.CANCELLED, by=BY, now=now, reason=row.stop_reason)


def _copy_issue(old: Connection, new: Connection, row: Row[Any]) -> None:
    taken = new.scalar(select(issues.c.id).where(issues.c.number == row.number))
    highest = new.scalar(select(func.max(issues.c.number))) or 0
    number = row.number if taken is None else highest + 1
    events = old.execute(
        select(*_without_id(issue_events))
        .where(issue_events.c.issue_id == row.id)
        .order_by(issue_events.c.id)
    )
    lifecycle.adopt(
        new, {**row._mapping, "number": number}, [dict(event._mapping) for event in events]
    )
    existing = set(new.scalars(select(blobs.c.sha256)))
    for blob_rows in _rows(old, select(blobs), WIDE_BATCH):
        if missing := [row for row in blob_rows if row.sha256 not in existing]:
            _add(new, blobs, missing)
    frozen = select(revisions).where(
        revisions.c.issue_id == row.id, revisions.c.revision_id == row.revision_id
    )
    for revision in old.execute(frozen).all():
        _copy_revision(old, new, revision)
    for table in (used_content, variant_sums, deliveries):
        query = select(*_without_id(table)).where(table.c.issue_id == row.id)
        for rows in _rows(old, query):
            _add(new, table, rows)
    # As rows: their ids may be those of other deliveries here. Of a block that cannot be read only the number
    # is of use, for the sums.
    damaged: list[Row[Any]] = []
    packed = packed_deliveries.of_issue(old, row.id, damaged=damaged)
    names = [column.name for column in _without_id(deliveries) if column.name != "next_at"]
    while values := [{name: getattr(one, name) for name in names} for one in islice(packed, BATCH)]:
        new.execute(sqlite.insert(deliveries).on_conflict_do_nothing(), values)
    if damaged:
        _add(new, packed_rows, damaged)


def _without_id(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if column.name != "id"]


def _copy_revision(old: Connection, new: Connection, revision: Row[Any]) -> None:
    this_revision = (
        revisions.c.issue_id == revision.issue_id,
        revisions.c.revision_id == revision.revision_id,
    )
    if new.scalar(select(revisions.c.id).where(*this_revision)) is None:
        values = {name: value for name, value in revision._mapping.items() if name != "id"}
        new.execute(revisions.insert().values(**values))
    number = new.scalar(select(revisions.c.id).where(*this_revision))
    query = select(renderings).where(renderings.c.revision_id == revision.id)
    if rows := old.execute(query).all():
        _add(new, renderings, rows, revision_id=number)
    query = select(variant_renderings).where(variant_renderings.c.revision_id == revision.id)
    if rows := old.execute(query).all():
        _add(new, variant_renderings, rows, revision_id=number)


def _unfinished_issues(new: Connection, *, without: Sequence[str]) -> list[str]:
    """Return the issues with a delivery that has not ended in the backup, or whose reply was lost."""
    query = select(issues.c.id).where(
        issues.c.enqueued_at.is_not(None),
        or_(issues.c.closed_at.is_(None), issues.c.unknown > 0),
    )
    return [issue for issue in new.scalars(query) if issue not in without]


def _merge_results(old: Connection, new: Connection, issue: str, now: datetime) -> int:
    """Copy results, newer than the backup, of deliveries that waited in it; returns how many."""
    names = ("state", "attempts", "code", "enhanced", "reason", "changed_at")
    query = select(deliveries.c.subscriber_id, *(deliveries.c[name] for name in names)).where(
        deliveries.c.issue_id == issue, deliveries.c.state.in_(_ENDED)
    )
    copy_result = (
        update(deliveries)
        .where(
            deliveries.c.issue_id == issue,
            deliveries.c.subscriber_id == bindparam("number"),
            or_(*(deliveries.c.state == state for state in _IN_DOUBT)),
        )
        .values(**{name: bindparam(f"new_{name}") for name in names}, next_at=None)
    )
    count = select(func.count()).where(
        deliveries.c.issue_id == issue, deliveries.c.state.in_(_IN_DOUBT)
    )
    before = new.scalar(count) or 0
    # What a damaged block would say stays in doubt.
    packed = packed_deliveries.of_issue(old, issue, damaged=[])
    for rows in chain(_rows(old, query), iter(lambda: list(islice(packed, BATCH)), [])):
        new.execute(
            copy_result,
            [
                {
                    "number": row.subscriber_id,
                    **{f"new_{name}": getattr(row, name) for name in names},
                }
                for row in rows
            ],
        )
    merged = before - (new.scalar(count) or 0)
    if merged:
        lifecycle.correct_sums(new, issue, now=now)
    return merged


def _merge_corrections(old: Connection, new: Connection) -> None:
    """Copy corrections and withdrawals newer than the backup: what was withdrawn stays withdrawn."""
    newest = new.scalar(select(func.max(corrections.c.id))) or 0
    later = (
        select(*_without_id(corrections))
        .where(corrections.c.id > newest)
        .order_by(corrections.c.id)
    )
    if rows := old.execute(later).all():
        hashes = {image_hash for row in rows for image_hash in row.images.values()}
        for blob_rows in _rows(old, select(blobs).where(blobs.c.sha256.in_(hashes)), WIDE_BATCH):
            _add(new, blobs, blob_rows)
        _add(new, corrections, rows)


def _merge_first_relays(old: Connection, new: Connection) -> None:
    """Keep over which relay an issue began since the backup: its rest belongs nowhere else."""
    known = set(new.scalars(select(issues.c.id)))
    begun = select(issue_relays).where(issue_relays.c.first_relay != "")
    for row in old.execute(begun):
        if row.issue_id in known:
            _add(new, issue_relays, [row], away_since=None)
            new.execute(
                update(issue_relays)
                .where(
                    issue_relays.c.issue_id == row.issue_id,
                    issue_relays.c.first_relay.in_(["", MAILBOX]),
                )
                .values(first_relay=row.first_relay)
            )


def _merge_answers(old: Connection, new: Connection) -> None:
    """Keep the answers to questions that were counted since the backup."""
    known = set(new.scalars(select(issues.c.id)))
    newest = sqlite.insert(question_answers)
    newest = newest.on_conflict_do_update(
        index_elements=list(question_answers.primary_key),
        set_={"count": func.max(question_answers.c["count"], newest.excluded["count"])},
    )
    for rows in _rows(old, select(question_answers)):
        if values := [dict(row._mapping) for row in rows if row.issue_id in known]:
            new.execute(newest, values)


def _merge_welcome(old: Connection, new: Connection) -> None:
    """Take over which steps of the welcome were sent since the backup: nobody gets one twice."""
    for rows in _rows(old, select(welcome_revisions)):
        _add(new, welcome_revisions, rows)
    newer = sqlite.insert(welcome_deliveries)
    columns = ("state", "attempts", "next_at", "code", "enhanced", "reason", "changed_at")
    newer = newer.on_conflict_do_update(
        index_elements=["series", "step", "subscriber_id"],
        set_={name: newer.excluded[name] for name in columns},
    )
    for rows in _rows(old, select(*_without_id(welcome_deliveries))):
        new.execute(newer, [dict(row._mapping) for row in rows])


def _merge_rhythms(old: Connection, new: Connection) -> None:
    """Take over the rhythms and the periods of the digest: who was left out of an issue gets it in that digest.

    Of a reader both know, all rows are those of `old`: a choice that was taken back since stays so.
    """
    for rows in _rows(old, select(digest_periods)):
        _add(new, digest_periods, rows)
    known_to_old = set(old.scalars(select(subscribers.c.id)))
    known = known_to_old & set(new.scalars(select(subscribers.c.id)))
    stale = [
        row.subscriber_id for row in new.execute(select(rhythms)) if row.subscriber_id in known
    ]
    for start in range(0, len(stale), BATCH):
        batch = stale[start : start + BATCH]
        new.execute(delete(rhythms).where(rhythms.c.subscriber_id.in_(batch)))
    for rows in _rows(old, select(rhythms)):
        if theirs := [row for row in rows if row.subscriber_id in known]:
            _add(new, rhythms, theirs)


def _merge_quotas(old: Connection, new: Connection) -> None:
    """Copy the quota counts: what was sent since the backup counts against the relay's limits."""
    if old.execute(select(quota_scopes).limit(1)).first() is None:
        return
    for table in (quota_marks, quota_scopes):
        new.execute(delete(table))
        for rows in _rows(old, select(table)):
            _add(new, table, rows)
