"""A person says that the store is right as it is: what went out without it is settled, once.

Issues that the journal, the archive's folder or its public address know of, and the store does not, count
as sent; what waits in the store is in doubt. Afterwards nobody is asked again about any of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.sent_evidence import queued_issues, sent_issues
from upcycle_news.errors import StoreMismatchError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import IssueId, IssueState
from upcycle_news.models.archive_paths import ESSAYS, INDEX
from upcycle_news.models.journal import LEFT_FOR_DIGEST, JournalEntry, JournalEvent
from upcycle_news.services.archive_listing import issue_pages, read_listing
from upcycle_news.services.content.public_revision import unexplained_revision
from upcycle_news.services.journal import files
from upcycle_news.services.journal.consistency import find_contradiction
from upcycle_news.services.journal.record import keys_of, record_change
from upcycle_news.storage import issues, send_hold, sending_history
from upcycle_news.storage.backup import settlement
from upcycle_news.storage.backup.settlement import OutsideIssue, Settlement
from upcycle_news.storage.database import open_store
from upcycle_news.storage.key_fingerprints import record_fingerprint

_OPEN = (IssueState.OPEN, IssueState.AWAITING_APPROVAL, IssueState.APPROVED)
_ASKED = 5
"""Issues that were not sent, of which the public archive is asked: the newest."""


@dataclass(frozen=True)
class Difference:
    """What the store does not know: the sentence, and the issues that went out without it."""

    text: LocalizedText
    issues: tuple[str, ...] = ()


def find_difference(context: AppContext) -> Difference | None:
    """Return what a confirmation would settle now; None when the store knows all that went out.

    Raises `JournalError` when a place of the journal cannot be read: then nobody knows.
    """
    try:
        store = context.store
    except StoreMismatchError as error:
        return Difference(error.localized_text)
    outside = tuple(str(one.issue) for one in outside_issues(context))
    text = find_contradiction(context, store)
    if text is None and not outside:
        return None
    return Difference(text or localized("store-lacks-issues", issues=outside), outside)


def confirm(context: AppContext, *, by: str) -> tuple[int, Settlement, str]:
    """Settle what the store does not know and end its send holds; say so in the journal.

    Returns how many holds ended, what was settled, and why the journal could not be written (or
    nothing). Raises `StoreError` and `JournalError`; then nothing was changed.
    """
    _adopt_keys(context)
    store, now = context.store, context.clock()
    outside = outside_issues(context)
    restored = sending_history.confirmations(store).pending
    settled = Settlement()
    if outside or find_contradiction(context, store) is not None:
        settled = settlement.settle(store, outside, restored=restored, by=by, now=now)
    ended = send_hold.clear(store, by=by, now=now)
    trouble = record_change(context, JournalEvent.CONFIRMED, at=now) if ended else ""
    return ended, settled, trouble


def _adopt_keys(context: AppContext) -> None:
    """Let the store belong to the keys that are here, if it belongs to others."""
    try:
        _ = context.store
    except StoreMismatchError:
        store = open_store(context.settings.store_url)
        try:
            record_fingerprint(store, keys_of(context), now=context.clock(), replace=True)
        finally:
            store.close()


def outside_issues(context: AppContext) -> list[OutsideIssue]:
    """Return the issues that went out as far as others know, and that the store does not know as sent.

    Raises `JournalError` when a place of the journal cannot be read.
    """
    confirmed_at = sending_history.confirmations(context.store).at
    places = files.read_places(context).values()
    went_out, queued = dict[str, JournalEntry](), dict[str, JournalEntry]()
    for place in places:
        went_out |= sent_issues(place, confirmed_at=confirmed_at)
        queued |= queued_issues(place, confirmed_at=confirmed_at)
    found = {issue: _of_entry(entry) for issue, entry in went_out.items()}
    known = sending_history.known_issues(context.store, found)
    found = {
        issue: one
        for issue, one in found.items()
        if issue not in known or not known[issue].went_out
    }
    for one in [*_of_pages(context), *_of_public_archive(context)]:
        issue = str(one.issue)
        known_as = _of_entry(queued[issue]) if issue in queued else one
        essays = known_as.essays + tuple(set(one.essays) - set(known_as.essays))
        found.setdefault(issue, replace(known_as, essays=essays))
    return [found[issue] for issue in sorted(found)]


def _of_entry(entry: JournalEntry) -> OutsideIssue:
    return OutsideIssue(
        IssueId.parse(entry.issue),
        entry.number,
        entry.revision_id,
        entry.essays,
        entry.digest_of,
        entry.told_in,
        entry.counts.get(LEFT_FOR_DIGEST),
    )


def _of_pages(context: AppContext) -> list[OutsideIssue]:
    """Return the issues whose pages nothing in the store explains.

    Which essays were in which of them is not known: those that the store has not used count as the
    newest one's.
    """
    folder = context.archive_folder
    pages = issue_pages(folder, listed_only=False)
    known = sending_history.known_issues(context.store, pages)
    unknown = sorted(page for page in pages if page not in known or not known[page].explains_page)
    if not unknown:
        return []
    slugs = {
        path.removeprefix(ESSAYS).removesuffix(f"/{INDEX}")
        for path in read_listing(folder)
        if path.startswith(ESSAYS) and path.endswith(f"/{INDEX}")
    }
    essays = slugs - {"", INDEX} - issues.published_essays(context.store, slugs)
    *others, newest = unknown
    return [
        *(OutsideIssue(IssueId.parse(issue)) for issue in others),
        OutsideIssue(IssueId.parse(newest), essays=tuple(sorted(essays))),
    ]


def _of_public_archive(context: AppContext) -> list[OutsideIssue]:
    """Return the issues that the store has not sent, and that the archive's public address shows."""
    waiting = sorted(issues.issues_in(context.store, *_OPEN), key=lambda row: row.id)[-_ASKED:]
    shown = ((row, unexplained_revision(context, row.id, context.publication)) for row in waiting)
    return [OutsideIssue(row.id, row.number, revision) for row, revision in shown if revision]
