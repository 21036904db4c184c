"""Whether the store knows what went out. If it does not, nothing is sent, rotated or removed.

It does not when it was lost, emptied, set back, or is another one. Compared are the keys, the journal's
places and the archive's folder; what is not there contradicts nothing.
"""

from __future__ import annotations

from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.sent_evidence import JournalClaims, read_claims
from upcycle_news.errors import StoreMismatchError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import IssueId
from upcycle_news.models.archive_paths import ARCHIVE
from upcycle_news.services.archive_listing import issue_pages
from upcycle_news.services.journal import files
from upcycle_news.services.journal.record import keys_of
from upcycle_news.storage import issue_relays, sending_history
from upcycle_news.storage.database import Store, current_migration
from upcycle_news.storage.key_fingerprints import belongs_to_other_keys
from upcycle_news.storage.send_hold import raise_if_store_held
from upcycle_news.storage.sending_history import Confirmations, KnownIssue


def raise_if_sending_refused(context: AppContext) -> None:
    """Raise when nothing may be sent from the store.

    `SendHoldError` during a send hold, `StoreMismatchError` when the store does not know what went out,
    `JournalError` when a place of the journal cannot be read, so that nobody can tell.
    """
    raise_if_store_held(context.store)
    if (text := find_contradiction(context, context.store)) is not None:
        raise StoreMismatchError(text)


def raise_if_contradicted(
    context: AppContext, store: Store | None, *, folder: Path | None = None
) -> None:
    """Raise `StoreMismatchError` when the store does not know what went out.

    `folder` is another one that holds an archive, beside that of the state.
    """
    text = find_contradiction(context, store, folder=folder, lenient=True)
    if text is not None:
        raise StoreMismatchError(text)


def find_contradiction(
    context: AppContext,
    store: Store | None,
    *,
    folder: Path | None = None,
    lenient: bool = False,
) -> LocalizedText | None:
    """Return what the store should know and does not, and what to do; None when all agrees.

    `store` may be one without tables, or None where there is none at all. A restored store that nobody
    has confirmed yet is known not to know everything. Raises `JournalError` for a place of the journal
    that cannot be read, unless `lenient`.
    """
    confirmed, keys = Confirmations(), keys_of(context)
    if store is not None and current_migration(store) is None:
        store = None
    if store is not None:
        if keys and belongs_to_other_keys(store, keys):
            secrets = str(context.secrets_folder)
            return localized("store-other-keys", store=store.place, folder=secrets)
        confirmed = sending_history.confirmations(store)
        if confirmed.pending:
            return None
    said = {
        place: read_claims(entries, confirmed_at=confirmed.at, keys=keys)
        for place, entries in files.read_places(context, lenient=lenient).items()
    }
    own = context.archive_folder
    pages = {own: issue_pages(own, listed_only=False)}
    if folder is not None and folder != own:
        pages[folder] = issue_pages(folder)
    wanted = {issue for words in said.values() for issue in words.issues}.union(*pages.values())
    known = sending_history.known_issues(store, wanted) if store is not None else {}
    for place, words in said.items():
        if (text := _unknown_to(context, store, words, known, place.path)) is not None:
            return text
    for place_of_pages, found in pages.items():
        unknown = [page for page in found if page not in known or not known[page].explains_page]
        if unknown:
            return localized(
                "store-lacks-page", issue=max(unknown), where=str(place_of_pages / ARCHIVE)
            )
    return None


def _unknown_to(
    context: AppContext,
    store: Store | None,
    words: JournalClaims,
    known: dict[str, KnownIssue],
    place: Path,
) -> LocalizedText | None:
    """Return what a place of the journal says and the store does not know."""
    zone, where = context.settings.publication.zone, str(place)
    if words.foreign is not None:
        return localized("journal-other-keys", where=where)
    if (queued := words.queued) is not None:
        issue, at = known.get(queued.issue), queued.at.astimezone(zone)
        # What is in the journal went over a relay; in an older store it may lie in the mailbox only.
        in_mailbox = store is not None and issue_relays.is_in_mailbox(
            store, IssueId.parse(queued.issue)
        )
        if issue is None or not issue.went_out or in_mailbox:
            return localized("store-lacks-issue", issue=queued.issue, at=at, where=where)
        if issue.revision_id not in ("", queued.revision_id):
            return localized("store-other-revision", issue=queued.issue, at=at, where=where)
    if (outcome := words.outcome) is not None and store is not None:
        sent = sending_history.count_sent(store, outcome.issue)
        if sent < outcome.sent:
            return localized(
                "store-behind",
                issue=outcome.issue,
                at=outcome.at.astimezone(zone),
                where=where,
                sent=outcome.sent,
                known=sent,
            )
    if words.confirmed is not None:
        at = words.confirmed.at.astimezone(zone)
        return localized("store-lacks-confirmation", at=at, where=where)
    return None
