"""What is written into the journal, and when: around the mails of an issue, never for a single one.

While no relay is set, mails go to the embedded mailbox of this machine and nothing is written: no reader
has them.
"""

from __future__ import annotations

from datetime import datetime

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.models.journal import LEFT_FOR_DIGEST, JournalEntry, JournalEvent
from upcycle_news.observability.logging import Log
from upcycle_news.services.journal import files
from upcycle_news.services.journal.files import JournalError
from upcycle_news.storage import issues, revisions, rhythms
from upcycle_news.storage.issue_lifecycle import FINAL
from upcycle_news.storage.issues import IssueRow
from upcycle_news.subscribers.signing_keys import person_key_fingerprint

log = Log(__name__)


def raise_unless_writable(context: AppContext) -> None:
    """Raise `JournalError` when what is about to be sent could not be written down."""
    if context.configured_relay is not None:
        files.raise_unless_writable(context)


def record_start(context: AppContext, row: IssueRow) -> None:
    """Write, once, that an issue is about to go out. Called before its first mail.

    Raises `JournalError` when a place cannot be written: then nothing may be sent.
    """
    if context.configured_relay is None:
        return
    issue = str(row.id)
    last: JournalEntry | None = None
    for entries in files.read_places(context).values():
        about = [entry for entry in entries if entry.issue == issue]
        last = about[-1] if about else last
    if last is not None and last.revision_id == row.revision_id:
        files.append(context, None)
        return
    revision = revisions.load_revision(context.store, row.id, row.revision_id)
    content = revision.manifest.issue if revision is not None else None
    told_in = rhythms.period_that_tells(context.store, row.id)
    counts = {"audience": row.audience}
    if told_in is not None and row.left_for_digest is not None:
        counts[LEFT_FOR_DIGEST] = row.left_for_digest
    files.append(
        context,
        JournalEntry(
            at=context.clock(),
            event=JournalEvent.QUEUED,
            keys=keys_of(context),
            issue=issue,
            number=row.number,
            revision_id=row.revision_id,
            essays=tuple(essay.slug for essay in content.all_essays) if content else (),
            digest_of=content.digest_of if content else (),
            told_in=told_in,
            counts=counts,
        ),
    )


def record_progress(context: AppContext, issue: IssueId) -> None:
    """Write how many readers have an issue by now, or that it is closed, unless that is written.

    It comes after the mails: where it cannot be written, that is said, and nothing else changes. The
    next run of the issue, or of deliver-pending, writes it then.
    """
    try:
        _record_progress(context, issue)
    except JournalError as error:
        log.warning("journal not written", issue=issue, why=error.in_language(context.language))


def catch_up(context: AppContext) -> None:
    """Write what could not be written when the last issue in the journal ended, if anything."""
    try:
        entries = [entry for place in files.read_places(context).values() for entry in place]
    except JournalError:
        return  # said where it is in the way
    issues_of = [entry for entry in entries if entry.issue]
    if issues_of and issues_of[-1].event is not JournalEvent.CLOSED:
        record_progress(context, IssueId.parse(issues_of[-1].issue))


def _record_progress(context: AppContext, issue: IssueId) -> None:
    row, status = issues.get(context.store, issue), issues.status(context.store, issue)
    if row is None or status is None:
        return
    entries = [entry for place in files.read_places(context).values() for entry in place]
    about = [entry for entry in entries if entry.issue == str(issue)]
    if not about or about[-1].revision_id != row.revision_id:
        return  # nothing of it went over a relay
    counts = {"audience": row.audience}
    counts |= {state.value: status.counts.get(state, 0) for state in FINAL}
    event = JournalEvent.CLOSED if status.closed else JournalEvent.DELIVERED
    if about[-1].event is event and dict(about[-1].counts) == counts:
        return
    if event is JournalEvent.DELIVERED and counts["sent"] == about[-1].sent:
        return
    entry = JournalEntry(
        at=context.clock(),
        event=event,
        keys=keys_of(context),
        issue=str(issue),
        number=row.number,
        revision_id=row.revision_id,
        counts=counts,
    )
    files.append(context, entry)


def record_change(
    context: AppContext, event: JournalEvent, *, at: datetime, about: str = ""
) -> str:
    """Write that the store was restored, moved or confirmed; returns why not, or nothing.

    That has happened already, so a journal that cannot be written stops nothing.
    """
    try:
        files.append(context, JournalEntry(at=at, event=event, keys=keys_of(context), about=about))
    except JournalError as error:
        return error.in_language(context.language)
    return ""


def keys_of(context: AppContext) -> str:
    """Return the fingerprint of the publication's keys; empty while there are none."""
    return person_key_fingerprint(context.secrets_folder)
