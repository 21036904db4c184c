"""Settle what a store does not know: others remember issues that went out, and a person says go on.

The same as a restore does to a backup: whatever waits may have been sent, and nobody gets it by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, func, select

from upcycle_news.i18n.messages import localized
from upcycle_news.models import IssueId, IssueState
from upcycle_news.models.digest import DigestPeriod
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage import issues as issue_rows
from upcycle_news.storage import revisions, rhythms, send_hold
from upcycle_news.storage.backup import copy as copy_rows
from upcycle_news.storage.backup import snapshot
from upcycle_news.storage.database import Store
from upcycle_news.storage.issue_lifecycle import IssueEvent
from upcycle_news.storage.revisions import Revision
from upcycle_news.storage.schema import issues


@dataclass(frozen=True)
class OutsideIssue:
    """An issue that went out and that the store does not know as sent.

    `number` is 0 where nobody remembers it; `essays` are slugs, `digest_of` the issues that a digest told,
    `told_in` is the period of the digest that tells it, to `left_for_digest` readers (None: nobody knows).
    """

    issue: IssueId
    number: int = 0
    revision_id: str = ""
    essays: tuple[str, ...] = ()
    digest_of: tuple[str, ...] = ()
    told_in: DigestPeriod | None = None
    left_for_digest: int | None = None


@dataclass(frozen=True)
class Settlement:
    """What was settled: deliveries that are unknown now, by issue, and issues that count as sent."""

    unknown: Mapping[str, int] = field(default_factory=dict)
    sent: tuple[str, ...] = ()


def settle(
    store: Store, outside: Sequence[OutsideIssue], *, restored: bool, by: str, now: datetime
) -> Settlement:
    """Let the store know what went out without it, in one transaction; raises `StoreError`.

    What waits becomes unknown, approvals are taken back, and each of `outside` is cancelled as sent
    before: its essays are used, its number is not given again, and the archive shows it if the revision
    that went out is here. A send hold begins, unless the store
    was `restored` and has one.
    """
    known = {one.issue: _known_revision(store, one) for one in outside}
    with store.writing() as connection:
        copy_rows.lock_tables(connection, "EXCLUSIVE")
        reason = str(localized("reason-set-back"))
        unknown = snapshot.mark_unknown(connection, reason, now)
        lifecycle.close_all_done(connection, now=now)
        for one in outside:
            _register(connection, one, known[one.issue], by=by, now=now)
        snapshot.revoke_approvals(connection, now)
        snapshot.leave_ids_out(connection)
        if not restored:
            kind = send_hold.HoldKind.OUTDATED
            send_hold.start(connection, kind, as_of=now, location=store.name, now=now)
    return Settlement(unknown, tuple(sorted(str(one.issue) for one in outside)))


def _known_revision(store: Store, outside: OutsideIssue) -> Revision | None:
    """Return what went out if the store composed it before it was set back, else the newest it has."""
    known = None
    if outside.revision_id:
        known = revisions.load_revision(store, outside.issue, outside.revision_id)
    return known or revisions.load_revision(store, outside.issue)


def _register(
    connection: Connection,
    outside: OutsideIssue,
    known: Revision | None,
    *,
    by: str,
    now: datetime,
) -> None:
    issue = str(outside.issue)
    row = lifecycle.locked(connection, issue)
    if row is None:
        number = _free_number(connection, outside.number)
        lifecycle.create(connection, outside.issue, number, outside.revision_id, now=now)
    elif IssueState(row.state).is_frozen:
        return
    exact = known is not None and known.revision_id == outside.revision_id
    lifecycle.cancel(
        connection,
        issue,
        IssueEvent.SENT_BEFORE_RESTORE,
        by=by,
        now=now,
        reason=str(localized("reason-before-set-back")),
        revision_id=outside.revision_id if exact else "",
    )
    if known is not None:
        issue_rows.record_used_content(connection, known.manifest)
    if outside.told_in is not None and rhythms.take_over_period(connection, outside.told_in):
        day, left = outside.told_in.end, outside.left_for_digest
        lifecycle.record_digest_day(connection, issue, day, left)
    if outside.digest_of:
        issue_rows.record_told_issues(connection, outside.issue, outside.digest_of)
    issue_rows.record_used_essays(connection, outside.issue, outside.essays)


def _free_number(connection: Connection, wanted: int) -> int:
    taken = select(issues.c.id).where(issues.c.number == wanted)
    if wanted > 0 and connection.execute(taken).first() is None:
        return wanted
    return int(connection.scalar(select(func.max(issues.c.number))) or 0) + 1
